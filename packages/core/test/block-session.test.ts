import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasCode } from '../src/index.ts';
import { Packet } from '../src/packet-stream.ts';
import {
  type BlockBackend,
  BlockClient,
  blockError,
  type BlockInfo,
  BLOCK_OPERATION,
  BLOCK_STATUS,
  blockView,
  serveBlock,
  type ServeBlockOptions,
} from '../src/block.ts';
import { type SessionArguments } from '../src/system.ts';
import { blockStream } from './block-stream.ts';

const SIZE = 512;

/** A device in memory whose requests end later, in an order that `delays` chooses. */
class SlowDisk implements BlockBackend {
  readonly info: BlockInfo;
  readonly bytes: Uint8Array;
  readonly seen: string[] = [];
  readonly bad = new Set<number>();
  readonly #delays: () => number;
  running = 0;
  runningMax = 0;

  constructor(blockCount: number, delays: () => number = () => 0, writeable = true) {
    this.info = { blockSize: SIZE, blockCount, alignLog2: 12, writeable };
    this.bytes = new Uint8Array(blockCount * SIZE);
    this.#delays = delays;
  }

  read(block: number, count: number, into: Uint8Array): Promise<void> {
    return this.#later('read', block, count, () => into.set(this.#range(block, count)));
  }

  write(block: number, count: number, from: Uint8Array): Promise<void> {
    return this.#later('write', block, count, () => this.#range(block, count).set(from));
  }

  sync(): Promise<void> {
    return this.#later('sync', 0, 0, () => {});
  }

  trim(block: number, count: number): Promise<void> {
    return this.#later('trim', block, count, () => this.#range(block, count).fill(0xee));
  }

  writeZeroes(block: number, count: number): Promise<void> {
    return this.#later('zeroes', block, count, () => this.#range(block, count).fill(0));
  }

  #range(block: number, count: number): Uint8Array {
    if (block + count > this.info.blockCount) throw new Error('the server let a bad range through');
    return this.bytes.subarray(block * SIZE, (block + count) * SIZE);
  }

  async #later(what: string, block: number, count: number, work: () => void): Promise<void> {
    this.seen.push(`${what} ${block} ${count}`);
    this.running++;
    this.runningMax = Math.max(this.runningMax, this.running);
    for (let turns = this.#delays(); turns > 0; turns--) await new Promise((done) => setImmediate(done));
    this.running--;
    for (let at = block; at < block + count; at++) if (this.bad.has(at)) throw blockError('InputOutput');
    work();
  }
}

interface Served {
  readonly client: BlockClient;
  readonly close: () => Promise<void>;
}

async function serve(
  disk: BlockBackend,
  shared: boolean,
  options: ServeBlockOptions & { args?: SessionArguments; bulkBytes?: number } = {},
): Promise<Served> {
  const { source, sink } = blockStream(shared, options.bulkBytes);
  const session = serveBlock(
    { args: options.args ?? {}, streams: { tx: Promise.resolve(sink) } },
    disk,
    options,
  );
  const client = new BlockClient(source, await session.info());
  return { client, close: async () => session[Symbol.asyncDispose]?.() };
}

const pattern = (blocks: number, seed: number): Uint8Array =>
  Uint8Array.from({ length: blocks * SIZE }, (_, at) => (at * 7 + (at >> 9) * 13 + seed) & 255);

/** The runner's own comparison takes seconds for a megabyte. */
const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof Error ? Reflect.get(error, 'code') : error),
  );

describe.each([
  ['shared', true],
  ['copying', false],
])('a Block session over a %s carrier', (_, shared) => {
  test('transfers larger than the bulk buffer come over whole', async () => {
    const disk = new SlowDisk(4096, () => 1);
    const { client } = await serve(disk, shared, { bulkBytes: 128 * 1024 });
    const bytes = pattern(4000, 1);
    await client.write(17, 4000, bytes);
    expect(same(disk.bytes.subarray(17 * SIZE, 4017 * SIZE), bytes)).toBe(true);
    const back = new Uint8Array(bytes.length);
    await client.read(17, 4000, back);
    expect(same(back, bytes)).toBe(true);
  });

  test('a large transfer does not hold up a small one', async () => {
    const disk = new SlowDisk(8192, () => 1);
    const { client } = await serve(disk, shared, { bulkBytes: 64 * 1024 });
    const order: string[] = [];
    const large = client.read(0, 8192, new Uint8Array(8192 * SIZE)).then(() => order.push('large'));
    const small = client.read(5, 1, new Uint8Array(SIZE)).then(() => order.push('small'));
    await Promise.all([large, small]);
    expect(order).toEqual(['small', 'large']);
    expect(disk.seen.indexOf('read 5 1')).toBeLessThan(8);
  });

  test('requests are answered in the order in which they end, and none is mixed up', async () => {
    const seeds = fc.infiniteStream(fc.nat(6));
    await fc.assert(
      fc.asyncProperty(seeds, fc.integer({ min: 1, max: 8 }), async (delays, inFlightMax) => {
        const disk = new SlowDisk(600, () => delays.next().value ?? 0);
        const { client } = await serve(disk, shared, { inFlightMax });
        const writes = Array.from({ length: 600 }, (__, block) => client.write(block, 1, pattern(1, block)));
        await Promise.all(writes);
        const reads = Array.from({ length: 600 }, async (__, block) => {
          const bytes = new Uint8Array(SIZE);
          await client.read(block, 1, bytes);
          expect(same(bytes, pattern(1, block))).toBe(true);
        });
        await Promise.all(reads);
        expect(disk.runningMax).toBeLessThanOrEqual(inFlightMax);
      }),
      { numRuns: 10 },
    );
  });

  test('a view shows its part of the device and nothing else', async () => {
    const disk = new SlowDisk(100);
    disk.bytes.set(pattern(100, 9));
    const { client } = await serve(disk, shared, { args: { offset: 10, num_blocks: 20 } });
    expect(client.info).toMatchObject({ blockCount: 20, writeable: true });
    const bytes = new Uint8Array(SIZE);
    await client.read(19, 1, bytes);
    expect(bytes).toEqual(disk.bytes.subarray(29 * SIZE, 30 * SIZE));
    await client.write(0, 1, pattern(1, 77));
    await client.trim(2, 3);
    await client.writeZeroes(3, 4);
    await client.sync();
    expect(disk.seen).toEqual(['read 29 1', 'write 10 1', 'trim 12 3', 'zeroes 13 4', 'sync 0 0']);
    await client.read(6, 1, bytes);
    expect(same(bytes, new Uint8Array(SIZE))).toBe(true);
    expect(await codeOf(client.writeZeroes(17, 4))).toBe('OutOfRange');
    expect(await codeOf(client.read(20, 1, bytes))).toBe('OutOfRange');
  });

  test('a failing block fails its own request only', async () => {
    const disk = new SlowDisk(100);
    disk.bad.add(50);
    const { client } = await serve(disk, shared);
    const reads = [49, 50, 51].map((block) => codeOf(client.read(block, 1, new Uint8Array(SIZE))));
    expect(await Promise.all(reads)).toEqual(['succeeded', 'InputOutput', 'succeeded']);
  });

  test('the end of the server ends every request, whatever its state', async () => {
    const disk = new SlowDisk(4096, () => 3);
    const { client, close } = await serve(disk, shared, { bulkBytes: 16 * 1024 });
    const reads = Array.from({ length: 100 }, () => codeOf(client.read(0, 9, new Uint8Array(9 * SIZE))));
    const large = codeOf(client.write(0, 4096, new Uint8Array(4096 * SIZE)));
    await new Promise((done) => setImmediate(done));
    await new Promise((done) => setImmediate(done));
    await close();
    expect(disk.running).toBe(0);
    const codes = new Set(await Promise.all([...reads, large]));
    expect(codes.has('PeerGone')).toBe(true);
    expect([...codes].every((code) => code === 'PeerGone' || code === 'succeeded')).toBe(true);
    expect(await codeOf(client.sync())).toBe('PeerGone');
  });

  test('closing the session waits for what is under way, then tells the server', async () => {
    const disk = new SlowDisk(100, () => 5);
    const events: string[] = [];
    const { client, close } = await serve(disk, shared, {
      closed: () => void events.push(`closed, ${disk.running} running`),
    });
    const write = codeOf(client.write(0, 1, pattern(1, 1)));
    for (let turns = 0; turns < 3; turns++) await new Promise((done) => setImmediate(done));
    expect(disk.running).toBe(1);
    await close();
    expect(events).toEqual(['closed, 0 running']);
    expect(await write).toBe('PeerGone');
    expect(disk.bytes.subarray(0, SIZE)).toEqual(pattern(1, 1));
  });

  test('a session without the right to write reads, and is refused the rest', async () => {
    const disk = new SlowDisk(100);
    const { source, sink } = blockStream(shared);
    const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, disk, {
      writeable: false,
    });
    const info = await session.info();
    expect(info.writeable).toBe(false);
    // A client that does not believe it.
    const client = new BlockClient(source, { ...info, writeable: true });
    expect(await codeOf(client.read(0, 1, new Uint8Array(SIZE)))).toBe('succeeded');
    expect(await codeOf(client.write(0, 1, new Uint8Array(SIZE)))).toBe('ReadOnly');
    expect(await codeOf(client.trim(0, 1))).toBe('ReadOnly');
    expect(await codeOf(client.writeZeroes(0, 1))).toBe('ReadOnly');
    expect(await codeOf(client.sync())).toBe('ReadOnly');
    expect(disk.seen).toEqual(['read 0 1']);
  });
});

test('whatever a client puts into the stream, the backend sees valid requests and every packet is answered', async () => {
  const number = fc.oneof(
    fc.nat(5),
    fc.nat(0xffff_ffff),
    fc.maxSafeNat(),
    fc.constant(Number.MAX_SAFE_INTEGER),
  );
  const offset = fc.constantFrom(0, 4096, 8192, 12_288);
  const wild = fc.record({
    operation: fc.oneof(fc.nat(7), fc.nat(0xffff_ffff)),
    position: number,
    count: number,
    size: fc.oneof(fc.constantFrom(0, SIZE, 2 * SIZE, 3 * SIZE), fc.nat(8192)),
    offset,
    length: fc.oneof(fc.constant(0), fc.nat(9000)),
  });
  // Right but for where they are: about half of them go beyond the view, most of these though each
  // number is below its size.
  const near = fc
    .record({ operation: fc.integer({ min: 1, max: 5 }), position: fc.nat(5), count: fc.nat(5), offset })
    .map((packet) => Object.assign(packet, { size: packet.count * SIZE, length: 0 }));
  const packets = fc.array(fc.oneof({ weight: 1, arbitrary: wild }, { weight: 2, arbitrary: near }), {
    maxLength: 300,
    size: 'max',
  });
  const outcomes = { carriedOut: 0, beyond: 0 };
  await fc.assert(
    fc.asyncProperty(packets, fc.boolean(), async (hostile, writeable) => {
      const { source, sink } = blockStream(true, 32 * 1024);
      const disk = new SlowDisk(10, () => 0, writeable);
      const session = serveBlock(
        { args: { offset: 3, num_blocks: 4 }, streams: { tx: Promise.resolve(sink) } },
        disk,
      );
      const info = await session.info();
      expect(info).toMatchObject({ blockCount: 4, writeable });
      const packet = new Packet();
      let answered = 0;
      const expected = new Map<number, number>();
      await new Promise<void>((resolve) => {
        let next = 0;
        const step = (): void => {
          while (source.nextAcknowledged(packet)) {
            answered++;
            if (packet.status === BLOCK_STATUS.outOfRange) outcomes.beyond++;
            expect(packet.status).toBe(expected.get(packet.tag));
          }
          while (next < hostile.length && source.ready()) {
            Object.assign(packet.clear(), hostile[next], { tag: next });
            const status = statusFor(packet, info, writeable);
            if (!source.submit(packet)) break;
            expected.set(packet.tag, status);
            next++;
          }
          source.wakeup();
          if (answered === hostile.length) resolve();
        };
        source.onWake(step);
        step();
      });
      expect(sink.closure).toBe(undefined);
      for (const seen of disk.seen) {
        if (seen === 'sync 0 0') continue;
        const [, block, count] = /^(?:read|write|trim|zeroes) (\d+) (\d+)$/.exec(seen) ?? [];
        expect(Number(block), seen).toBeGreaterThanOrEqual(3);
        expect(Number(count), seen).toBeGreaterThan(0);
        expect(Number(block) + Number(count), seen).toBeLessThanOrEqual(7);
      }
      outcomes.carriedOut += disk.seen.length;
    }),
    { numRuns: 40 },
  );
  // Of each kind enough, so that it says something.
  expect(outcomes.carriedOut).toBeGreaterThan(400);
  expect(outcomes.beyond).toBeGreaterThan(200);
});

/** The answer that a server must give to a packet. */
function statusFor(packet: Packet, info: BlockInfo, writeable: boolean): number {
  const { operation, position, count, size, length } = packet;
  const inRange = position + count <= info.blockCount;
  const sized = count > 0 && size === count * info.blockSize;
  if (length > size) return BLOCK_STATUS.invalid;
  if (operation === BLOCK_OPERATION.read || operation === BLOCK_OPERATION.write) {
    if (!sized) return BLOCK_STATUS.invalid;
    if (!inRange) return BLOCK_STATUS.outOfRange;
  } else if (operation === BLOCK_OPERATION.trim || operation === BLOCK_OPERATION.writeZeroes) {
    if (!inRange) return BLOCK_STATUS.outOfRange;
  } else if (operation !== BLOCK_OPERATION.sync) return BLOCK_STATUS.invalid;
  return operation === BLOCK_OPERATION.read || writeable ? BLOCK_STATUS.ok : BLOCK_STATUS.readOnly;
}

describe('the arguments of a session', () => {
  const info: BlockInfo = { blockSize: SIZE, blockCount: 100, alignLog2: 12, writeable: true };
  test.each<[SessionArguments, object]>([
    [{}, { first: 0, count: 100, writeable: true }],
    [{ offset: 10 }, { first: 10, count: 90 }],
    [
      { offset: 99, num_blocks: 1, writeable: false },
      { first: 99, count: 1, writeable: false },
    ],
  ])('%j are a view', (args, view) => {
    expect(blockView(info, args)).toMatchObject(view);
  });
  test.each<SessionArguments>([
    { offset: 100 },
    { offset: -1 },
    { offset: 0.5 },
    { offset: Number.MAX_SAFE_INTEGER, num_blocks: Number.MAX_SAFE_INTEGER },
    { offset: '1' },
    { num_blocks: 0 },
    { num_blocks: 101 },
    { offset: 1, num_blocks: 100 },
    { writeable: 'no' },
  ])('%j are denied', (args) => {
    expect(() => blockView(info, args)).toThrow(expect.objectContaining({ code: 'DENIED' }));
  });
});

test('a client refuses a description of a device that is impossible', async () => {
  const { source } = blockStream(true, 4096);
  const info = { blockSize: SIZE, blockCount: 10, alignLog2: 12, writeable: true };
  expect(() => new BlockClient(source, { ...info, blockSize: 65_536 })).toThrow('holds no block');
  expect(() => new BlockClient(source, { ...info, blockSize: 1000 })).toThrow('cannot be');
  const client = new BlockClient(source, info);
  expect(await codeOf(client.read(0, 2, new Uint8Array(SIZE)))).toBe('Invalid');
  expect(await codeOf(client.read(-1, 1, new Uint8Array(SIZE)))).toBe('Invalid');
  expect(await codeOf(client.write(0, 0, new Uint8Array(0)))).toBe('Invalid');
  expect(await codeOf(client.write(9, 2, new Uint8Array(2 * SIZE)))).toBe('OutOfRange');
});

test('every error of a request has one of the declared codes', async () => {
  const disk = new SlowDisk(10);
  disk.bad.add(3);
  const { client } = await serve(disk, true);
  const error: unknown = await client.read(3, 1, new Uint8Array(SIZE)).catch((caught: unknown) => caught);
  expect(hasCode(error, 'InputOutput')).toBe(true);
});
