/**
 * How a memory file says which process has made it: by its name, which nobody can change, whoever
 * passes the file on:
 *
 *     ginit memory PROCESS/SERIAL
 *
 * The supervisor knows which process it hears from. So a process can take back only memory that it
 * has made itself; it is taken back from everybody who has it, however they came by it. If a
 * process names its files after another one, it only enables that one to take them back.
 */
import { readlinkSync } from 'node:fs';

const NAME = /^\/memfd:ginit memory (\d{1,10})\/(\d{1,15}) \(deleted\)$/;

/** The serial number of the empty file that stands in for memory which was taken back already. */
export const STAND_IN = 0;

/** Identifies a memory file in the whole system and for all its life. */
export interface MemoryLabel {
  /** The process that has made it. */
  readonly process: number;
  /** The number that this process has given it. */
  readonly serial: number;
}

/** The name for making a memory file. */
export function nameOf({ process, serial }: MemoryLabel): string {
  return `ginit memory ${process}/${serial}`;
}

/** The label of a memory file that was received; `undefined` if no domain process has made it. */
export function labelOf(descriptor: number): MemoryLabel | undefined {
  const [, process, serial] = NAME.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
  return process === undefined ? undefined : { process: Number(process), serial: Number(serial) };
}

/** The label as a key of a map. */
export function keyOf({ process, serial }: MemoryLabel): string {
  return `${process}/${serial}`;
}
