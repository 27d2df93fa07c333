/** A Block session as a device of bytes: writes of parts of blocks, side by side, lose nothing. */
import { BlockClient, serveBlock } from '@ginit/core/block';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { blockStream } from '../../core/test/block-stream.ts';
import { ByteReader } from '../src/lib/byte-reader.ts';
import { ByteWriter } from '../src/nbd/byte-writer.ts';
import { FieldWriter } from '../src/nbd/fields.ts';
import { endedError } from '../src/nbd/nbd-error.ts';
import { CHUNK_HEADER_BYTES, COMMAND, REQUEST_MAGIC, SIMPLE_REPLY_BYTES } from '../src/nbd/protocol.ts';
import { ServerTransmission } from '../src/nbd/server/transmission.ts';
import { ExportedDevice } from '../src/nbd_server/exported-device.ts';
import { pipe } from './nbd-pipe.ts';

const SIZE = 4096;
const BLOCKS = 16;

/** A device in memory whose requests end late and in another order. */
function slowSession(memory: Uint8Array, late: readonly number[]): Promise<BlockClient> {
  let turn = 0;
  const wait = async (): Promise<void> => {
    for (let left = late[turn++ % late.length] ?? 0; left > 0; left--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const range = (block: number, count: number): Uint8Array =>
    memory.subarray(block * SIZE, (block + count) * SIZE);
  const backend = {
    info: { blockSize: SIZE, blockCount: BLOCKS, alignLog2: 12, writeable: true },
    async read(block: number, count: number, into: Uint8Array): Promise<void> {
      await wait();
      into.set(range(block, count));
    },
    async write(block: number, count: number, from: Uint8Array): Promise<void> {
      await wait();
      range(block, count).set(from);
    },
    async sync(): Promise<void> {},
    async trim(block: number, count: number): Promise<void> {
      await wait();
      range(block, count).fill(0xdd);
    },
    async writeZeroes(block: number, count: number): Promise<void> {
      await wait();
      range(block, count).fill(0);
    },
  };
  // A small buffer, so that large requests go in pieces.
  const { source, sink } = blockStream(true, 16 * SIZE);
  const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, backend);
  return Promise.resolve(session.info()).then((info) => new BlockClient(source, info));
}

test('requests that share blocks and no bytes may go side by side', async () => {
  const cut = fc.uniqueArray(fc.integer({ min: 1, max: SIZE * BLOCKS - 1 }), { minLength: 1, maxLength: 24 });
  const late = fc.array(fc.nat(3), { minLength: 1, maxLength: 7 });
  await fc.assert(
    fc.asyncProperty(cut, late, fc.array(fc.nat(3)), async (cuts, delays, kinds) => {
      const memory = new Uint8Array(SIZE * BLOCKS).fill(0xee);
      const device = new ExportedDevice(await slowSession(memory, delays));
      const edges = [0, ...cuts.toSorted((a, b) => a - b), memory.byteLength];
      const expected = new Uint8Array(memory.byteLength);
      const all = edges.slice(1).map(async (end, index) => {
        const start = edges[index] ?? 0;
        const zero = kinds[index % Math.max(1, kinds.length)] === 0;
        const content = new Uint8Array(end - start).fill(zero ? 0 : index + 1);
        expected.set(content, start);
        if (zero) await device.writeZeroes(start, end - start);
        else {
          const middle = Math.floor(content.byteLength / 2);
          await device.write(start, end - start, [content.subarray(0, middle), content.subarray(middle)]);
        }
        await device.read(start, end - start, (payload) => {
          expect(Buffer.compare(payload, content)).toBe(0);
        });
      });
      await Promise.all(all);
      expect(Buffer.compare(memory, expected)).toBe(0);
    }),
    { numRuns: 60 },
  );
});

test.each([
  ['simple replies', false],
  ['structured replies', true],
])('a read that is larger than the requests of the session goes out whole, by %s', async (_, structured) => {
  const memory = Uint8Array.from({ length: SIZE * BLOCKS }, (_byte, index) => (index * 7) % 251);
  const device = new ExportedDevice(await slowSession(memory, [3, 0, 1]));
  const [near, far] = pipe([1000]);
  const agreed = { export: { name: '', description: '', device }, structured, allocation: false };
  const served = new ServerTransmission(
    new ByteReader(far, endedError),
    new ByteWriter(far, () => {}),
    agreed,
  ).run();
  const answers = new ByteReader(near, endedError);
  for (const [position, bytes] of [
    [0, SIZE * BLOCKS],
    [100, SIZE * 9],
    [SIZE, SIZE],
  ] as const) {
    const request = new FieldWriter().u32(REQUEST_MAGIC).u16(0).u16(COMMAND.read).u64(1);
    await near.write(request.u64(position).u32(bytes).done());
    const header = structured ? CHUNK_HEADER_BYTES + 8 : SIMPLE_REPLY_BYTES;
    await answers.need(header + bytes);
    answers.take(header);
    expect(Buffer.compare(answers.take(bytes), memory.subarray(position, position + bytes))).toBe(0);
  }
  await near.end();
  await served;
  expect(answers.held).toBe(0);
});

test('a trim leaves the bytes alone that share a block with others', async () => {
  const memory = new Uint8Array(SIZE * BLOCKS).fill(1);
  const device = new ExportedDevice(await slowSession(memory, [0]));
  await device.trim(100, SIZE - 100);
  await device.trim(SIZE - 1, 2 * SIZE);
  const trimmed = memory.reduce((sum, byte) => sum + (byte === 1 ? 0 : 1), 0);
  expect(trimmed).toBe(SIZE);
  expect(memory[SIZE]).toBe(0xdd);
  expect(memory[2 * SIZE]).toBe(1);
});

test('zeros are looked for, and the extents cover what was looked at', async () => {
  const memory = new Uint8Array(SIZE * BLOCKS);
  memory[SIZE * 3 + 5] = 1;
  const plain = new ExportedDevice(await slowSession(memory, [0]));
  expect(await plain.extents(5, 20_000)).toEqual([{ bytes: 20_000, zero: false }]);
  const device = new ExportedDevice(await slowSession(memory, [0]), true);
  // Four blocks are the largest request of this session.
  expect(await device.extents(0, SIZE * BLOCKS)).toEqual([{ bytes: 4 * SIZE, zero: false }]);
  expect(await device.extents(4 * SIZE, SIZE)).toEqual([{ bytes: SIZE, zero: true }]);
});
