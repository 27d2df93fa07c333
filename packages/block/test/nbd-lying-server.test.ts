/** A client of NBD whose server lies. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClientConnection } from '../src/nbd/client/client-connection.ts';
import { FieldWriter } from '../src/nbd/fields.ts';
import {
  CHUNK,
  CHUNK_DONE,
  CHUNK_MAGIC,
  GREETING_MAGIC,
  INFO,
  OPTION,
  OPTION_MAGIC,
  OPTION_REPLY,
  OPTION_REPLY_MAGIC,
  SIMPLE_REPLY_MAGIC,
} from '../src/nbd/protocol.ts';
import { pipe, type PipeEnd } from './nbd-pipe.ts';
import { reasonOf } from './nbd-served.ts';

/** A server of a test, which says what it likes. */
async function lyingServer(answer: (end: PipeEnd) => Promise<void>): Promise<string> {
  const [near, far] = pipe();
  const script = async (): Promise<void> => {
    const heard = listen(far);
    await far.write(new FieldWriter().u64(GREETING_MAGIC).u64(OPTION_MAGIC).u16(3).done());
    await heard(4 + 16);
    await far.write(reply(OPTION.structuredReply, OPTION_REPLY.ack));
    await heard(16 + 4 + 4 + 2 + 2);
    const info = new FieldWriter().u16(INFO.export).u64(65_536).u16(1).done();
    await far.write(reply(OPTION.go, OPTION_REPLY.info, info));
    await far.write(reply(OPTION.go, OPTION_REPLY.ack));
    await heard(28);
    await answer(far);
  };
  void script().catch(() => {});
  try {
    const { client } = await ClientConnection.open(near, { exportName: 'disk' });
    await client.read(4096, new Uint8Array(8192));
    return 'done';
  } catch (error) {
    return reasonOf(error);
  }
}

/** Waits for so many bytes more. */
function listen(end: PipeEnd): (bytes: number) => Promise<void> {
  let held = 0;
  return async (bytes) => {
    while (held < bytes) held += (await end.read())?.byteLength ?? Infinity;
    held -= bytes;
  };
}

function reply(option: number, type: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const header = new FieldWriter().u64(OPTION_REPLY_MAGIC).u32(option).u32(type);
  return header.u32(data.byteLength).bytes(data).done();
}

function chunk(type: number, data: Uint8Array, flags = 0, cookie = 1): Uint8Array {
  const header = new FieldWriter().u32(CHUNK_MAGIC).u16(flags).u16(type).u64(cookie);
  return header.u32(data.byteLength).bytes(data).done();
}

const piece = (position: number | bigint, bytes: number): Uint8Array =>
  new FieldWriter().u64(position).bytes(new Uint8Array(bytes)).done();
const hole = (position: number, bytes: number): Uint8Array =>
  new FieldWriter().u64(position).u32(bytes).done();

describe('a client whose server lies', () => {
  test.each([
    ['many replies', 65, 8, 'the replies to an option do not end'],
    ['large replies', 3, 40_000, 'the replies to an option have 80000 bytes'],
  ])('holds no more than a few pieces of information, and not %s', async (_, count, bytes, reason) => {
    const [near, far] = pipe();
    const opening = ClientConnection.open(near, { exportName: 'disk' });
    await far.write(new FieldWriter().u64(GREETING_MAGIC).u64(OPTION_MAGIC).u16(3).done());
    await far.write(reply(OPTION.structuredReply, OPTION_REPLY.ack));
    for (let left = count; left > 0; left--) {
      await far.write(reply(OPTION.go, OPTION_REPLY.info, new Uint8Array(bytes).fill(9)));
    }
    await far.write(reply(OPTION.go, OPTION_REPLY.ack));
    await expect(opening).rejects.toThrow(reason);
  });

  test.each<[string, Uint8Array[], string]>([
    ['no magic number', [new Uint8Array(16)], 'a reply has no magic number'],
    [
      'an answer to nobody',
      [chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE, 9)],
      'answers a request that nobody has made',
    ],
    [
      'a cookie beyond 32 bits',
      [chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE, 2 ** 32 + 1)],
      'answers a request that nobody has made',
    ],
    ['a piece behind the read', [chunk(CHUNK.data, piece(4096 + 8192, 1))], 'is not in a read'],
    ['a piece before the read', [chunk(CHUNK.data, piece(4095, 2))], 'is not in a read'],
    ['a piece far away', [chunk(CHUNK.data, piece(2n ** 64n - 1n, 1))], 'is not in a read'],
    ['an empty piece', [chunk(CHUNK.data, piece(4096, 0))], 'a piece of a read has 8 bytes'],
    [
      'a piece twice',
      [chunk(CHUNK.data, piece(4096, 512)), chunk(CHUNK.data, piece(4096 + 511, 512))],
      'twice',
    ],
    ['a hole that is too long', [chunk(CHUNK.hole, hole(4096, 0xffff_ffff))], 'is not in a read'],
    [
      'an end before all has come',
      [chunk(CHUNK.data, piece(4096, 8191)), chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE)],
      'before all of it has come',
    ],
    ['a status for a read', [chunk(CHUNK.blockStatus, new Uint8Array(12))], 'does not answer the request'],
    [
      'an error without its text',
      [chunk(CHUNK.error, new FieldWriter().u32(5).u16(100).done())],
      'the text of an error is not there',
    ],
    [
      'a simple answer to a read',
      [new FieldWriter().u32(SIMPLE_REPLY_MAGIC).u32(0).u64(1).done()],
      'without structure',
    ],
  ])('ends the connection for %s', async (_, says, reason) => {
    const outcome = lyingServer(async (end) => {
      for (const part of says) await end.write(part);
    });
    expect(await outcome).toContain(reason);
  });

  test('takes pieces in any order, each once', async () => {
    const outcome = lyingServer(async (end) => {
      for (const at of [3, 0, 2, 1]) await end.write(chunk(CHUNK.data, piece(4096 + at * 2048, 2048)));
      await end.write(chunk(CHUNK.none, new Uint8Array(0), CHUNK_DONE));
    });
    expect(await outcome).toBe('done');
  });

  test('survives any bytes, and any content of chunks', async () => {
    const types = [...Object.values(CHUNK), 77];
    const any = fc
      .tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 40 }), fc.nat(3))
      .map(([type, data, flags]) => chunk(type, data, flags));
    const parts = fc.array(fc.oneof(fc.uint8Array({ maxLength: 60 }), any), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(parts, async (says) => {
        const outcome = lyingServer(async (end) => {
          await end.write(Buffer.concat(says));
          await end.end();
        });
        expect(await outcome).not.toMatch(/^(done$|a bug)/);
      }),
      { numRuns: 200 },
    );
  });
});
