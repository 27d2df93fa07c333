/** What a device with snapshots promises while nothing goes wrong, and when its store is full. */
import type { BlockInfo } from '@ginit/core/block';
import { expect, test } from 'vitest';
import type { DeviceBelow } from '../src/lib/device-below.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { SnapshotStore } from '../src/snapshot/snapshot-store.ts';
import { GROUP_CHUNKS, GROUPS_AT, MAP_BYTES } from '../src/snapshot/store-format.ts';
import { codeOf } from './system-client.ts';
import {
  BLOCKS,
  CHUNK,
  contentOf,
  filled,
  make,
  names,
  NO_EVENTS,
  ofDevice,
  ofSnapshot,
  open,
  SIZE,
  storeBytes,
  times,
} from './snapshot-device.ts';

test('a snapshot keeps what the device held, and a rollback brings it back', async () => {
  const opened = await make(100);
  const { snapshots } = opened;
  await snapshots.write(0, BLOCKS, filled(1, BLOCKS));
  await snapshots.create('one', 5);
  await snapshots.write(10, 20, filled(2, 20));
  await snapshots.create('two', 6);
  await snapshots.write(5, 50, filled(3, 50));
  await snapshots.writeZeroes(60, 1);
  const one = times(BLOCKS, 1);
  const two = one.map((byte, block) => (block >= 10 && block < 30 ? 2 : byte));
  const now = two.map((byte, block) => (block === 60 ? 0 : block >= 5 && block < 55 ? 3 : byte));
  expect(await ofSnapshot(opened, 'one')).toEqual(one);
  expect(await ofSnapshot(opened, 'two')).toEqual(two);
  expect(await ofDevice(opened)).toEqual(now);
  await snapshots.rollBack('one', 1);
  expect(await ofDevice(opened)).toEqual(one);
  expect(await ofSnapshot(opened, 'two')).toEqual(two);
  await snapshots.delete('one');
  await snapshots.rollBack('two', 2);
  expect(await ofDevice(opened)).toEqual(two);
  expect(names(opened)).toEqual(['two']);
  await snapshots.delete('two');
  expect(opened.store.chunks.used).toBe(0);
});

test('a chunk is kept once, and without snapshots nothing is', async () => {
  const opened = await make(100);
  const { snapshots, store } = opened;
  await snapshots.write(0, 8, filled(1, 8));
  expect(store.chunks).toEqual({ total: 100, used: 0 });
  await snapshots.create('one', 0);
  await Promise.all(Array.from({ length: 8 }, (_, block) => snapshots.write(block, 1, filled(block + 2))));
  expect(store.chunks.used).toBe(1);
  await snapshots.write(7, 2, filled(9, 2));
  expect(store.chunks.used).toBe(2);
  expect((await ofSnapshot(opened, 'one')).slice(0, 9)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0]);
});

test('a hint by TRIM takes nothing from a snapshot, and no room of the store', async () => {
  const opened = await make(100);
  const { snapshots, store, origin } = opened;
  await snapshots.write(0, 32, filled(1, 32));
  await snapshots.create('one', 0);
  await snapshots.write(8, 8, filled(2, 8));
  await snapshots.trim(0, 32);
  expect(store.chunks.used).toBe(1);
  expect((await ofSnapshot(opened, 'one')).slice(0, 32)).toEqual(times(32, 1));
  const bare = await contentOf((block, count, into) => origin.read(block, count, into));
  expect(bare.slice(0, 24)).toEqual([...times(8, 1), ...times(8, 0), ...times(8, 1)]);
});

test('a full store: writes that would destroy a snapshot fail with NoSpace, all others go on', async () => {
  let told = 0;
  const opened = await make(2, 'fail', { ...NO_EVENTS, full: () => void told++ });
  const { snapshots } = opened;
  await snapshots.create('one', 0);
  await snapshots.write(0, 16, filled(1, 16));
  expect(await codeOf(snapshots.write(16, 1, filled(2)))).toBe('NoSpace');
  expect(await codeOf(snapshots.writeZeroes(40, 1))).toBe('NoSpace');
  expect(told).toBe(2);
  expect(await codeOf(snapshots.write(3, 1, filled(4)))).toBe('succeeded');
  expect(await ofSnapshot(opened, 'one')).toEqual(times(BLOCKS, 0));
  await snapshots.delete('one');
  expect(await codeOf(snapshots.write(16, 1, filled(2)))).toBe('succeeded');
});

test('a full store may give up its oldest snapshot, which then is gone for those who show it', async () => {
  const dropped: string[] = [];
  const opened = await make(4, 'drop-oldest', { ...NO_EVENTS, dropped: (name) => void dropped.push(name) });
  const { snapshots } = opened;
  await snapshots.create('one', 0);
  await snapshots.write(0, 16, filled(1, 16));
  await snapshots.create('two', 0);
  const view = snapshots.view('one');
  await snapshots.write(0, 16, filled(2, 16));
  await snapshots.write(16, 8, filled(3, 8));
  expect(dropped).toEqual(['one']);
  expect(await codeOf(Promise.resolve(view?.read(0, 1, filled(0))))).toBe('Gone');
  expect((await ofSnapshot(opened, 'two')).slice(0, 17)).toEqual([...times(16, 1), 0]);
  expect((await ofDevice(opened)).slice(15, 18)).toEqual([2, 3, 3]);
});

test('a rollback that the store has no room for is refused before it begins', async () => {
  const opened = await make(2);
  const { snapshots } = opened;
  await snapshots.create('one', 0);
  await snapshots.write(0, 16, filled(1, 16));
  await snapshots.create('two', 0);
  expect(await codeOf(snapshots.rollBack('one', 1))).toBe('NoSpace');
  expect((await ofDevice(opened)).slice(0, 16)).toEqual(times(16, 1));
  expect(await codeOf(snapshots.write(3, 1, filled(4)))).toBe('NoSpace');
});

/** A device of which only a part is there: room for some chunks of a store. */
class SizedDevice implements DeviceBelow {
  readonly #disk: RamDisk;
  chunks: number;

  constructor(bytes: Uint8Array, chunks: number) {
    this.#disk = new RamDisk(bytes, SIZE);
    this.chunks = chunks;
  }

  get info(): BlockInfo {
    const maps = Math.ceil(this.chunks / GROUP_CHUNKS);
    return {
      ...this.#disk.info,
      blockCount: (GROUPS_AT + maps * MAP_BYTES + this.chunks * CHUNK) / SIZE,
    };
  }

  read = (block: number, count: number, into: Uint8Array): void => this.#disk.read(block, count, into);
  write = (block: number, count: number, from: Uint8Array): void => this.#disk.write(block, count, from);
  sync = (): void => {};
  trim = (): void => {};
  writeZeroes = (): void => {};
}

test('a store that grows has more room at once, whatever was there before', async () => {
  const device = new SizedDevice(new Uint8Array(storeBytes(128) + storeBytes(20)).fill(0xa5), 2);
  const origin = new RamDisk(new Uint8Array(BLOCKS * SIZE), SIZE);
  await SnapshotStore.format(device, CHUNK, SIZE);
  const opened = await open(origin, device);
  await opened.snapshots.create('one', 0);
  await opened.snapshots.write(0, 16, filled(1, 16));
  expect(await codeOf(opened.snapshots.write(16, 1, filled(2)))).toBe('NoSpace');
  device.chunks = 140;
  await opened.snapshots.growStore();
  expect(opened.store.chunks).toEqual({ total: 140, used: 2 });
  await opened.snapshots.write(16, BLOCKS - 16, filled(2, BLOCKS - 16));
  const again = await open(origin, device);
  expect(await ofSnapshot(again, 'one')).toEqual(times(BLOCKS, 0));
  device.chunks = 100;
  expect(await codeOf(open(origin, device))).toBe('Invalid');
});

test('a store that has shrunk within its last group is refused, at the start and in use', async () => {
  const device = new SizedDevice(new Uint8Array(storeBytes(8)), 8);
  const origin = new RamDisk(new Uint8Array(BLOCKS * SIZE), SIZE);
  await SnapshotStore.format(device, CHUNK, SIZE);
  const opened = await open(origin, device);
  await opened.snapshots.create('one', 0);
  await opened.snapshots.write(0, 40, filled(1, 40));
  device.chunks = 4;
  const reason = (work: Promise<unknown>): Promise<string> => work.then(() => 'opened', String);
  expect(await reason(opened.snapshots.growStore())).toContain('the snapshot store is shorter than it was');
  expect(await reason(open(origin, device))).toContain('the snapshot store is shorter than it was');
  device.chunks = 8;
  await opened.snapshots.growStore();
  expect(opened.store.chunks).toEqual({ total: 8, used: 5 });
  await opened.snapshots.write(40, 8, filled(1, 8));
  expect(await ofSnapshot(await open(origin, device), 'one')).toEqual(times(BLOCKS, 0));
});

test('what is no store, a damaged one, or one for another device is refused with the reason', async () => {
  const { origin, device, snapshots } = await make(10);
  const reason = (work: Promise<unknown>): Promise<string> => work.then(() => 'opened', String);
  expect(await reason(SnapshotStore.open(new RamDisk(new Uint8Array(storeBytes(4)), SIZE)))).toContain(
    'the device holds no snapshot store',
  );
  expect(await reason(SnapshotStore.open(new RamDisk(new Uint8Array(4096), SIZE)))).toContain(
    'less than 65536',
  );
  const large = new RamDisk(new Uint8Array(64 * 4096), 4096);
  expect(await reason(open(large, device))).toContain('is for blocks of 512 bytes, and the device has 4096');
  await snapshots.create('one', 0);
  await snapshots.write(0, 1, filled(1));
  const map = new Uint8Array(SIZE);
  device.read(GROUPS_AT / SIZE, 1, map);
  map[9] = 1;
  device.write(GROUPS_AT / SIZE, 1, map);
  expect(await reason(open(origin, device))).toContain('the snapshot store is damaged: entry 0');
});

test('names and numbers of snapshots are bounded', async () => {
  const { snapshots } = await make(10);
  expect(await codeOf(snapshots.create('', 0))).toBe('Invalid');
  expect(await codeOf(snapshots.create('ä'.repeat(41), 0))).toBe('Invalid');
  for (let index = 0; index < 64; index++) await snapshots.create(`ä${index}`.padEnd(40, 'ä'), index);
  expect(await codeOf(snapshots.create('one more', 0))).toBe('NoSpace');
  expect(await codeOf(snapshots.create(snapshots.list[3]?.name ?? '', 0))).toBe('Invalid');
  expect(await codeOf(snapshots.delete('none'))).toBe('Invalid');
  expect(await codeOf(snapshots.rollBack('none', 1))).toBe('Invalid');
});
