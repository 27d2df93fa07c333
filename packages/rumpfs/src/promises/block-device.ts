/** A Block session as the device of a mount. */
import type { BlockInfo } from '@ginit/core/block';
import type { MountDevice } from './start.ts';

/** What a mount uses of a Block session: a `BlockClient` has it, and so has a `DiskDevice`. */
export interface MountableBlocks {
  readonly info: BlockInfo;
  read(first: number, count: number, into: Uint8Array): void | Promise<void>;
  write(first: number, count: number, from: Uint8Array): void | Promise<void>;
  sync(): void | Promise<void>;
}

/** The device. It stays open when the file system on it is unmounted. */
export function deviceOf(disk: MountableBlocks): MountDevice {
  const { blockSize, blockCount, writeable } = disk.info;
  return {
    bio: {
      sectorSizeBytes: blockSize,
      sectorCount: blockCount,
      writeable,
      read: async (sector, into) => disk.read(sector, into.byteLength / blockSize, into),
      write: async (sector, from) => disk.write(sector, from.byteLength / blockSize, from),
      sync: async () => disk.sync(),
    },
    release: async () => {},
  };
}
