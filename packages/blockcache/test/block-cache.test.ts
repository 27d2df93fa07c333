import { RpcError } from '@ginit/core';
import { blockError } from '@ginit/core/block';
import { describe, expect, test } from 'vitest';
import type { BackendDevice } from '../src/backend-device.ts';
import type { BlockCache, WriteMode } from '../src/block-cache.ts';
import { BLOCK_BYTES, FakeDevice } from './fake-device.ts';
import { makeCache } from './make-cache.ts';

interface Options {
  readonly slots?: number;
  readonly mode?: WriteMode;
  readonly blocks?: number;
  readonly requestBlocksMax?: number;
}

/** A cache over a device in which every block holds its number. */
function setUp(options: Options = {}): { device: FakeDevice; cache: BlockCache } {
  const { slots = 64, mode = 'write-back', blocks = 8000, requestBlocksMax = 64 } = options;
  const device = new FakeDevice(blocks, requestBlocksMax);
  const words = new Uint32Array(device.content.buffer);
  for (let block = 0; block < blocks; block++) words[(block * BLOCK_BYTES) / 4] = block;
  return { device, cache: makeCache(device, { slots, mode }) };
}

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));

/** Settles as the promise does while the device works. Requests before the `from`th wait. */
async function run<Result>(device: FakeDevice, work: Result | Promise<Result>, from = 0): Promise<Result> {
  const state = { open: true };
  const done = Promise.resolve(work).finally(() => (state.open = false));
  done.catch(() => {});
  for (let turns = 0; state.open; turns++) {
    if (turns > 50_000) throw new Error('it never ends');
    if (device.pending > from) device.step(from);
    await turn();
  }
  return done;
}

/** Lets all requests begin, and none end. */
function beginAll(device: FakeDevice): void {
  for (let index = 0; index < device.pending; index++) device.begin(index);
}

async function readBlock(device: FakeDevice, cache: BlockCache, block: number): Promise<number> {
  const bytes = new Uint8Array(BLOCK_BYTES);
  await run(device, cache.read(block, 1, bytes));
  return new DataView(bytes.buffer).getUint32(0, true);
}

const filled = (blocks: number, byte: number): Uint8Array => new Uint8Array(blocks * BLOCK_BYTES).fill(byte);
const word = (byte: number): number => byte * 0x0101_0101;

const codeOf = (promise: void | Promise<unknown>): Promise<string> =>
  Promise.resolve(promise).then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : `not an RpcError: ${String(error)}`),
  );

describe('reads', () => {
  test('come from the device once', async () => {
    const { device, cache } = setUp();
    expect(await readBlock(device, cache, 805)).toBe(805);
    expect(device.log).toEqual(['read 800 8']);
    for (const block of [803, 800, 807, 802]) expect(await readBlock(device, cache, block)).toBe(block);
    expect(device.log.length).toBe(1);
    expect(cache.statistics).toMatchObject({ hits: 4, misses: 1, held: 1 });
  });

  test('end with a device that answers within the call, also those that join and read ahead', async () => {
    const info = { blockSize: BLOCK_BYTES, blockCount: 8000, alignLog2: 9, writeable: true };
    const nothing = async (): Promise<void> => {};
    const prompt: BackendDevice = {
      info,
      requestBlocksMax: 64,
      waiting: 0,
      readWith: (first, count, use) => Promise.resolve(use(new Uint8Array(count * BLOCK_BYTES).fill(first))),
      writeWith: nothing,
      sync: nothing,
      trim: nothing,
      writeZeroes: nothing,
    };
    const cache = makeCache(prompt, { slots: 256 });
    const bytes = new Uint8Array(16 * BLOCK_BYTES);
    for (let block = 0; block < 800; block += 16) {
      await Promise.all([cache.read(block, 16, bytes), cache.read(block + 3, 16, bytes)]);
    }
    expect(cache.statistics.aheadUsed).toBeGreaterThan(0);
    expect(cache.progress()).toBeUndefined();
  });

  test('of the same chunk at the same time share a request', async () => {
    const { device, cache } = setUp();
    const blocks = [803, 800, 806, 802];
    expect(await Promise.all(blocks.map((block) => readBlock(device, cache, block)))).toEqual(blocks);
    expect(device.log).toEqual(['read 800 8']);
  });

  test('from memory end at once', async () => {
    const { device, cache } = setUp();
    await readBlock(device, cache, 5);
    expect(cache.read(0, 8, new Uint8Array(8 * BLOCK_BYTES))).toBe(undefined);
  });

  test('return the last, shorter chunk of a device', async () => {
    const { device, cache } = setUp({ blocks: 8003 });
    expect(await readBlock(device, cache, 8002)).toBe(8002);
    expect(device.log).toEqual(['read 8000 3']);
    cache.write(8002, 1, filled(1, 1));
    await run(device, cache.sync());
    expect(device.log).toEqual(['read 8000 3', 'write 8002 1', 'sync 0 0']);
  });

  test('in sequence bring in the next blocks, in large requests', async () => {
    const { device, cache } = setUp({ slots: 1024 });
    for (let block = 0; block < 4000; block++) expect(await readBlock(device, cache, block)).toBe(block);
    expect(device.log.length).toBeLessThan(100);
    expect(device.log.every((line) => line.startsWith('read'))).toBe(true);
  });

  test('of a long scan do not push out what is used', async () => {
    const { device, cache } = setUp({ slots: 512, blocks: 40_000 });
    const used = Array.from({ length: 200 }, (_, index) => 30_000 + index * 16);
    for (const block of [...used, ...used]) await readBlock(device, cache, block);
    const chunk = new Uint8Array(8 * BLOCK_BYTES);
    for (let block = 0; block < 16_000; block += 8) await run(device, cache.read(block, 8, chunk));
    device.log.length = 0;
    for (const block of used) await readBlock(device, cache, block);
    expect(device.log.length).toBeLessThan(20);
    expect(cache.statistics.aheadUsed).toBeGreaterThan(1000);
  });

  test('that are foreseen in vain make it foresee less', async () => {
    const { device, cache } = setUp({ slots: 1024, blocks: 400_000 });
    const readTwo = async (at: number): Promise<number> => {
      const before = cache.statistics.aheadUsed + device.log.length;
      await readBlock(device, cache, at);
      await readBlock(device, cache, at + 1);
      for (let more = 1; more < 4; more++) await readBlock(device, cache, at + 8 * more - 6);
      await run(device, device.drain());
      return before;
    };
    for (let index = 0; index < 400; index++) await readTwo(index * 800);
    const { aheadUsed, aheadWasted } = cache.statistics;
    expect(aheadWasted).toBeGreaterThan(aheadUsed);
    const blocks = device.log.slice(-10).map((line) => Number(line.split(' ')[2]));
    expect(Math.max(...blocks)).toBeLessThanOrEqual(16);
  });

  test('at random places bring in nothing else', async () => {
    const { device, cache } = setUp();
    for (let index = 0; index < 50; index++) await readBlock(device, cache, ((index * 37) % 50) * 160);
    expect(new Set(device.log).size).toBe(50);
    expect(device.log.every((line) => line.endsWith(' 8'))).toBe(true);
  });

  test('of a good block beside a bad one succeed, and of the bad one fail', async () => {
    const { device, cache } = setUp();
    device.badReads.add(803);
    const good = readBlock(device, cache, 802);
    const bad = codeOf(readBlock(device, cache, 803));
    expect(await good).toBe(802);
    expect(await bad).toBe('InputOutput');
    // The written block is there, although its chunk cannot be read.
    cache.write(801, 1, filled(1, 7));
    expect(await readBlock(device, cache, 801)).toBe(word(7));
    expect(await readBlock(device, cache, 804)).toBe(804);
  });
});

describe('writes', () => {
  test('of a part of a chunk read nothing, and the missing blocks are brought in beside them later', async () => {
    const { device, cache } = setUp();
    expect(cache.write(801, 2, filled(2, 7))).toBe(undefined);
    expect(await readBlock(device, cache, 802)).toBe(word(7));
    expect(device.log).toEqual([]);
    expect(await readBlock(device, cache, 806)).toBe(806);
    expect(await readBlock(device, cache, 801)).toBe(word(7));
    await run(device, cache.sync());
    expect(device.log).toEqual(['read 800 8', 'write 801 2', 'sync 0 0']);
  });

  test('with gaps between them go to the device without the gaps', async () => {
    const { device, cache } = setUp();
    for (const block of [800, 802, 806]) cache.write(block, 1, filled(1, 7));
    await run(device, cache.sync());
    expect(device.log.toSorted()).toEqual(['sync 0 0', 'write 800 1', 'write 802 1', 'write 806 1']);
  });

  test('of neighbours go together, whatever their order', async () => {
    const { device, cache } = setUp();
    for (const chunk of [103, 101, 100, 102]) cache.write(chunk * 8, 8, filled(8, chunk));
    await run(device, cache.sync());
    expect(device.log).toEqual(['write 800 32', 'sync 0 0']);
  });

  test('beyond the bound of dirty chunks wait for the device', async () => {
    const { device, cache } = setUp({ slots: 16 });
    const writes = Array.from({ length: 100 }, (_, index) => cache.write(index * 80, 8, filled(8, index)));
    expect(writes.filter((write) => write === undefined).length).toBe(8);
    await run(device, Promise.all(writes));
    expect(cache.statistics.dirty).toBeLessThanOrEqual(8);
    await run(device, cache.sync());
    for (let index = 0; index < 100; index++) expect(device.durable[index * 80 * BLOCK_BYTES]).toBe(index);
  });

  test('that nobody syncs go to the device after a while, in the order of the device', async () => {
    const { device, cache } = setUp({ slots: 64 });
    for (const chunk of [40, 20, 30, 10, 21]) cache.write(chunk * 8, 8, filled(8, chunk));
    for (let tick = 0; tick < 3; tick++) cache.tick();
    expect(device.pending).toBe(0);
    cache.write(400, 8, filled(8, 50));
    cache.tick();
    await run(device, device.drain());
    expect(device.log).toEqual(['write 80 8', 'write 160 16', 'write 240 8', 'write 320 8']);
    expect(cache.statistics.dirty).toBe(1);
  });

  test('with write-around go by: what was in the cache before stays there', async () => {
    const { device, cache } = setUp({ slots: 16, mode: 'write-around' });
    for (let chunk = 0; chunk < 15; chunk++) await readBlock(device, cache, chunk * 16);
    for (let chunk = 0; chunk < 50; chunk++)
      await run(device, cache.write(4000 + chunk * 16, 8, filled(8, 3)));
    expect(device.content[4000 * BLOCK_BYTES]).toBe(3);
    device.log.length = 0;
    for (let chunk = 0; chunk < 15; chunk++)
      expect(await readBlock(device, cache, chunk * 16)).toBe(chunk * 16);
    expect(device.log).toEqual([]);
    await run(device, cache.write(0, 1, filled(1, 9)));
    expect(await readBlock(device, cache, 0)).toBe(word(9));
  });

  test('do not come about in a read-only cache', async () => {
    const { cache } = setUp({ mode: 'read-only' });
    expect(cache.info.writeable).toBe(false);
    await cache.sync();
  });

  test('with write-through are answered when the device has them', async () => {
    const { device, cache } = setUp({ mode: 'write-through' });
    let answered = false;
    const write = Promise.resolve(cache.write(800, 1, filled(1, 7))).then(() => (answered = true));
    const read = new Uint8Array(BLOCK_BYTES);
    expect(cache.read(800, 1, read)).toBe(undefined);
    expect(read[0]).toBe(7);
    await turn();
    expect(answered).toBe(false);
    await run(device, write);
    expect(device.content[800 * BLOCK_BYTES]).toBe(7);
  });

  test('while their chunk is under way make it dirty again', async () => {
    const { device, cache } = setUp();
    cache.write(800, 1, filled(1, 1));
    const sync = cache.sync();
    await turn();
    beginAll(device);
    cache.write(800, 1, filled(1, 2));
    await run(device, sync);
    expect(device.durable[800 * BLOCK_BYTES]).toBe(1);
    expect(cache.statistics.dirty).toBe(1);
    await run(device, cache.sync());
    expect(device.durable[800 * BLOCK_BYTES]).toBe(2);
  });

  test('survive a read that began earlier, although their chunk was written out and removed meanwhile', async () => {
    const { device, cache } = setUp({ slots: 16 });
    const old = new Uint8Array(BLOCK_BYTES);
    const read = cache.read(801, 1, old);
    beginAll(device);
    cache.write(800, 8, filled(8, 7));
    // All other chunks pass through the cache, while the first read is still under way.
    for (let index = 0; index < 64; index++) {
      await run(device, cache.write(2000 + index * 80, 8, filled(8, 1)), 1);
    }
    await run(device, cache.sync(), 1);
    await run(device, read);
    expect(await readBlock(device, cache, 801)).toBe(word(7));
    for (let block = 4000; block < 4400; block += 8) await readBlock(device, cache, block);
    expect(await readBlock(device, cache, 801)).toBe(word(7));
  });
});

describe('failures', () => {
  test('of a write-back are reported by the SYNC that covers it, and nothing is lost', async () => {
    const { device, cache } = setUp();
    device.badWrites.add(800);
    cache.write(800, 1, filled(1, 7));
    cache.write(1600, 1, filled(1, 8));
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(await run(device, codeOf(cache.sync()))).toBe('InputOutput');
      expect(cache.statistics.dirty).toBe(1);
      expect(await readBlock(device, cache, 800)).toBe(word(7));
    }
    expect(device.content[1600 * BLOCK_BYTES]).toBe(8);
    // The block is tried once by each SYNC, and not more often.
    expect(device.log.filter((line) => line === 'write 800 1').length).toBe(3);
    device.badWrites.clear();
    expect(await run(device, codeOf(cache.sync()))).toBe('succeeded');
    expect(device.durable[800 * BLOCK_BYTES]).toBe(7);
  });

  test('in the background are told once, to the SYNC of the client that has written', async () => {
    const { device, cache } = setUp();
    const [one, two] = [cache.join('one'), cache.join('two')];
    device.badWrites.add(800);
    one.write(800, 1, filled(1, 7));
    two.write(1600, 1, filled(1, 8));
    for (let tick = 0; tick < 5; tick++) cache.tick();
    await run(device, device.drain());
    expect(cache.statistics).toMatchObject({ dirty: 1, failed: 1, writeErrors: 1 });
    expect(cache.lastError?.code).toBe('InputOutput');
    device.badWrites.clear();
    expect(await run(device, codeOf(two.sync()))).toBe('succeeded');
    expect(await run(device, codeOf(one.sync()))).toBe('InputOutput');
    expect(await run(device, codeOf(one.sync()))).toBe('succeeded');
    expect(device.durable[800 * BLOCK_BYTES]).toBe(7);
  });

  test('of what two clients, or one that has left, have written are told to all', async () => {
    const { device, cache } = setUp();
    const [one, two] = [cache.join('one'), cache.join('two')];
    device.badWrites.add(800).add(1600);
    one.write(800, 1, filled(1, 7));
    two.write(801, 1, filled(1, 7));
    expect(await run(device, codeOf(one.sync()))).toBe('InputOutput');
    expect(await run(device, codeOf(two.sync()))).toBe('InputOutput');
    device.badWrites.delete(800);
    one.write(1600, 1, filled(1, 8));
    cache.leave(one);
    expect(await run(device, codeOf(two.sync()))).toBe('InputOutput');
    device.badWrites.clear();
    await run(device, codeOf(two.sync()));
    expect(await run(device, codeOf(two.sync()))).toBe('succeeded');
    expect(device.durable[1600 * BLOCK_BYTES]).toBe(8);
  });

  test('of the device’s own sync are reported by the SYNC', async () => {
    const { device, cache } = setUp();
    device.syncFails = true;
    expect(await run(device, codeOf(cache.sync()))).toBe('InputOutput');
  });

  test('with write-through are reported by the write', async () => {
    const { device, cache } = setUp({ mode: 'write-through' });
    device.badWrites.add(800);
    const bad = codeOf(cache.write(800, 1, filled(1, 7)));
    const good = codeOf(cache.write(1600, 1, filled(1, 7)));
    expect(await run(device, bad)).toBe('InputOutput');
    expect(await run(device, good)).toBe('succeeded');
  });

  test('of all write-backs fail writes that find no room, and everything else goes on', async () => {
    const { device, cache } = setUp({ slots: 16 });
    for (let block = 0; block < 8000; block++) device.badWrites.add(block);
    const codes: string[] = [];
    for (let index = 0; index < 30; index++) {
      codes.push(await run(device, codeOf(cache.write(index * 80, 8, filled(8, index)))));
    }
    expect(codes.slice(0, 8).every((code) => code === 'succeeded')).toBe(true);
    expect(codes.slice(8).every((code) => code === 'InputOutput')).toBe(true);
    // Reads pass through the other half of the cache.
    for (let block = 4000; block < 8000; block += 80)
      expect(await readBlock(device, cache, block)).toBe(block);
    for (let index = 0; index < 8; index++) {
      expect(await readBlock(device, cache, index * 80)).toBe(word(index));
    }
    device.badWrites.clear();
    // The SYNC brings all of it to the device, but has yet to tell that some of it had failed
    // before.
    expect(await run(device, codeOf(cache.sync()))).toBe('InputOutput');
    expect(await run(device, codeOf(cache.sync()))).toBe('succeeded');
    for (let index = 0; index < 8; index++) expect(device.durable[index * 80 * BLOCK_BYTES]).toBe(index);
  });

  test('that no device declares reach the request unchanged', async () => {
    const { device, cache } = setUp();
    device.readWith = () => Promise.reject(blockError('NoSpace'));
    expect(await codeOf(cache.read(0, 8, new Uint8Array(4096)))).toBe('NoSpace');
  });
});

describe('TRIM', () => {
  test('makes the cache forget the blocks that it names, and no others', async () => {
    const { device, cache } = setUp();
    cache.write(799, 10, filled(10, 7));
    await readBlock(device, cache, 900);
    await run(device, cache.trim(800, 8));
    expect(await readBlock(device, cache, 803)).toBe(0xeeee_eeee);
    expect(await readBlock(device, cache, 799)).toBe(word(7));
    expect(await readBlock(device, cache, 808)).toBe(word(7));
    await run(device, cache.sync());
    expect(device.log.filter((line) => line.startsWith('write')).toSorted()).toEqual([
      'write 799 1',
      'write 808 1',
    ]);
  });

  test('of the whole device costs no walk over the whole device', async () => {
    const { device, cache } = setUp({ slots: 16 });
    cache.write(0, 64, filled(64, 7));
    await run(device, cache.trim(0, 8000));
    expect(cache.statistics).toMatchObject({ held: 0, dirty: 0 });
  });

  test('that fails changes nothing', async () => {
    const { device, cache } = setUp();
    cache.write(800, 8, filled(8, 7));
    device.badWrites.add(801);
    expect(await run(device, codeOf(cache.trim(800, 8)))).toBe('InputOutput');
    expect(await readBlock(device, cache, 803)).toBe(word(7));
    expect(cache.statistics.dirty).toBe(1);
  });

  test('keeps blocks that were on their way in out of the cache', async () => {
    const { device, cache } = setUp();
    const bytes = new Uint8Array(BLOCK_BYTES);
    const read = cache.read(801, 1, bytes);
    beginAll(device);
    await run(device, cache.trim(800, 8), 1);
    await run(device, read);
    expect(new DataView(bytes.buffer).getUint32(0, true)).toBe(801);
    expect(await readBlock(device, cache, 801)).toBe(0xeeee_eeee);
  });
});
