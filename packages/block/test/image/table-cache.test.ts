/** Which tables of an image stay in memory, and what that costs. */
import { expect, test, vi } from 'vitest';
import { checkImage } from '../../src/image/open-image.ts';
import { createQcow2 } from '../../src/image/qcow2/create.ts';
import { repairQcow2 } from '../../src/image/qcow2/repair.ts';
import { TableCache } from '../../src/image/table-cache.ts';
import { MemoryDevice } from './memory-device.ts';

const TABLE_BYTES = 8;

/** A cache of tables that hold their number, and the numbers of those that were read. */
function numbered(tablesMax: number): { readonly cache: TableCache; readonly read: number[] } {
  const read: number[] = [];
  const cache = new TableCache(TABLE_BYTES, tablesMax, async (key, into) => {
    read.push(key);
    into.fill(key);
  });
  return { cache, read };
}

test('the tables used last stay, and those that have changed or are about to, whenever they were used', async () => {
  const { cache, read } = numbered(4);
  cache.touch(await cache.load(1));
  const held = await cache.pin(2);
  for (const key of [3, 4, 3, 5]) await cache.load(key);
  expect([1, 2, 3, 4, 5].filter((key) => cache.peek(key) !== undefined)).toEqual([1, 2, 3, 5]);
  expect(cache.dirtyOnes().map(({ key }) => key)).toEqual([1]);
  held.pins--;
  for (const table of cache.dirtyOnes()) cache.clean(table);
  expect(cache.dirtyTables).toBe(0);
  for (const key of [6, 7, 8]) await cache.load(key);
  expect([1, 2, 3, 5].filter((key) => cache.peek(key) !== undefined)).toEqual([1]);
  expect(read).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('what has changed and must stay costs nothing when another table comes, however much it is', async () => {
  const { cache } = numbered(16);
  // With a look at each of them this is a matter of minutes.
  const count = 100_000;
  for (let key = 0; key < count; key++) cache.add(key);
  expect(cache.dirtyTables).toBe(count);
  await cache.load(count);
  expect(cache.peek(count)?.view.getUint8(0)).toBe(count & 0xff);
  expect(cache.peek(0)).toBeDefined();
});

test('a commit looks a few times for refcount blocks that have changed, not once for each', async () => {
  const device = new MemoryDevice();
  const clusterBytes = 512;
  await createQcow2(device, { sizeBytes: 1024 * 1024, clusterBytes });
  // All of this counts as used once it has been written to, so there are 256 blocks.
  device.sizeNow(256 * 256 * clusterBytes);
  const looks = vi.spyOn(TableCache.prototype, 'dirtyOnes');
  try {
    await repairQcow2(device);
    expect(looks.mock.calls.length).toBeLessThan(20);
  } finally {
    looks.mockRestore();
  }
  expect(await checkImage(device, 'qcow2')).toMatchObject({ problems: [], leaks: 0 });
});
