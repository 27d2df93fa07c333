import type { DeviceBelow } from '../src/lib/device-below.ts';
import type { RamDisk } from '../src/ram_block/ram-disk.ts';

/** A disk in memory as a device, of which a test changes some operations. */
export function overDisk(disk: RamDisk, changes: Partial<DeviceBelow>): DeviceBelow {
  return {
    info: disk.info,
    read: (block, count, into) => disk.read(block, count, into),
    write: (block, count, from) => disk.write(block, count, from),
    sync: () => disk.sync(),
    trim: (block, count) => disk.trim(block, count),
    writeZeroes: (block, count) => disk.writeZeroes(block, count),
    ...changes,
  };
}
