/**
 * The memory of a guest is the RAM quota of the monitor, less what the monitor needs itself, as
 * VirtualBox does it on Genode. The engine keeps it in memory of V8, which no account sees; so a
 * dataspace of its size, which nobody ever touches, is allocated in its place.
 */
import type { Env } from '@ginit/core';
import { V86_MEMORY, V86_MEMORY_UNIT } from '../engine/v86/v86-engine.ts';

/** The quota that the monitor keeps for itself, beyond the sessions that are open already. */
export const MONITOR_BYTES = 2 * 1024 * 1024;
const MEBIBYTE = 1024 * 1024;

/** The quota does not suffice. */
export class TooLittleMemory extends Error {
  override readonly name = 'TooLittleMemory';
}

/** Takes the memory of a guest out of the quota; the result is how much, in bytes. */
export async function reserveGuestMemory(env: Pick<Env, 'quota' | 'ram'>): Promise<number> {
  const { ramQuota, ramUsed } = await env.quota();
  const bytes = guestMemoryBytes(ramQuota - ramUsed);
  await env.ram.allocate(bytes);
  return bytes;
}

/** The memory of a guest, by the quota that is free. Throws `TooLittleMemory`. */
export function guestMemoryBytes(freeBytes: number): number {
  const { least, most } = V86_MEMORY;
  const spare = Math.min(most, freeBytes - MONITOR_BYTES);
  const bytes = Math.floor(spare / V86_MEMORY_UNIT) * V86_MEMORY_UNIT;
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
