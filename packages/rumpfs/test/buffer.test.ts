import { setImmediate } from 'node:timers/promises';
import { deferred } from '@ginit/core/async';
import { describe, expect, test } from 'vitest';
import type { DirtyKind } from '../src/buffer/block-buffer.ts';
import { BufferCache } from '../src/buffer/buffer-cache.ts';
import type { MetadataLog } from '../src/buffer/metadata-log.ts';
import { readAround } from '../src/buffer/read-around.ts';
import { readRange, writeRange } from '../src/buffer/range-io.ts';
import { WriteBack } from '../src/buffer/write-back.ts';
import { MemoryHypercalls, type MemoryOptions, randomFrom } from './memory-hypercalls.ts';

const BLOCK_SIZE = 1024;
const BLOCKS = 4096;

function setUp(options: MemoryOptions = {}, memoryBytes = 80 * BLOCK_SIZE): [BufferCache, MemoryHypercalls] {
  const bytes = new Uint8Array(BLOCKS * BLOCK_SIZE);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < BLOCKS; block += 1) view.setUint32(block * BLOCK_SIZE, block);
  const hypercalls = new MemoryHypercalls(bytes, options);
  return [new BufferCache(hypercalls, BLOCK_SIZE, memoryBytes), hypercalls];
}

function dirty(cache: BufferCache, block: number, value: number): void {
  const buffer = cache.tryFresh(block);
  if (buffer === undefined) throw new Error('test: no buffer');
  buffer.bytes.fill(value);
  cache.markDirty(buffer, block, 'data');
}

describe('the buffer cache', () => {
  test('concurrent readers of one block share one request', async () => {
    const [cache, { requests }] = setUp({ shuffleSeed: 1 });
    const buffers = await Promise.all([cache.read(7), cache.read(7), cache.read(7)]);
    expect(new Set(buffers).size).toBe(1);
    expect(requests.read).toBe(1);
    expect((await cache.read(7)).view.getUint32(0)).toBe(7);
    expect(cache.peek(7)?.block).toBe(7);
    expect(requests.read).toBe(1);
  });

  test('the block that was used longest ago is replaced first', async () => {
    const [cache, { requests }] = setUp();
    for (let block = 0; block < cache.buffersMax; block += 1) await cache.read(block);
    cache.peek(0);
    await cache.read(1000);
    expect(cache.peek(0)?.view.getUint32(0)).toBe(0);
    expect(cache.peek(1)).toBeUndefined();
    expect(requests.read).toBe(cache.buffersMax + 1);
  });

  test('a buffer is good until the caller that awaited it has run, however many come after', async () => {
    const [cache] = setUp({ shuffleSeed: 2 });
    const random = randomFrom(3);
    const readers = Array.from({ length: 3000 }, async () => {
      const block = Math.floor(random() * 600);
      const buffer = cache.peek(block) ?? (await cache.read(block));
      expect(buffer.block).toBe(block);
      expect(buffer.view.getUint32(0)).toBe(block);
    });
    const writers = Array.from({ length: 500 }, async () => {
      const block = 1000 + Math.floor(random() * 300);
      const buffer = cache.tryFresh(block) ?? (await cache.fresh(block));
      buffer.view.setUint32(0, block);
      cache.markDirty(buffer, block, 'data');
    });
    await Promise.all([...readers, ...writers]);
    await cache.flush();
  });

  test('adjacent dirty blocks go out in one request', async () => {
    const [cache, { requests, bytes }] = setUp({}, 512 * BLOCK_SIZE);
    const order = [5, 3, 9, 4, 20, 8, 2];
    for (const block of order) dirty(cache, block, block);
    expect(cache.dirtyCount).toBe(order.length);
    await cache.flush();
    expect(requests.write).toBe(3);
    expect(cache.dirtyCount).toBe(0);
    for (const block of order) expect(bytes[block * BLOCK_SIZE]).toBe(block);
    await cache.flush();
    expect(requests.write).toBe(3);
  });

  test('a block may change while it is being written', async () => {
    const [cache, { bytes }] = setUp({ shuffleSeed: 4 });
    dirty(cache, 5, 1);
    const flushing = cache.flush();
    await Promise.resolve();
    await Promise.resolve();
    dirty(cache, 5, 2);
    await flushing;
    expect([1, 2]).toContain(bytes[5 * BLOCK_SIZE]);
    expect(new Set(bytes.subarray(5 * BLOCK_SIZE, 6 * BLOCK_SIZE)).size).toBe(1);
    await cache.flush();
    expect(bytes[5 * BLOCK_SIZE]).toBe(2);
  });

  test('a failed write stays dirty and is reported until it succeeds', async () => {
    let broken = true;
    const [cache, { bytes }] = setUp({
      fault: (operation) => (broken && operation === 'write' ? 'gone' : undefined),
    });
    dirty(cache, 5, 1);
    const failure = { code: 'InputOutput', message: '1 blocks cannot be written; first block 5: gone' };
    await expect(cache.flush()).rejects.toMatchObject(failure);
    await expect(cache.flush()).rejects.toMatchObject(failure);
    broken = false;
    await cache.flush();
    expect(bytes[5 * BLOCK_SIZE]).toBe(1);
  });

  test('a failed read fails all who share it, and the next one tries again', async () => {
    let broken = true;
    const [cache] = setUp({ fault: () => (broken ? 'bad sector' : undefined) });
    const both = await Promise.allSettled([cache.read(5), cache.read(5)]);
    for (const outcome of both) {
      expect(outcome).toMatchObject({
        reason: { code: 'InputOutput', message: 'block 5 cannot be read: bad sector' },
      });
    }
    broken = false;
    expect((await cache.read(5)).view.getUint32(0)).toBe(5);
  });

  /** A cache over a device that logs its requests by the first byte of each block. */
  function setUpLogged(memoryBytes = 512 * BLOCK_SIZE): {
    cache: BufferCache;
    log: string[];
    failing: Set<string>;
  } {
    const hypercalls = new MemoryHypercalls(new Uint8Array(BLOCKS * BLOCK_SIZE));
    const log: string[] = [];
    const failing = new Set<string>();
    const { bio } = hypercalls;
    const logged = {
      ...bio,
      write: async (sector: number, from: Uint8Array) => {
        const what = `${String.fromCharCode(from[0] ?? 0)}${sector / 2}`;
        log.push(what);
        if (failing.has(what)) throw new Error('gone');
        await bio.write(sector, from);
      },
      sync: async () => {
        log.push('sync');
        if (failing.has('sync')) throw new Error('no sync');
        await bio.sync();
      },
    };
    return {
      cache: new BufferCache(Object.assign(hypercalls, { bio: logged }), BLOCK_SIZE, memoryBytes),
      log,
      failing,
    };
  }

  function soil(cache: BufferCache, block: number, kind: DirtyKind): void {
    const buffer = cache.tryFresh(block);
    if (buffer === undefined) throw new Error('test: no buffer');
    buffer.bytes.fill(kind.charCodeAt(0));
    cache.markDirty(buffer, block, kind);
  }

  test('data goes out before structures, and these are durable before names', async () => {
    const { cache, log } = setUpLogged();
    soil(cache, 5, 'name');
    soil(cache, 7, 'structure');
    soil(cache, 9, 'data');
    soil(cache, 3, 'name');
    await cache.flush();
    expect(log).toEqual(['d9', 's7', 'sync', 'n3', 'n5']);
    log.length = 0;
    await cache.flush();
    expect(log).toEqual([]);
  });

  test('data of blocks that were taken into use is durable before structures', async () => {
    const { cache, log } = setUpLogged();
    soil(cache, 9, 'data');
    cache.dataFirst();
    await cache.flush();
    expect(log, 'nothing leads to it yet').toEqual(['d9']);
    soil(cache, 7, 'structure');
    await cache.flush();
    expect(log).toEqual(['d9', 'sync', 's7']);
    soil(cache, 7, 'structure');
    await cache.flush();
    expect(log).toEqual(['d9', 'sync', 's7', 's7']);
  });

  /** A log that writes down its commits, among the requests of the device. */
  function logOf(log: string[], committed = true): MetadataLog {
    return {
      quiesce: () => Promise.resolve(),
      begin: () => undefined,
      commit: () => {
        log.push('commit');
        return Promise.resolve(committed);
      },
      abandon: () => log.push('abandon'),
      placed: () => undefined,
    };
  }

  test('a block that is given up while it is written gets no checksum of its former kind', async () => {
    const { cache } = setUpLogged();
    let seals = 0;
    soil(cache, 7, 'structure');
    const buffer = cache.peek(7);
    if (buffer === undefined) throw new Error('test: no buffer');
    cache.markDirty(buffer, 7, 'structure', () => (seals += 1));
    const flushed = cache.flush();
    while (!buffer.writing) await Promise.resolve();
    cache.forget(7);
    soil(cache, 7, 'structure');
    expect(cache.peek(7)).toBe(buffer);
    await flushed;
    await cache.flush();
    expect(seals).toBe(1);
  });

  test('a structure that a file has overwritten is checked again', () => {
    const { cache } = setUpLogged();
    soil(cache, 7, 'structure');
    const buffer = cache.peek(7);
    if (buffer === undefined) throw new Error('test: no buffer');
    buffer.verifiedAs = 1;
    cache.markDirty(buffer, 7, 'data');
    expect(buffer.verifiedAs).toBe(0);
  });

  test('what a transaction of the log has made durable needs no sync of the device', async () => {
    const { cache, log } = setUpLogged();
    cache.log = logOf(log);
    soil(cache, 7, 'structure');
    soil(cache, 9, 'data');
    await cache.flushDurably();
    expect(log).toEqual(['d9', 'commit', 's7']);
    cache.log = logOf(log, false);
    soil(cache, 9, 'data');
    await cache.flushDurably();
    expect(log.slice(3), 'an empty transaction').toEqual(['d9', 'commit', 'sync']);
  });

  test('a commit waits for data that is being written to make room, and fails with it', async () => {
    for (const fails of [false, true]) {
      const { cache, log } = setUpLogged();
      const held = deferred<void>();
      const { write } = cache.bio;
      const bio = {
        ...cache.bio,
        write: async (sector: number, from: Uint8Array) => {
          if (sector === 18) await held.promise;
          if (sector === 18 && fails) throw new Error('gone');
          await write(sector, from);
        },
      };
      const hypercalls = Object.assign(new MemoryHypercalls(new Uint8Array(BLOCK_SIZE)), { bio });
      const slow = new BufferCache(hypercalls, BLOCK_SIZE, 512 * BLOCK_SIZE);
      slow.log = logOf(log);
      const writeBack = new WriteBack(slow, hypercalls);
      soil(slow, 9, 'data');
      const relief = writeBack.relieve();
      soil(slow, 7, 'structure');
      const flushed = writeBack.flush().then(
        () => 'written',
        () => 'failed',
      );
      await setImmediate();
      expect(log).toEqual([]);
      held.resolve();
      expect(await relief).toBe(!fails);
      expect(await flushed).toBe(fails ? 'failed' : 'written');
      expect(log).toEqual(fails ? ['abandon'] : ['d9', 'commit', 's7']);
      expect(slow.dirtyCount).toBe(fails ? 2 : 0);
    }
  });

  test('a name that must wait for another is written behind it, however long the chain is', async () => {
    const { cache, log } = setUpLogged();
    for (const block of [5, 3, 4]) soil(cache, block, 'name');
    expect(cache.orderNames(5, 4)).toBe(true);
    expect(cache.orderNames(4, 3)).toBe(true);
    expect(cache.orderNames(5, 5)).toBe(true);
    // This order would make a circle.
    expect(cache.orderNames(3, 5)).toBe(false);
    await cache.flush();
    expect(log).toEqual(['sync', 'n5', 'sync', 'n4', 'sync', 'n3']);
    log.length = 0;
    for (const block of [5, 3, 4]) soil(cache, block, 'name');
    await cache.flush();
    expect(log, 'nor later').toEqual(['sync', 'n3']);
  });

  test('the chain of waiting names has a limit', () => {
    const { cache } = setUpLogged();
    for (let block = 1; block < 9; block += 1) soil(cache, block, 'name');
    const ordered = [1, 2, 3, 4, 5].map((block) => cache.orderNames(block, block + 1));
    expect(ordered).toEqual([true, true, true, false, true]);
  });

  test('names are not written when the blocks that they wait for fail, and are written once those are', async () => {
    const { cache, log, failing } = setUpLogged();
    soil(cache, 5, 'name');
    soil(cache, 9, 'name');
    cache.orderNames(9, 5);
    failing.add('n9');
    await expect(cache.flush()).rejects.toMatchObject({ code: 'InputOutput' });
    expect(log).toEqual(['sync', 'n9']);
    failing.clear();
    log.length = 0;
    await cache.flush();
    expect(log).toEqual(['sync', 'n9', 'sync', 'n5']);
    soil(cache, 7, 'structure');
    soil(cache, 5, 'name');
    failing.add('sync');
    log.length = 0;
    await expect(cache.flush()).rejects.toMatchObject({
      message: '1 blocks cannot be written; first what is behind a sync that the device cannot do',
    });
    expect(log).toEqual(['s7', 'sync']);
    failing.clear();
    await cache.flush();
    expect(log).toEqual(['s7', 'sync', 'sync', 'n5']);
  });

  test('structures are not written when the data before them cannot be made durable', async () => {
    const { cache, log, failing } = setUpLogged();
    soil(cache, 9, 'data');
    soil(cache, 7, 'structure');
    cache.dataFirst();
    failing.add('sync');
    await expect(cache.flush()).rejects.toMatchObject({ code: 'InputOutput' });
    expect(log).toEqual(['d9', 'sync']);
    failing.clear();
    await cache.flush();
    expect(log).toEqual(['d9', 'sync', 'sync', 's7']);
  });

  test('structures and names are written as they were when the pass began', async () => {
    const { cache, log } = setUpLogged();
    soil(cache, 9, 'data');
    soil(cache, 5, 'name');
    const flushing = cache.flush();
    await Promise.resolve();
    await Promise.resolve();
    const buffer = cache.peek(5);
    buffer?.bytes.fill(0x78);
    if (buffer !== undefined) cache.markDirty(buffer, 5, 'name');
    await flushing;
    expect(log).toEqual(['d9', 'sync', 'n5']);
    await cache.flush();
    expect(log).toEqual(['d9', 'sync', 'n5', 'sync', 'x5']);
  });

  test('the first contents of a block are on the device before it is dirty', async () => {
    const { cache, log } = setUpLogged();
    soil(cache, 9, 'structure');
    await cache.direct.writeFirst(5, new Uint8Array(BLOCK_SIZE).fill(0x66));
    expect(log).toEqual(['f5']);
    expect(cache.peek(5)?.bytes[9]).toBe(0x66);
    expect(cache.dirtyCount).toBe(1);
    await cache.flush();
    expect(log, 'and durable before structures').toEqual(['f5', 'sync', 's9']);
  });

  test('a caller that adds structures waits while many wait to be written', async () => {
    const { cache } = setUpLogged(64 * BLOCK_SIZE);
    let added = 0;
    while (cache.throttle() === undefined && added < 100) soil(cache, 10 * (added += 1), 'structure');
    expect(added).toBeLessThan(16);
    await cache.throttle();
    expect(cache.throttle()).toBeUndefined();
    expect(cache.dirtyCount).toBe(0);
  });

  test('a block that was given up is not written', async () => {
    const [cache, { bytes, requests }] = setUp();
    dirty(cache, 5, 1);
    cache.forget(5);
    await cache.flush();
    expect(requests.write).toBe(0);
    expect(cache.peek(5)).toBeUndefined();
    expect(bytes[5 * BLOCK_SIZE]).toBe(0);
  });

  test('blocks read ahead come in one request, and their readers wait for it', async () => {
    const [cache, { requests }] = setUp({ shuffleSeed: 5 }, 512 * BLOCK_SIZE);
    cache.prefetch(10, 12);
    expect(cache.involves(21)).toBe(true);
    const buffers = await Promise.all(Array.from({ length: 12 }, (_unused, index) => cache.read(10 + index)));
    expect(buffers.map((buffer) => buffer.view.getUint32(0))).toEqual(buffers.map((buffer) => buffer.block));
    expect(requests.read).toBe(1);
  });

  test('a block that cannot be read ahead does not keep its neighbours away', async () => {
    const bad = 13;
    const sectors = BLOCK_SIZE / 512;
    const fault: MemoryOptions['fault'] = (operation, sector, count) =>
      operation === 'read' && sector <= bad * sectors && bad * sectors < sector + count
        ? 'bad sector'
        : undefined;
    const [cache, { requests }] = setUp({ fault }, 4 << 20);
    readAround(cache, 12, 10, 20);
    const neighbours = [12, bad, 14].map((block) => cache.read(block));
    const results = await Promise.allSettled(neighbours);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await cache.read(19);
    // Once all of it, then each of the ten.
    expect(requests.read).toBe(11);
  });

  test('a block is read with its neighbours, within their bounds, in one request', async () => {
    const [cache, { requests }] = setUp({ shuffleSeed: 1 }, 4 << 20);
    readAround(cache, 40, 30, 50);
    expect((await cache.read(40)).view.getUint32(0)).toBe(40);
    expect([29, 30, 49, 50].map((block) => cache.peek(block)?.block)).toEqual([undefined, 30, 49, undefined]);
    readAround(cache, 45, 30, 50);
    await cache.read(45);
    expect(requests.read).toBe(1);
  });

  test('a budget that is too small is refused', () => {
    expect(() => setUp({}, 8 * BLOCK_SIZE)).toThrow('buffers of 1024 bytes need at least 40960 bytes');
  });
});

describe('ranges of blocks', () => {
  test('a long read goes straight to the device, except for the blocks that are in memory', async () => {
    const [cache, { requests }] = setUp();
    dirty(cache, 150, 0xaa);
    const into = new Uint8Array(100 * BLOCK_SIZE);
    await readRange(cache, 100, 0, into);
    expect(requests.read).toBe(2);
    expect(new DataView(into.buffer).getUint32(49 * BLOCK_SIZE)).toBe(149);
    expect(into[50 * BLOCK_SIZE]).toBe(0xaa);
    expect(cache.involves(101)).toBe(false);
  });

  test('a short read goes through the cache; the second one needs no promise', async () => {
    const [cache, { requests }] = setUp({}, 512 * BLOCK_SIZE);
    const into = new Uint8Array(5000);
    await readRange(cache, 100, 500, into);
    expect(requests.read).toBe(1);
    expect(new DataView(into.buffer).getUint32(524)).toBe(101);
    expect(readRange(cache, 100, 500, into)).toBeUndefined();
  });

  test('a long write replaces the blocks in the cache, and waits for their writes under way', async () => {
    const [cache, { bytes }] = setUp({ shuffleSeed: 6 });
    for (let block = 100; block < 120; block += 1) dirty(cache, block, 1);
    const flushing = cache.flush();
    await writeRange(cache, 90, new Uint8Array(40 * BLOCK_SIZE).fill(2));
    await flushing;
    await cache.flush();
    expect(new Set(bytes.subarray(90 * BLOCK_SIZE, 130 * BLOCK_SIZE))).toEqual(new Set([2]));
    expect((await cache.read(110)).bytes[7]).toBe(2);
  });

  test('random reads and writes in any order of completion agree with plain memory', async () => {
    const [cache, { bytes }] = setUp({ shuffleSeed: 8 });
    const random = randomFrom(9);
    const model = bytes.slice();
    for (let round = 0; round < 400; round += 1) {
      const first = Math.floor(random() * 300);
      const count = 1 + Math.floor(random() * (random() < 0.3 ? 80 : 5));
      if (random() < 0.5) {
        const from = new Uint8Array(count * BLOCK_SIZE).fill(round);
        model.set(from, first * BLOCK_SIZE);
        await writeRange(cache, first, from);
      } else {
        const skip = Math.floor(random() * BLOCK_SIZE);
        const into = new Uint8Array(count * BLOCK_SIZE - skip);
        await readRange(cache, first, skip, into);
        const expected = model.subarray(first * BLOCK_SIZE + skip, (first + count) * BLOCK_SIZE);
        expect(Buffer.compare(into, expected)).toBe(0);
      }
    }
    await cache.flush();
    expect(Buffer.compare(bytes, model)).toBe(0);
  });
});
