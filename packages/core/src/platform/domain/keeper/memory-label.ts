/**
 * What tells whose a memory file is: its name, which its maker gives it and nobody can change, whoever passes it on.
 *
 *     ginit memory PROCESS/SERIAL
 *
 * Core knows which process it hears from; so a process can take back only what it has made itself, and at everybody who
 * has it, however they came by it. A process that names its files after others can only make others able to take them back.
 */
import { readlinkSync } from 'node:fs';

const NAME = /^\/memfd:ginit memory (\d{1,10})\/(\d{1,15}) \(deleted\)$/;

/** Serial number of what stands in for memory that has been taken back already. */
export const STAND_IN = 0;

/** Names a memory file, in the whole system and for all its life. */
export interface MemoryLabel {
  /** The process that has made it. */
  readonly process: number;
  /** Its number there. */
  readonly serial: number;
}

/** The name to make a memory file with. */
export function nameOf({ process, serial }: MemoryLabel): string {
  return `ginit memory ${process}/${serial}`;
}

/** What a received memory file is; undefined if no domain process has made it. */
export function labelOf(descriptor: number): MemoryLabel | undefined {
  const [, process, serial] = NAME.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
  return process === undefined ? undefined : { process: Number(process), serial: Number(serial) };
}

/** The same as a key of a map. */
export function keyOf({ process, serial }: MemoryLabel): string {
  return `${process}/${serial}`;
}
