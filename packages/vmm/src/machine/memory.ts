/**
 * The memory of a guest is the RAM quota of the monitor, less what the monitor needs itself, as
 * VirtualBox does it on Genode: its own part, the devices of the engine, and kernel and initrd,
 * which are kept for a reset of the guest. All of this is memory of V8, or of QEMU's process,
 * which no account sees; so dataspaces of its size, which nobody ever touches, are allocated in its
 * place.
 */
import type { Env } from '@ginit/core';
import type { EngineName } from '../engine/engine.ts';
import { QEMU_BESIDE_BYTES, QEMU_MEMORY, QEMU_MEMORY_UNIT } from '../engine/qemu/qemu-engine.ts';
import { V86_DEVICE_BYTES, V86_MEMORY, V86_MEMORY_UNIT } from '../engine/v86/v86-engine.ts';

/** The quota that the monitor keeps for itself, beyond the sessions that are open already. */
export const MONITOR_BYTES = 2 * 1024 * 1024;
const MEBIBYTE = 1024 * 1024;

/** The quota does not suffice. */
export class TooLittleMemory extends Error {
  override readonly name = 'TooLittleMemory';
}

/** What an engine can give a guest, and what it takes itself. */
export interface MemoryBounds {
  readonly least: number;
  readonly most: number;
  /** The memory of a guest is a multiple of this. */
  readonly unit: number;
  /** What the machine takes beside the memory of its guest. */
  readonly besideBytes: number;
}

/** The bounds of each engine. */
export const MEMORY_BOUNDS: Readonly<Record<EngineName, MemoryBounds>> = {
  v86: { ...V86_MEMORY, unit: V86_MEMORY_UNIT, besideBytes: V86_DEVICE_BYTES },
  qemu: { ...QEMU_MEMORY, unit: QEMU_MEMORY_UNIT, besideBytes: QEMU_BESIDE_BYTES },
};

/** The part of `env` that is used. */
type MemoryEnv = Pick<Env, 'quota' | 'ram'>;

/** The quota that is free for a guest and all that is kept for it. */
export async function freeForGuest(env: Pick<MemoryEnv, 'quota'>): Promise<number> {
  const { ramQuota, ramUsed } = await env.quota();
  return Math.max(0, ramQuota - ramUsed - MONITOR_BYTES);
}

/**
 * Takes the memory of a guest, and `keptBytes` that are kept for it, out of the quota. The result
 * is how much memory the guest has, in bytes. Throws `TooLittleMemory`.
 */
export async function reserveGuestMemory(
  env: MemoryEnv,
  engine: EngineName,
  keptBytes: number,
): Promise<number> {
  const bounds = MEMORY_BOUNDS[engine];
  const besideBytes = keptBytes + bounds.besideBytes;
  const bytes = guestMemoryBytes((await freeForGuest(env)) - besideBytes, bounds);
  await env.ram.allocate(besideBytes);
  await env.ram.allocate(bytes);
  return bytes;
}

/** The memory of a guest, if so much of the quota is left for it. Throws `TooLittleMemory`. */
export function guestMemoryBytes(freeBytes: number, { least, most, unit }: MemoryBounds): number {
  const spare = Math.min(most, freeBytes);
  const bytes = Math.floor(spare / unit) * unit;
  if (bytes >= least) return bytes;
  const missing = Math.ceil((least - spare) / MEBIBYTE);
  throw new TooLittleMemory(
    `the RAM quota leaves ${inMebibytes(spare)} MiB for the guest, which needs ${inMebibytes(least)} at least: ` +
      `give the start node ${missing} MiB more (its "ram")`,
  );
}

/** Mebibytes, for people. */
export function inMebibytes(bytes: number): number {
  return Math.max(0, Math.floor(bytes / MEBIBYTE));
}
