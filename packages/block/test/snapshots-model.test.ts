/** Snapshots against a model: in any order of operations, over restarts, and after power cuts. */
import { assert } from '@ginit/core';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { propertyRuns } from '../../../test/property-runs.ts';
import { SimulatedDisk } from '../../simulator/src/disk/simulated-disk.ts';
import { Random } from '../../simulator/src/order/random.ts';
import type { DeviceBelow } from '../src/lib/device-below.ts';
import { SnapshotStore } from '../src/snapshot/snapshot-store.ts';
import {
  BLOCKS,
  CHUNK,
  filled,
  make,
  names,
  ofDevice,
  ofSnapshot,
  open,
  type Opened,
  SIZE,
  storeBytes,
} from './snapshot-device.ts';

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
