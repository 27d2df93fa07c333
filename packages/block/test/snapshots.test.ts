/** Snapshots against a model: in any order of operations, over restarts, and after power cuts. */
import { assert } from '@ginit/core';
import { blockError, type BlockInfo } from '@ginit/core/block';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { propertyRuns } from '../../../test/property-runs.ts';
import { SimulatedDisk } from '../../simulator/src/disk/simulated-disk.ts';
import { Random } from '../../simulator/src/order/random.ts';
import type { DeviceBelow } from '../src/lib/device-below.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { SnapshotStore } from '../src/snapshot/snapshot-store.ts';
import { type SnapshotEvents, Snapshots, type WhenFull } from '../src/snapshot/snapshots.ts';
import {
  GROUP_CHUNKS,
  GROUPS_AT,
  MAP_BYTES,
  readSuperblock,
  writeSuperblock,
} from '../src/snapshot/store-format.ts';
import { overDisk } from './over-disk.ts';
import { codeOf } from './system-client.ts';

const SIZE = 512;
const CHUNK = 4096;
/** The last chunk is not whole. */
const BLOCKS = 61;

/** Bytes of a store with this many chunks, in one group. */
const storeBytes = (chunks: number): number => GROUPS_AT + 4096 + chunks * CHUNK;

const times = (count: number, byte: number): number[] => Array.from({ length: count }, () => byte);

const NO_EVENTS: SnapshotEvents = { full: (): void => {}, dropped: (): void => {}, usage: (): void => {} };

interface Opened {
  readonly snapshots: Snapshots;
  readonly store: SnapshotStore;
}

async function open(
  origin: DeviceBelow,
  device: DeviceBelow,
  whenFull: WhenFull = 'fail',
  events = NO_EVENTS,
): Promise<Opened> {
  const store = await SnapshotStore.open(device);
  return { store, snapshots: await Snapshots.open(origin, store, () => whenFull, events) };
}

async function make(
  chunks: number,
  whenFull: WhenFull = 'fail',
  events = NO_EVENTS,
): Promise<Opened & { readonly origin: RamDisk; readonly device: RamDisk }> {
  const origin = new RamDisk(new Uint8Array(BLOCKS * SIZE), SIZE);
  const device = new RamDisk(new Uint8Array(storeBytes(chunks)), SIZE);
  await SnapshotStore.format(device, CHUNK, SIZE);
  return { origin, device, ...(await open(origin, device, whenFull, events)) };
}

const filled = (byte: number, count = 1): Uint8Array => new Uint8Array(count * SIZE).fill(byte);

/** The first bytes of all blocks, after a look at all of the others. */
async function contentOf(
  read: (block: number, count: number, into: Uint8Array) => void | Promise<void>,
): Promise<number[]> {
  const bytes = new Uint8Array(BLOCKS * SIZE);
  await read(0, BLOCKS, bytes);
  return Array.from({ length: BLOCKS }, (_, block) => {
    const part = bytes.subarray(block * SIZE, (block + 1) * SIZE);
    expect(part.every((byte) => byte === part[0])).toBe(true);
    return part[0] ?? 0;
  });
}

const ofDevice = ({ snapshots }: Opened): Promise<number[]> =>
  contentOf((block, count, into) => snapshots.read(block, count, into));

function ofSnapshot({ snapshots }: Opened, name: string): Promise<number[]> {
  const view = snapshots.view(name);
  assert(view !== undefined, `there is a snapshot ${name}`);
  return contentOf((block, count, into) => view.read(block, count, into));
}

const names = ({ snapshots }: Opened): string[] => snapshots.list.map(({ name }) => name);

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

type Step =
  | { readonly kind: 'write' | 'zeroes' | 'trim'; readonly block: number; readonly count: number }
  | { readonly kind: 'create' | 'delete' | 'rollback' | 'sync' | 'restart'; readonly pick: number };

const range = (kind: 'write' | 'zeroes' | 'trim') =>
  fc.record({ kind: fc.constant(kind), block: fc.nat(BLOCKS - 9), count: fc.integer({ min: 1, max: 9 }) });
const action = (kind: 'create' | 'delete' | 'rollback' | 'sync' | 'restart') =>
  fc.record({ kind: fc.constant(kind), pick: fc.nat(5) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: range('write'), weight: 8 },
  { arbitrary: range('zeroes'), weight: 1 },
  { arbitrary: range('trim'), weight: 1 },
  { arbitrary: action('create'), weight: 3 },
  { arbitrary: action('delete'), weight: 3 },
  { arbitrary: action('rollback'), weight: 2 },
  { arbitrary: action('sync'), weight: 1 },
  { arbitrary: action('restart'), weight: 1 },
);

/**
 * What has to be there: of each block one of several contents, of each snapshot the only right one.
 */
class Model {
  allowed: number[][] = Array.from({ length: BLOCKS }, () => [0]);
  readonly snapshots = new Map<string, number[][]>();
  /** The rollback that was begun last. */
  rollback: { readonly token: number; readonly content: readonly (readonly number[])[] } | undefined;

  now(): number[][] {
    return this.allowed.map((contents) => contents.slice(-1));
  }

  put(block: number, count: number, byte: number): void {
    for (let at = block; at < block + count; at++) this.allowed[at]?.push(byte);
  }
}

/** Any content: what TRIM has named. */
const ANY = Array.from({ length: 256 }, (_, byte) => byte);

const pick = (list: readonly string[], index: number): string | undefined =>
  list[index % Math.max(1, list.length)];

/**
 * Does a step, and notes what it allows before it begins and after it has ended. `undefined` is a
 * step that has nothing to do.
 */
async function perform(opened: Opened, model: Model, what: Step, number: number): Promise<void> {
  const { snapshots } = opened;
  const byte = (number % 250) + 1;
  switch (what.kind) {
    case 'write':
      model.put(what.block, what.count, byte);
      return snapshots.write(what.block, what.count, filled(byte, what.count));
    case 'zeroes':
      model.put(what.block, what.count, 0);
      return snapshots.writeZeroes(what.block, what.count);
    case 'trim':
      for (let at = what.block; at < what.block + what.count; at++) model.allowed[at]?.push(...ANY);
      await snapshots.trim(what.block, what.count);
      for (let at = what.block; at < what.block + what.count; at++) {
        const bytes = new Uint8Array(SIZE);
        await snapshots.read(at, 1, bytes);
        model.allowed[at]?.push(bytes[0] ?? 0);
      }
      return undefined;
    case 'create': {
      const name = `s${number}`;
      model.snapshots.set(name, model.now());
      await snapshots.create(name, number);
      model.allowed = model.now();
      return undefined;
    }
    case 'delete': {
      const name = pick(names(opened), what.pick);
      if (name === undefined) return undefined;
      await snapshots.delete(name);
      model.snapshots.delete(name);
      return undefined;
    }
    case 'rollback': {
      const name = pick(names(opened), what.pick);
      const content = name === undefined ? undefined : model.snapshots.get(name);
      if (name === undefined || content === undefined) return undefined;
      for (const [block, [only = 0]] of content.entries()) model.allowed[block]?.push(only);
      model.rollback = { token: number + 1, content };
      await snapshots.rollBack(name, number + 1);
      model.rollback = undefined;
      model.allowed = content.map((contents) => contents.slice());
      return undefined;
    }
    case 'sync':
      await snapshots.sync();
      model.allowed = model.now();
      return undefined;
    case 'restart':
      return undefined;
  }
}

async function expectModel(opened: Opened, model: Model): Promise<void> {
  const now = await ofDevice(opened);
  for (const [block, contents] of model.allowed.entries())
    expect(contents, `block ${block}`).toContain(now[block]);
  for (const name of names(opened)) {
    const content = await ofSnapshot(opened, name);
    for (const [block, contents] of (model.snapshots.get(name) ?? []).entries()) {
      expect(contents, `block ${block} of ${name}`).toContain(content[block]);
    }
  }
}

test('in any order of operations, over restarts, device and snapshots hold what a model holds', async () => {
  let snapshotsSeen = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const made = await make(128);
      let opened: Opened = made;
      const model = new Model();
      for (const [number, what] of steps.entries()) {
        await perform(opened, model, what, number);
        model.allowed = model.now();
        if (what.kind === 'restart') opened = await open(made.origin, made.device);
        expect(names(opened)).toEqual([...model.snapshots.keys()]);
        await expectModel(opened, model);
      }
      snapshotsSeen += model.snapshots.size;
      for (const name of names(opened)) await opened.snapshots.delete(name);
      expect(opened.store.chunks.used).toBe(0);
    }),
    { numRuns: propertyRuns(60) },
  );
  expect(snapshotsSeen).toBeGreaterThan(20);
});

/** The power has gone; nothing works any more. */
class PowerGone extends Error {}

/** A simulated disk as a device that stops working after so many requests. */
function cutting(disk: SimulatedDisk, power: { left: number }): DeviceBelow {
  const use = (): void => {
    if (power.left-- <= 0) throw new PowerGone();
  };
  return {
    info: { blockSize: SIZE, blockCount: disk.sizeBytes / SIZE, alignLog2: 12, writeable: true },
    read: async (block, _, into) => {
      if (power.left <= 0) throw new PowerGone();
      disk.read(into, block * SIZE);
    },
    write: async (block, _, from) => {
      use();
      disk.write(from, block * SIZE);
    },
    sync: async () => {
      use();
      disk.sync(disk.mark);
    },
    trim: async () => {},
    writeZeroes: async (block, count) => {
      use();
      disk.write(new Uint8Array(count * SIZE), block * SIZE);
    },
  };
}

test('after a power cut at any request every snapshot is whole, and what was interrupted is done or not begun', async () => {
  const reached = { cut: 0, rollback: 0, delete: 0, write: 0, create: 0, again: 0, finished: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 10, maxLength: 30 }),
      fc.nat(250),
      // The power may go again while it is being put right.
      fc.array(fc.nat(6), { maxLength: 3 }),
      fc.nat(),
      async (steps, cut, cutsAgain, seed) => {
        const random = new Random(seed, 'cuts');
        const origin = new SimulatedDisk(new Uint8Array(BLOCKS * SIZE));
        const device = new SimulatedDisk(new Uint8Array(storeBytes(128)));
        const power = { left: Infinity };
        await SnapshotStore.format(cutting(device, power), CHUNK, SIZE);
        power.left = cut;
        const model = new Model();
        let under: Step | undefined;
        try {
          const opened = await open(cutting(origin, power), cutting(device, power));
          for (const [number, what] of steps.entries()) {
            under = what;
            await perform(opened, model, what, number);
          }
          return;
        } catch (error) {
          if (!(error instanceof PowerGone)) throw error;
        }
        reached.cut++;
        if (under && under.kind in reached) reached[under.kind as keyof typeof reached]++;
        let opened: Opened | undefined;
        for (const left of [...cutsAgain, Infinity]) {
          origin.powerCut(random, false);
          device.powerCut(random, false);
          power.left = left;
          try {
            opened = await open(cutting(origin, power), cutting(device, power));
            break;
          } catch (error) {
            if (!(error instanceof PowerGone)) throw error;
            reached.again++;
          }
        }
        power.left = Infinity;
        assert(opened !== undefined, 'it can be opened');
        const known = [...model.snapshots.keys()];
        const found = names(opened);
        // One snapshot at most may be missing: the one that was being made or deleted.
        expect(known.filter((name) => !found.includes(name)).length).toBeLessThanOrEqual(
          under?.kind === 'create' || under?.kind === 'delete' ? 1 : 0,
        );
        expect(found.filter((name) => !known.includes(name))).toEqual([]);
        // A rollback of which the store knows has been carried out as a whole.
        if (opened.store.superblock.rollbackToken === model.rollback?.token) {
          reached.finished++;
          model.allowed = model.rollback.content.map((contents) => contents.slice());
        }
        await expectModel(opened, model);
        // It goes on working, and gives everything back.
        await opened.snapshots.write(0, 30, filled(251, 30));
        for (const name of found) {
          const content = await ofSnapshot(opened, name);
          for (const [block, contents] of (model.snapshots.get(name) ?? []).entries()) {
            expect(contents).toContain(content[block]);
          }
          await opened.snapshots.delete(name);
        }
        expect(opened.store.chunks.used).toBe(0);
      },
    ),
    { numRuns: propertyRuns(400) },
  );
  expect(reached.cut).toBeGreaterThan(20);
  for (const kind of ['write', 'create', 'rollback', 'delete', 'again', 'finished'] as const)
    expect(reached[kind], kind).toBeGreaterThan(0);
});

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
