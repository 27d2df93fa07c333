/** How the inodes of a new file system lead to their blocks. */
import type { ExtChecksums } from './ext-checksums.ts';
import type { BlockRun } from './ext-space.ts';

const MAP_BYTES = 60;
const DIRECT_POINTERS = 12;
const EXTENT_MAGIC = 0xf30a;
const EXTENT_BYTES = 12;
const EXTENTS_INLINE = 4;
/** The longest extent that holds data. */
const EXTENT_BLOCKS_MAX = 32_768;

/** The 60 bytes of an inode, and the blocks to which they lead first. */
export interface FileMap {
  readonly bytes: Uint8Array;
  readonly blocks: readonly { readonly block: number; readonly bytes: Uint8Array }[];
}

/** The number of blocks that a map of pointers takes besides the data. */
export function pointerBlocks(count: number, blockBytes: number): number {
  const pointers = blockBytes / 4;
  if (count <= DIRECT_POINTERS) return 0;
  if (count <= DIRECT_POINTERS + pointers) return 1;
  return 2 + Math.ceil((count - DIRECT_POINTERS - pointers) / pointers);
}

/** The most blocks of a file whose map has two levels of pointers. */
export function pointedBlocksMax(blockBytes: number): number {
  const pointers = blockBytes / 4;
  return DIRECT_POINTERS + pointers + pointers * pointers;
}

/** A map of pointers; `own` are the blocks that it takes itself. */
export function pointerMap(data: readonly number[], own: readonly number[], blockBytes: number): FileMap {
  const pointers = blockBytes / 4;
  const map = new DataView(new ArrayBuffer(MAP_BYTES));
  const blocks: { block: number; bytes: Uint8Array }[] = [];
  const list = (place: number, entries: readonly number[]): void => {
    const view = new DataView(new ArrayBuffer(blockBytes));
    for (const [index, block] of entries.entries()) view.setUint32(index * 4, block, true);
    blocks.push({ block: place, bytes: new Uint8Array(view.buffer) });
  };
  for (const [index, block] of data.slice(0, DIRECT_POINTERS).entries())
    map.setUint32(index * 4, block, true);
  const [single = 0, double = 0, ...leaves] = own;
  if (data.length > DIRECT_POINTERS) {
    map.setUint32(DIRECT_POINTERS * 4, single, true);
    list(single, data.slice(DIRECT_POINTERS, DIRECT_POINTERS + pointers));
  }
  if (data.length > DIRECT_POINTERS + pointers) {
    map.setUint32((DIRECT_POINTERS + 1) * 4, double, true);
    list(double, leaves);
    for (const [index, leaf] of leaves.entries()) {
      const from = DIRECT_POINTERS + (index + 1) * pointers;
      list(leaf, data.slice(from, from + pointers));
    }
  }
  return { bytes: new Uint8Array(map.buffer), blocks };
}

/** Runs as extents: none is longer than one may be. */
export function extentsOf(runs: readonly BlockRun[]): readonly BlockRun[] {
  return runs.flatMap(({ start, count }) =>
    Array.from({ length: Math.ceil(count / EXTENT_BLOCKS_MAX) }, (_, index) => ({
      start: start + index * EXTENT_BLOCKS_MAX,
      count: Math.min(EXTENT_BLOCKS_MAX, count - index * EXTENT_BLOCKS_MAX),
    })),
  );
}

/** Whether so many extents need a block of their own. */
export function needsLeaf(extents: readonly BlockRun[]): boolean {
  return extents.length > EXTENTS_INLINE;
}

/** A tree of extents: in the inode, or, where they are too many, in the block `leaf`. */
export function extentMap(
  extents: readonly BlockRun[],
  leaf: number,
  { inode, blockBytes, checksums }: { inode: number; blockBytes: number; checksums: ExtChecksums },
): FileMap {
  const map = new DataView(new ArrayBuffer(MAP_BYTES));
  if (!needsLeaf(extents)) {
    writeHeader(map, extents.length, EXTENTS_INLINE, 0);
    writeExtents(map, extents);
    return { bytes: new Uint8Array(map.buffer), blocks: [] };
  }
  writeHeader(map, 1, EXTENTS_INLINE, 1);
  map.setUint32(EXTENT_BYTES + 4, leaf % 2 ** 32, true);
  map.setUint16(EXTENT_BYTES + 8, Math.floor(leaf / 2 ** 32), true);
  const block = new DataView(new ArrayBuffer(blockBytes));
  const most = Math.floor((blockBytes - EXTENT_BYTES) / EXTENT_BYTES);
  writeHeader(block, extents.length, most, 0);
  writeExtents(block, extents);
  checksums.extentTail(block, inode, EXTENT_BYTES * (most + 1));
  return {
    bytes: new Uint8Array(map.buffer),
    blocks: [{ block: leaf, bytes: new Uint8Array(block.buffer) }],
  };
}

function writeHeader(view: DataView, entries: number, most: number, depth: number): void {
  view.setUint16(0, EXTENT_MAGIC, true);
  view.setUint16(2, entries, true);
  view.setUint16(4, most, true);
  view.setUint16(6, depth, true);
}

function writeExtents(view: DataView, extents: readonly BlockRun[]): void {
  let logical = 0;
  for (const [index, { start, count }] of extents.entries()) {
    const at = EXTENT_BYTES * (index + 1);
    view.setUint32(at, logical, true);
    view.setUint16(at + 4, count, true);
    view.setUint16(at + 6, Math.floor(start / 2 ** 32), true);
    view.setUint32(at + 8, start % 2 ** 32, true);
    logical += count;
  }
}
