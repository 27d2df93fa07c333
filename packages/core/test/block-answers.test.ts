/**
 * What a block backend may say beside "done": retry, rejected, and that the device has changed.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Accepted,
  type BlockAnswer,
  type BlockBackend,
  BlockClient,
  type BlockErrorCode,
  type BlockInfo,
  BLOCK_NOTICE,
  rejected,
  RETRY,
  serveBlock,
  writeZeroesByWriting,
} from '../src/block.ts';
import { Listeners } from '../src/async.ts';
import { PeerGone, RpcError } from '../src/index.ts';
import { Packet } from '../src/packet-stream.ts';
import { type SessionArguments } from '../src/system.ts';
import { blockStream } from './block-stream.ts';

const SIZE = 512;

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((done) => setImmediate(done));
};

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : error),
  );

/** A device in memory that can grow, and answers every request as the test says. */
class ToldDisk implements BlockBackend {
  readonly seen: string[] = [];
  readonly infoChanged = new Listeners();
  readonly ready = new Listeners();
  info: BlockInfo;
  bytes: Uint8Array;
  answer: (work: () => void) => BlockAnswer = (work) => work();

  constructor(blockCount: number, blockSize = SIZE) {
    this.info = { blockSize, blockCount, alignLog2: 12, writeable: true };
    this.bytes = new Uint8Array(blockCount * blockSize);
  }

  change(change: Partial<BlockInfo>): void {
    this.info = { ...this.info, ...change };
    const bytes = new Uint8Array(this.info.blockCount * this.info.blockSize);
    bytes.set(this.bytes.subarray(0, bytes.length));
    this.bytes = bytes;
    this.infoChanged.call();
  }

  read(block: number, count: number, into: Uint8Array): BlockAnswer {
    return this.#does(`read ${block}`, () => into.set(this.#range(block, count)));
  }
  write(block: number, count: number, from: Uint8Array): BlockAnswer {
    return this.#does(`write ${block}`, () => this.#range(block, count).set(from));
  }
  sync(): BlockAnswer {
    return this.#does('sync', () => {});
  }
  trim(block: number): BlockAnswer {
    return this.#does(`trim ${block}`, () => {});
  }
  writeZeroes(block: number, count: number): Promise<void> {
    const write = (at: number, blocks: number, from: Uint8Array): Accepted =>
      void this.#range(at, blocks).set(from);
    return writeZeroesByWriting({ info: this.info, write }, block, count);
  }
  onInfoChanged(handler: () => void): () => void {
    return this.infoChanged.add(handler);
  }
  onReady(handler: () => void): () => void {
    return this.ready.add(handler);
  }

  #range(block: number, count: number): Uint8Array {
    if (block + count > this.info.blockCount) throw new Error('the server let a bad range through');
    return this.bytes.subarray(block * this.info.blockSize, (block + count) * this.info.blockSize);
  }

  #does(what: string, work: () => void): BlockAnswer {
    const answer = this.answer(work);
    if (answer !== RETRY) this.seen.push(what);
    return answer;
  }
}

async function serve(disk: BlockBackend, shared: boolean, args: SessionArguments = {}) {
  const { source, sink } = blockStream(shared);
  const session = serveBlock({ args, streams: { tx: Promise.resolve(sink) } }, disk);
  const client = new BlockClient(source, await session.info());
  return { client, session, sink, close: async () => session[Symbol.asyncDispose]?.() };
}

/** Writes `blocks` blocks from `first` on, makes zeros of a part of them, and reads them back. */
async function roundTrip(client: BlockClient, first: number, blocks: number): Promise<void> {
  const { blockSize } = client.info;
  const bytes = Uint8Array.from({ length: blocks * blockSize }, (_, at) => at * 13 + (at >> 9));
  const zeros = Math.floor(blocks / 2);
  await client.write(first, blocks, bytes);
  await client.writeZeroes(first + 2, zeros);
  bytes.fill(0, 2 * blockSize, (2 + zeros) * blockSize);
  const back = new Uint8Array(bytes.length);
  await client.read(first, blocks, back);
  expect(Buffer.compare(back, bytes)).toBe(0);
}

/** A backend that does nothing, for tests that say what some of its operations do. */
const IDLE = {
  read: () => {},
  write: () => {},
  sync: () => {},
  trim: () => {},
  writeZeroes: () => {},
};

describe.each([
  ['shared', true],
  ['copying', false],
])('a backend over a %s carrier', (_, shared) => {
  test('that ends a batch in reverse has its answers arrive in reverse, each with its own block', async () => {
    const disk = new ToldDisk(64);
    for (let block = 0; block < 64; block++) disk.bytes.fill(block, block * SIZE, (block + 1) * SIZE);
    const held: (() => void)[] = [];
    disk.answer = (work) => new Promise<void>((resolve) => held.push(() => resolve(work())));
    const { client } = await serve(disk, shared);
    const order: number[] = [];
    const reads = Array.from({ length: 64 }, async (__, block) => {
      const bytes = new Uint8Array(SIZE);
      await client.read(block, 1, bytes);
      expect([bytes[0], bytes[SIZE - 1]]).toEqual([block, block]);
      order.push(block);
    });
    for (let turn = 0; held.length < 64 && turn < 100; turn++) await turns(1);
    for (const end of held.toReversed()) end();
    await Promise.all(reads);
    expect(order).toEqual(Array.from({ length: 64 }, (__, block) => 63 - block));
  });

  test('that says retry gets the request again, before those behind it', async () => {
    const disk = new ToldDisk(100);
    const { client } = await serve(disk, shared);
    let full = true;
    disk.answer = (work) => (full ? RETRY : work());
    const reads = [3, 1, 2].map((block) => client.read(block, 1, new Uint8Array(SIZE)));
    await turns(5);
    expect(disk.seen).toEqual([]);
    disk.ready.call();
    await turns(3);
    expect(disk.seen).toEqual([]);
    full = false;
    disk.ready.call();
    await Promise.all(reads);
    expect(disk.seen).toEqual(['read 3', 'read 1', 'read 2']);
  });

  test('that says retry needs no other word than the end of a request under way', async () => {
    const disk = new ToldDisk(100);
    const waiting: (() => void)[] = [];
    const limited: BlockBackend = {
      ...IDLE,
      info: disk.info,
      read: (block) => {
        if (waiting.length > 1) return RETRY;
        disk.seen.push(`read ${block}`);
        return new Promise((resolve) => waiting.push(resolve));
      },
    };
    const { client } = await serve(limited, shared);
    const reads = [1, 2, 3, 4].map((block) => client.read(block, 1, new Uint8Array(SIZE)));
    await turns(4);
    expect(disk.seen).toEqual(['read 1', 'read 2']);
    for (let round = 0; round < 4; round++) {
      waiting.shift()?.();
      await turns(4);
    }
    await Promise.all(reads);
    expect(disk.seen).toEqual(['read 1', 'read 2', 'read 3', 'read 4']);
  });

  test('may say retry at any time: everything is answered, once and in the order of the queue', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(3), { minLength: 30, maxLength: 120 }), async (moods) => {
        const disk = new ToldDisk(200);
        const { client } = await serve(disk, shared);
        let at = 0;
        disk.answer = (work) => {
          const mood = moods[at++ % moods.length] ?? 0;
          // Whatever the moods, each fourth answer is no retry, so that it ends.
          if (mood === 0 && at % 4 !== 0) {
            setImmediate(() => disk.ready.call());
            return RETRY;
          }
          if (mood === 1) return rejected('InputOutput');
          if (mood === 2) return new Promise<void>((resolve) => setImmediate(() => resolve(work())));
          return work();
        };
        const ends = moods.map((__, block) => codeOf(client.read(block, 1, new Uint8Array(SIZE))));
        for (const end of await Promise.all(ends)) expect(['succeeded', 'InputOutput']).toContain(end);
        expect(disk.seen).toEqual(moods.map((__, block) => `read ${block}`));
      }),
      { numRuns: 20 },
    );
  });

  test('that still says retry does not keep the session from closing', async () => {
    const disk = new ToldDisk(100);
    const { client, close } = await serve(disk, shared);
    disk.answer = () => RETRY;
    const read = codeOf(client.read(0, 1, new Uint8Array(SIZE)));
    await turns(3);
    await close();
    expect(await read).toBe('PeerGone');
    disk.ready.call();
    await turns(2);
    expect(disk.seen).toEqual([]);
  });

  test.each<BlockErrorCode>(['InputOutput', 'OutOfRange', 'ReadOnly', 'NoSpace', 'Invalid', 'Gone'])(
    'that rejects a request with %s tells the client just that',
    async (code) => {
      const disk = new ToldDisk(100);
      const { client } = await serve(disk, shared);
      disk.answer = () => rejected(code);
      expect(await codeOf(client.read(0, 1, new Uint8Array(SIZE)))).toBe(code);
      disk.answer = () => Promise.reject(new RpcError(code));
      expect(await codeOf(client.read(0, 1, new Uint8Array(SIZE)))).toBe(code);
    },
  );

  test('whose own server is gone tells its clients that the device is gone', async () => {
    const disk = new ToldDisk(100);
    const { client } = await serve(disk, shared);
    disk.answer = () => Promise.reject(new PeerGone());
    expect(await codeOf(client.read(0, 1, new Uint8Array(SIZE)))).toBe('Gone');
  });

  test('that grows tells the sessions that show all of it, and only those', async () => {
    const disk = new ToldDisk(100);
    const whole = await serve(disk, shared);
    const rest = await serve(disk, shared, { offset: 40, writeable: false });
    const part = await serve(disk, shared, { offset: 90, num_blocks: 10 });
    const told: string[] = [];
    for (const [name, { client }] of Object.entries({ whole, rest, part }))
      client.onInfoChanged(() => told.push(`${name} ${client.info.blockCount}`));
    expect(await codeOf(whole.client.read(100, 1, new Uint8Array(SIZE)))).toBe('OutOfRange');
    disk.change({ blockCount: 150 });
    await turns(4);
    expect(told.toSorted()).toEqual(['rest 110', 'whole 150']);
    expect(rest.client.info.writeable).toBe(false);
    expect(part.client.info.blockCount).toBe(10);
    await whole.client.write(149, 1, new Uint8Array(SIZE).fill(7));
    const bytes = new Uint8Array(SIZE);
    await rest.client.read(109, 1, bytes);
    expect(bytes[0]).toBe(7);
  });

  test('that grows before the client listens is seen in full size', async () => {
    const disk = new ToldDisk(100);
    const { source, sink } = blockStream(shared);
    const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, disk);
    const info = await session.info();
    disk.change({ blockCount: 120 });
    disk.change({ blockCount: 130 });
    await turns(2);
    const client = new BlockClient(source, info);
    await turns(2);
    expect(client.info.blockCount).toBe(130);
  });

  test('that shrinks or turns read-only refuses what does not go any more', async () => {
    const disk = new ToldDisk(100);
    const whole = await serve(disk, shared);
    const part = await serve(disk, shared, { offset: 40, num_blocks: 20 });
    disk.change({ blockCount: 50, writeable: false });
    // The server refuses what its clients ask for before they know.
    const early = [codeOf(whole.client.read(60, 1, new Uint8Array(SIZE)))];
    early.push(codeOf(whole.client.write(0, 1, new Uint8Array(SIZE))));
    expect(await Promise.all(early)).toEqual(['OutOfRange', 'ReadOnly']);
    await turns(4);
    expect(whole.client.info).toMatchObject({ blockCount: 50, writeable: false });
    expect(part.client.info).toMatchObject({ blockCount: 10, writeable: false });
    disk.change({ blockCount: 90, writeable: true });
    await turns(4);
    expect(part.client.info).toMatchObject({ blockCount: 20, writeable: true });
    await part.client.write(19, 1, new Uint8Array(SIZE));
  });

  test('is a client of another server as well: a chain needs nothing between', async () => {
    const disk = new ToldDisk(5000);
    const below = await serve(disk, shared);
    const { client } = await serve(below.client, shared, { offset: 8 });
    await roundTrip(client, 0, 4000);
    disk.change({ blockCount: 6000 });
    await turns(6);
    expect(client.info.blockCount).toBe(5992);
    await below.close();
    expect(await codeOf(client.read(0, 1, new Uint8Array(SIZE)))).toBe('Gone');
  });

  test.each([512, 1024, 4096, 65_536])('has blocks of %i bytes', async (blockSize) => {
    const disk = new ToldDisk(40, blockSize);
    const { client } = await serve(disk, shared);
    await roundTrip(client, 7, 20);
  });

  test('has block numbers beyond 32 bits', async () => {
    const first = 2 ** 40 + 3;
    const seen: number[] = [];
    const huge: BlockBackend = {
      info: { blockSize: SIZE, blockCount: 2 ** 43, alignLog2: 12, writeable: true },
      ...IDLE,
      read: (block, count) => void seen.push(block, count),
      trim: (block, count) => void seen.push(block, count),
      writeZeroes: (block, count) => void seen.push(block, count),
    };
    const { client } = await serve(huge, shared, { offset: 2 ** 41 });
    await client.read(first, 1, new Uint8Array(SIZE));
    await client.writeZeroes(5, 2 ** 42);
    await client.trim(0, client.info.blockCount);
    expect(seen).toEqual([2 ** 41 + first, 1, 2 ** 41 + 5, 2 ** 42, 2 ** 41, 2 ** 43 - 2 ** 41]);
  });
});

test('a backend that says retry although nobody would ask it again is an error of the server', async () => {
  const disk = new ToldDisk(10);
  const mute: BlockBackend = { ...IDLE, info: disk.info, read: () => RETRY };
  const { source, sink } = blockStream(true);
  // The error comes out of the handler of the stream.
  let handler = (): void => {};
  sink.onWake = (wake) => void (handler = wake ?? handler);
  const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, mute);
  const client = new BlockClient(source, await session.info());
  const read = codeOf(client.read(0, 1, new Uint8Array(SIZE)));
  await turns(2);
  expect(handler).toThrow('a backend without onReady');
  sink.close();
  expect(await read).toBe('PeerGone');
});

test('requests of one turn and their answers take one wake-up each way', async () => {
  const disk = new ToldDisk(300);
  const { source, sink, sent } = blockStream(true);
  const session = serveBlock({ args: {}, streams: { tx: Promise.resolve(sink) } }, disk);
  const client = new BlockClient(source, await session.info());
  await turns(3);
  const before = sent();
  await Promise.all(Array.from({ length: 64 }, (_, at) => client.read(at, 1, new Uint8Array(SIZE))));
  const after = sent();
  expect([after.source - before.source, after.sink - before.sink]).toEqual([1, 1]);
});

test('what no server should send as a notice changes nothing', async () => {
  const { source, sink } = blockStream(true);
  const info = { blockSize: SIZE, blockCount: 10, alignLog2: 12, writeable: true };
  const client = new BlockClient(source, info);
  let told = 0;
  client.onInfoChanged(() => told++);
  const packet = new Packet();
  for (const [operation, position] of [
    [7, 5],
    [BLOCK_NOTICE.info, Number.MAX_SAFE_INTEGER],
  ] as const) {
    packet.clear();
    packet.operation = operation;
    packet.position = position;
    packet.status = 1;
    expect(sink.notify(packet)).toBe(true);
  }
  sink.wakeup();
  await turns(3);
  expect(client.info).toEqual(info);
  expect(told).toBe(0);
});

test('listeners may come and go while they are called', () => {
  const listeners = new Listeners();
  const calls: string[] = [];
  const second = { end: () => {} };
  listeners.add(() => {
    calls.push('first');
    second.end();
    listeners.add(() => calls.push('late'));
  });
  second.end = listeners.add(() => calls.push('second'));
  listeners.call();
  expect(calls).toEqual(['first']);
});
