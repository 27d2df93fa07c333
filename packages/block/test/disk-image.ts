/** Partition tables for tests. */
import type { DiskBlocks } from '../src/part_block/disk-blocks.ts';
import type { PartitionTable, Place } from '../src/part_block/table.ts';

/** An entry of a table. */
export interface Entry {
  readonly type: number;
  readonly first: number;
  readonly count: number;
  readonly status?: number;
}

/** Writes a boot record over block `block` of an image of 512-byte blocks. */
export function writeBootRecord(image: Uint8Array, block: number, entries: readonly Entry[]): void {
  const view = new DataView(image.buffer, image.byteOffset + block * 512, 512);
  view.setUint16(510, 0xaa55, true);
  for (const [index, entry] of entries.entries()) {
    const at = 446 + index * 16;
    view.setUint8(at, entry.status ?? 0);
    view.setUint8(at + 4, entry.type);
    view.setUint32(at + 8, entry.first, true);
    view.setUint32(at + 12, entry.count, true);
  }
}

/** An image in which every block holds its own number, with a table in block 0. */
export function numberedImage(blockCount: number, entries: readonly Entry[]): Uint8Array {
  const image = new Uint8Array(blockCount * 512);
  const view = new DataView(image.buffer);
  for (let block = 1; block < blockCount; block++) view.setUint32(block * 512, block, true);
  writeBootRecord(image, 0, entries);
  return image;
}

/** An image as the readers of tables see a disk. A read beyond its end is a fault of theirs. */
export function diskOfImage(image: Uint8Array, blockSize = 512): DiskBlocks {
  const blockCount = Math.floor(image.length / blockSize);
  return {
    blockSize,
    blockCount,
    read: async (first, count) => {
      if (first < 0 || count < 1 || first + count > blockCount) {
        throw new Error(`read of ${count} blocks from ${first} on`);
      }
      return new Uint8Array(image.subarray(first * blockSize, (first + count) * blockSize));
    },
  };
}

/** Where the partitions of a table are. */
export function placesOf(table: PartitionTable): Place[] {
  return [...table.partitions.values()].map(({ number, first, count }) => ({ number, first, count }));
}
