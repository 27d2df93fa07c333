/**
 * Tests the edges of the buffer cache: block 0, blocks given up while they are written, requests
 * that fail, full buffers.
 */
import { describe, expect, test } from 'vitest';
import type { DirtyKind } from '../src/buffer/block-buffer.ts';
import { BufferCache } from '../src/buffer/buffer-cache.ts';
import { readRange } from '../src/buffer/range-io.ts';
import { MemoryHypercalls, type MemoryOptions } from './memory-hypercalls.ts';

const BLOCK_BYTES = 1024;
const BLOCKS = 1024;
const BUFFERS_LEAST = 40;

function setUp(
  options: MemoryOptions = {},
  memoryBytes = BUFFERS_LEAST * BLOCK_BYTES,
): [BufferCache, MemoryHypercalls] {
  const bytes = new Uint8Array(BLOCKS * BLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < BLOCKS; block += 1) view.setUint32(block * BLOCK_BYTES, block + 1);
  const hypercalls = new MemoryHypercalls(bytes, options);
  return [new BufferCache(hypercalls, BLOCK_BYTES, memoryBytes), hypercalls];
}

function soil(cache: BufferCache, block: number, kind: DirtyKind): void {
  const buffer = cache.tryFresh(block);
  if (buffer === undefined) throw new Error('test: no buffer');
  buffer.view.setUint32(0, 0xffff);
  cache.markDirty(buffer, block, kind);
}

describe('the buffer cache at its edges', () => {
  test('the least budget that the error message names is enough', () => {
    expect(setUp()[0].buffersMax).toBe(32);
    expect(() => setUp({}, BUFFERS_LEAST * BLOCK_BYTES - 1)).toThrow(/need at least 40960 bytes/);
  });

  test('block 0 is replaced like other blocks, and is read again', async () => {
    const [cache, { bytes }] = setUp();
    await cache.read(0);
    for (let block = 1; block <= cache.buffersMax; block += 1) await cache.read(block);
    expect(cache.peek(0)).toBeUndefined();
    expect(cache.involves(0)).toBe(false);
    new DataView(bytes.buffer).setUint32(0, 77);
    expect((await cache.read(0)).view.getUint32(0)).toBe(77);
  });

  test('a block that is given up while it is written leaves its buffer to others', async () => {
    const [cache, { requests }] = setUp({ shuffleSeed: 3 });
    for (let round = 0; round < 3; round += 1) {
      const { write } = requests;
      for (let block = 0; block < cache.buffersMax; block += 1) soil(cache, block, 'data');
      const flushing = cache.flush();
      while (requests.write === write) await Promise.resolve();
      for (let block = 0; block < cache.buffersMax; block += 1) cache.forget(block);
      await flushing;
      expect(cache.peek(0)).toBeUndefined();
      expect(cache.dirtyCount).toBe(0);
    }
    for (let block = 0; block < cache.buffersMax; block += 1) {
      expect((await cache.read(100 + block)).view.getUint32(0)).toBe(101 + block);
    }
  });

  test('reads that fail give their buffers back', async () => {
    let broken = true;
    const [cache] = setUp({ fault: () => (broken ? 'bad sector' : undefined) });
    for (let block = 0; block < 3 * cache.buffersMax; block += 1) {
      await expect(cache.read(block)).rejects.toMatchObject({ code: 'InputOutput' });
    }
    broken = false;
    for (let block = 0; block < 3 * cache.buffersMax; block += 1) {
      expect((await cache.read(block)).block).toBe(block);
    }
  });

  test('a caller that overwrites a block waits for a read of it that is under way', async () => {
    const [cache] = setUp({ shuffleSeed: 4 });
    const reading = cache.read(7);
    expect(cache.tryFresh(7)).toBeUndefined();
    const fresh = await cache.fresh(7);
    expect(fresh).toBe(await reading);
    expect(fresh.block).toBe(7);
  });

  test('write-back begins by itself when half of the buffers are dirty, and holds back at three quarters', async () => {
    const [cache, { requests }] = setUp({ shuffleSeed: 5 });
    const half = cache.buffersMax / 2;
    for (let block = 0; block < half; block += 1) soil(cache, 2 * block, 'data');
    expect(cache.passes).toBe(0);
    soil(cache, 200, 'data');
    await Promise.resolve();
    await Promise.resolve();
    expect(cache.passes).toBe(1);
    while (cache.dirtyCount > 0) await new Promise((resolve) => setImmediate(resolve));
    expect(requests.write).toBe(half + 1);

    const [other] = setUp({ shuffleSeed: 6 });
    let soiled = 0;
    while (other.throttle() === undefined) soil(other, 2 * (soiled += 1), 'data');
    expect(soiled).toBe((other.buffersMax * 3) / 4 + 1);
    await other.throttle();
    expect(other.throttle()).toBeUndefined();
  });

  test('structures wait for the writes past the cache that they may lead to', async () => {
    const [, hypercalls] = setUp();
    const log: string[] = [];
    let end = (): void => {};
    const bio = {
      ...hypercalls.bio,
      write: async (sector: number) => {
        log.push(`write ${sector / 2}`);
        if (sector === 0) await new Promise<void>((resolve) => (end = resolve));
      },
    };
    const cache = new BufferCache(Object.assign(hypercalls, { bio }), BLOCK_BYTES, 80 * BLOCK_BYTES);
    const direct = cache.direct.write(0, new Uint8Array(BLOCK_BYTES));
    soil(cache, 7, 'structure');
    soil(cache, 9, 'data');
    const flushing = cache.flush();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['write 0', 'write 9']);
    end();
    await Promise.all([direct, flushing]);
    expect(log).toEqual(['write 0', 'write 9', 'write 7']);
  });

  test('adjacent names and structures go out in one request each', async () => {
    const [cache, { requests }] = setUp({}, 512 * BLOCK_BYTES);
    for (const block of [3, 20, 21, 22, 40, 41]) soil(cache, block, 'structure');
    for (const block of [100, 60, 61]) soil(cache, block, 'name');
    await cache.flush();
    expect(requests).toEqual({ read: 0, write: 5, sync: 1 });
  });

  test('a long line of structures goes out in requests as large as may be', async () => {
    const [cache, { requests }] = setUp({}, 512 * BLOCK_BYTES);
    expect(cache.staging.areaBytes).toBe(16 * BLOCK_BYTES);
    soil(cache, 1, 'structure');
    for (let block = 10; block < 50; block += 1) soil(cache, block, 'structure');
    await cache.flush();
    expect(requests.write).toBe(4);
  });

  test('a block that cannot be written in the background is reported once', async () => {
    let broken = true;
    const [cache, { lines }] = setUp({
      fault: (operation) => (broken && operation === 'write' ? 'gone' : undefined),
    });
    for (let block = 0; block < cache.buffersMax - 4; block += 1) soil(cache, 2 * block, 'data');
    for (let round = 0; round < 3; round += 1) await cache.throttle();
    expect(lines).toEqual(['28 blocks cannot be written; first block 0: gone']);
    broken = false;
    await cache.throttle();
    broken = true;
    for (let block = 0; block < cache.buffersMax - 4; block += 1) soil(cache, 2 * block, 'data');
    await cache.throttle();
    expect(lines).toHaveLength(2);
  });

  test('a long read may end inside a block', async () => {
    const [cache] = setUp();
    const into = new Uint8Array(40 * BLOCK_BYTES + 100);
    await readRange(cache, 10, 0, into);
    const view = new DataView(into.buffer);
    expect(view.getUint32(39 * BLOCK_BYTES)).toBe(50);
    expect(view.getUint32(40 * BLOCK_BYTES)).toBe(51);
  });
});
