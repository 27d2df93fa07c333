/** Snapshots whose store fails, and requests that go on while others wait. */
import { blockError } from '@ginit/core/block';
import { expect, test } from 'vitest';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { SnapshotStore } from '../src/snapshot/snapshot-store.ts';
import { GROUPS_AT, readSuperblock, writeSuperblock } from '../src/snapshot/store-format.ts';
import { overDisk } from './over-disk.ts';
import { codeOf } from './system-client.ts';
import {
  BLOCKS,
  CHUNK,
  filled,
  make,
  names,
  ofDevice,
  ofSnapshot,
  open,
  SIZE,
  storeBytes,
  times,
} from './snapshot-device.ts';

test('a store that fails makes the write fail, and the snapshot stays whole', async () => {
  const { origin, device } = await make(10);
  let broken = false;
  const failing = overDisk(device, {
    write: (block, count, from) => {
      if (broken) throw blockError('InputOutput', 'broken');
      device.write(block, count, from);
    },
  });
  const opened = await open(origin, failing);
  await opened.snapshots.create('one', 0);
  broken = true;
  await expect(opened.snapshots.write(0, 1, filled(1))).rejects.toThrow('broken');
  broken = false;
  expect((await ofDevice(opened))[0]).toBe(0);
  await opened.snapshots.write(0, 1, filled(2));
  expect((await ofSnapshot(opened, 'one'))[0]).toBe(0);
  expect(await ofSnapshot(await open(origin, device), 'one')).toEqual(times(BLOCKS, 0));
});

test('an entry that a failed write has left on the store does not outlive its snapshot', async () => {
  const { origin, device } = await make(10);
  let failing = false;
  const store = overDisk(device, {
    write: (block, count, from) => {
      if (failing && block === GROUPS_AT / SIZE) throw blockError('InputOutput', 'broken');
      device.write(block, count, from);
    },
  });
  const opened = await open(origin, store);
  await opened.snapshots.create('one', 0);
  failing = true;
  await expect(opened.snapshots.write(0, 1, filled(1))).rejects.toThrow('broken');
  failing = false;
  // The next write of the map has the entry of the failed one, too.
  await opened.snapshots.write(8, 1, filled(1));
  await opened.snapshots.delete('one');
  const again = await open(origin, device);
  expect(again.store.chunks).toEqual({ total: 10, used: 0 });
  expect(again.store.freeChunks).toBe(10);
});

test('after a create that failed, no write destroys what the device may list as a snapshot', async () => {
  const { origin, device } = await make(10);
  let syncsLeft = Infinity;
  const store = overDisk(device, {
    sync: () => {
      if (syncsLeft-- <= 0) throw blockError('InputOutput', 'broken');
    },
  });
  const opened = await open(origin, store);
  await opened.snapshots.create('one', 0);
  await opened.snapshots.write(0, 8, filled(1, 8));
  syncsLeft = 1;
  await expect(opened.snapshots.create('two', 0)).rejects.toThrow('broken');
  expect(opened.store.doubtful).toBe(true);
  expect(await codeOf(opened.snapshots.write(0, 1, filled(2)))).toBe('InputOutput');
  await opened.snapshots.trim(0, 8);
  // If it crashed now, the snapshot would be there.
  const crashed = await open(origin, device);
  expect(names(crashed)).toEqual(['one', 'two']);
  expect((await ofSnapshot(crashed, 'two')).slice(0, 9)).toEqual([...times(8, 1), 0]);

  syncsLeft = Infinity;
  await opened.snapshots.write(0, 1, filled(2));
  const again = await open(origin, device);
  expect(names(again)).toEqual(['one']);
  expect(await ofSnapshot(again, 'one')).toEqual(times(BLOCKS, 0));
});

test('one WRITE_ZEROES over many chunks copies a few at a time, and all of them', async () => {
  const chunks = 200;
  const origin = new RamDisk(new Uint8Array(chunks * CHUNK).fill(1), SIZE);
  const device = new RamDisk(new Uint8Array(storeBytes(128) + storeBytes(128)), SIZE);
  await SnapshotStore.format(device, CHUNK, SIZE);
  let underWay = 0;
  let underWayMax = 0;
  const counting = overDisk(origin, {
    read: async (block, count, into) => {
      underWayMax = Math.max(underWayMax, ++underWay);
      await Promise.resolve();
      origin.read(block, count, into);
      underWay--;
    },
  });
  const { snapshots, store } = await open(counting, device);
  await snapshots.create('one', 0);
  const all = origin.info.blockCount;
  // The second one is done with its chunk before the first comes to it.
  await Promise.all([snapshots.writeZeroes(0, all), snapshots.write(800, 8, filled(2, 8))]);
  expect(store.chunks.used).toBe(chunks);
  expect(underWayMax).toBeGreaterThan(1);
  expect(underWayMax).toBeLessThanOrEqual(16);
  const content = new Uint8Array(all * SIZE);
  await snapshots.view('one')?.read(0, all, content);
  expect(content.every((byte) => byte === 1)).toBe(true);
});

test('during a rollback reads and SYNCs wait for its end, as writes do', async () => {
  const { origin, device } = await make(10);
  const held: (() => void)[] = [];
  let holds = false;
  const slow = overDisk(origin, {
    write: async (block, count, from) => {
      if (holds) await new Promise<void>((resolve) => held.push(resolve));
      origin.write(block, count, from);
    },
  });
  const opened = await open(slow, device);
  const { snapshots } = opened;
  await snapshots.write(0, 8, filled(1, 8));
  await snapshots.create('one', 0);
  await snapshots.write(0, 8, filled(2, 8));
  holds = true;
  const back = snapshots.rollBack('one', 1);
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const bytes = new Uint8Array(SIZE);
  const asked = [
    codeOf(Promise.resolve(snapshots.read(0, 1, bytes))),
    codeOf(Promise.resolve(snapshots.sync())),
  ];
  holds = false;
  for (const go of held) go();
  expect(await Promise.all(asked)).toEqual(['succeeded', 'succeeded']);
  expect(bytes[0]).toBe(1);
  await back;
});

test('a large read of a snapshot reads several chunks at a time', async () => {
  const { origin, device } = await make(10);
  let underWay = 0;
  let underWayMax = 0;
  const counting = overDisk(origin, {
    read: async (block, count, into) => {
      underWayMax = Math.max(underWayMax, ++underWay);
      await Promise.resolve();
      origin.read(block, count, into);
      underWay--;
    },
  });
  const opened = await open(counting, device);
  for (let block = 0; block < BLOCKS; block++) await opened.snapshots.write(block, 1, filled(block + 1));
  await opened.snapshots.create('one', 0);
  await opened.snapshots.write(20, 9, filled(99, 9));
  underWayMax = 0;
  expect(await ofSnapshot(opened, 'one')).toEqual(Array.from({ length: BLOCKS }, (_, block) => block + 1));
  expect(underWayMax).toBeGreaterThan(1);
});

test.each([0, 1, 768, 131_072])('a store for blocks of %i bytes is refused', (originBlockSize) => {
  const superblock = { generation: 1, chunkBytes: 262_144, originBlockSize, lastId: 0 } as const;
  const rest = { rollbackTo: 0, rollbackToken: 0, groups: 1, snapshots: [] };
  expect(() => readSuperblock(writeSuperblock({ ...superblock, ...rest }))).toThrow(
    `for blocks of ${originBlockSize}`,
  );
});
