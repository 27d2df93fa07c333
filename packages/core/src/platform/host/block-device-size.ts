import { readFileSync } from 'node:fs';
import { FileCalls } from './file-calls.ts';

/** `/sys` counts in these, whatever the blocks of the device are. */
const SECTOR_BYTES = 512;

/**
 * The capacity of a block device in bytes, which its status does not tell. `number` is the number
 * of the device (`st_rdev`). 0 if nobody tells it.
 */
export function blockDeviceBytes(descriptor: number, number: number): number {
  const end = FileCalls.load()?.end(descriptor) ?? -1;
  return end >= 0 ? end : sizeInSys(number);
}

function sizeInSys(number: number): number {
  // Linux, for numbers of 32 bits: 12 bits of the major number lie between 8 and 12 of the minor.
  const major = (number >>> 8) & 0xfff;
  const minor = (number & 0xff) | ((number >>> 12) & 0xfff00);
  try {
    const sectors = Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'utf8'));
    return Number.isSafeInteger(sectors) ? sectors * SECTOR_BYTES : 0;
  } catch {
    return 0;
  }
}
