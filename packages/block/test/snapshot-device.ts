/** A small device with snapshots in memory, and looks at what it and they hold. */
import { assert } from '@ginit/core';
import { expect } from 'vitest';
import type { DeviceBelow } from '../src/lib/device-below.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { SnapshotStore } from '../src/snapshot/snapshot-store.ts';
import { type SnapshotEvents, Snapshots, type WhenFull } from '../src/snapshot/snapshots.ts';
import { GROUPS_AT } from '../src/snapshot/store-format.ts';

export const SIZE = 512;
export const CHUNK = 4096;
/** The last chunk is not whole. */
export const BLOCKS = 61;

/** Bytes of a store with this many chunks, in one group. */
export const storeBytes = (chunks: number): number => GROUPS_AT + 4096 + chunks * CHUNK;

export const times = (count: number, byte: number): number[] => Array.from({ length: count }, () => byte);

export const NO_EVENTS: SnapshotEvents = {
  full: (): void => {},
  dropped: (): void => {},
  usage: (): void => {},
};

export interface Opened {
  readonly snapshots: Snapshots;
  readonly store: SnapshotStore;
}

export async function open(
  origin: DeviceBelow,
  device: DeviceBelow,
  whenFull: WhenFull = 'fail',
  events = NO_EVENTS,
): Promise<Opened> {
  const store = await SnapshotStore.open(device);
  return { store, snapshots: await Snapshots.open(origin, store, () => whenFull, events) };
}

export async function make(
  chunks: number,
  whenFull: WhenFull = 'fail',
  events = NO_EVENTS,
): Promise<Opened & { readonly origin: RamDisk; readonly device: RamDisk }> {
  const origin = new RamDisk(new Uint8Array(BLOCKS * SIZE), SIZE);
  const device = new RamDisk(new Uint8Array(storeBytes(chunks)), SIZE);
  await SnapshotStore.format(device, CHUNK, SIZE);
  return { origin, device, ...(await open(origin, device, whenFull, events)) };
}

export const filled = (byte: number, count = 1): Uint8Array => new Uint8Array(count * SIZE).fill(byte);

/** The first bytes of all blocks, after a look at all of the others. */
export async function contentOf(
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

export const ofDevice = ({ snapshots }: Opened): Promise<number[]> =>
  contentOf((block, count, into) => snapshots.read(block, count, into));

export function ofSnapshot({ snapshots }: Opened, name: string): Promise<number[]> {
  const view = snapshots.view(name);
  assert(view !== undefined, `there is a snapshot ${name}`);
  return contentOf((block, count, into) => view.read(block, count, into));
}

export const names = ({ snapshots }: Opened): string[] => snapshots.list.map(({ name }) => name);
