/**
 * Inodes on the device: their places in the tables of their groups, and how they are read from
 * there and written back.
 */
import { typeOfMode } from '../volume/volume-inode.ts';
import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { readAround } from '../buffer/read-around.ts';
import { checkExtentRoot } from './extent-node.ts';
import { fileBytesMax } from './file-size.ts';
import { INCOMPATIBLE_FEATURE } from './features.ts';
import { Inode, INODE_FLAG } from './inode.ts';
import { decodeInode, encodeInode, formatInode, isIntact } from './inode-format.ts';
import { readInlineContent } from './inline-data.ts';
import { ROOT_INODE } from './superblock.ts';
import { isShortSymlink } from './symlink-place.ts';
import type { Volume } from './volume.ts';

/** The place of an inode in its group's table. */
export function placeOf(volume: Volume, id: number): { readonly block: number; readonly offset: number } {
  const { inodesPerGroup, inodeSizeBytes, blockSizeBytes } = volume.superblock;
  const group = Math.floor((id - 1) / inodesPerGroup);
  const position = ((id - 1) % inodesPerGroup) * inodeSizeBytes;
  const table = volume.groups.inodeTable[group] ?? 0;
  return { block: table + Math.floor(position / blockSizeBytes), offset: position % blockSizeBytes };
}

/** Reads the block that an inode is in, with its neighbours. */
export function readTable(
  { cache, superblock, groups }: Volume,
  id: number,
  block: number,
): Promise<BlockBuffer> {
  const { inodesPerGroup, inodeSizeBytes, blocksCount } = superblock;
  const first = groups.inodeTable[Math.floor((id - 1) / inodesPerGroup)] ?? 0;
  const blocks = Math.ceil((inodesPerGroup * inodeSizeBytes) / cache.blockSizeBytes);
  readAround(cache, block, first, Math.min(first + blocks, blocksCount));
  return cache.read(block);
}

/** Reads and checks an inode that a directory names, or, without links, the list of orphans. */
export async function loadInode(volume: Volume, id: number, orphan = false): Promise<Inode> {
  const { inodesCount, firstInode } = volume.superblock;
  if (id === 0 || id > inodesCount) throw volume.corrupt(`inode ${id} is none of the ${inodesCount} inodes`);
  if (id < firstInode && id !== ROOT_INODE) throw volume.corrupt(`inode ${id} is reserved but has a name`);
  const inode = await readInode(volume, id);
  if ((inode.linkCount === 0 && !orphan) || volume.departures.has(id))
    throw volume.corrupt(`${inode.name} is not in use but has a name`);
  checkInode(volume, inode);
  return inode;
}

/** Reads an inode, a reserved one too, without looking at what its fields say. */
export async function readInode(volume: Volume, id: number): Promise<Inode> {
  const { superblock } = volume;
  const { block, offset } = placeOf(volume, id);
  const buffer = volume.cache.peek(block) ?? (await readTable(volume, id, block));
  const inode = new Inode(id);
  decodeInode(inode, buffer.view, offset, superblock);
  if (!isIntact(inode, buffer.view, offset, superblock))
    throw volume.corrupt(`${inode.name}: wrong checksum, in block ${block}`);
  if (inode.hasInlineData) inode.inlineContent = readInlineContent(volume, inode, buffer.view, offset);
  return inode;
}

/** Writes the inode to its place in the table. */
export async function storeInode(volume: Volume, inode: Inode): Promise<void> {
  const { block, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(block) ?? (await readTable(volume, inode.id, block));
  encodeInode(inode, buffer.view, offset, volume.superblock);
  volume.cache.markDirty(buffer, block, 'structure');
}

/** Writes a new inode to its place, which held something older. */
export async function storeNewInode(volume: Volume, inode: Inode): Promise<void> {
  const { block, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(block) ?? (await readTable(volume, inode.id, block));
  formatInode(inode, buffer.view, offset, volume.superblock);
  encodeInode(inode, buffer.view, offset, volume.superblock);
  volume.cache.markDirty(buffer, block, 'structure');
}

function checkInode(volume: Volume, inode: Inode): void {
  const { blockSizeBytes, superblock } = volume;
  if (typeOfMode(inode.mode) === undefined) {
    throw volume.corrupt(`${inode.name}: unknown type in mode 0x${inode.mode.toString(16)}`);
  }
  const known =
    (superblock.has(INCOMPATIBLE_FEATURE.extents) ? INODE_FLAG.extents : 0) |
    (superblock.has(INCOMPATIBLE_FEATURE.inlineData) ? INODE_FLAG.inlineData : 0);
  const foreign = inode.flags & (INODE_FLAG.extents | INODE_FLAG.inlineData) & ~known;
  if (foreign !== 0)
    throw volume.corrupt(`${inode.name}: flags 0x${foreign.toString(16)} without their feature`);
  const deviceBytes = superblock.blocksCount * blockSizeBytes;
  const { sizeBytes, hasInlineData } = inode;
  const wrongDirectory =
    inode.type === 'directory' &&
    !hasInlineData &&
    (sizeBytes === 0 || sizeBytes % blockSizeBytes !== 0 || sizeBytes > deviceBytes);
  const wrongSymlink = inode.type === 'symlink' && sizeBytes > blockSizeBytes;
  const wrongFile = inode.type === 'file' && sizeBytes > fileBytesMax(superblock, inode.hasExtents);
  if (wrongDirectory || wrongSymlink || wrongFile) {
    throw volume.corrupt(`${inode.name}: a ${inode.type} of ${sizeBytes} bytes`);
  }
  if (inode.hasExtents && !hasInlineData && hasMap(volume, inode)) checkExtentRoot(volume, inode);
}

/** Whether the inode has a map of blocks. */
function hasMap(volume: Volume, inode: Inode): boolean {
  const { type } = inode;
  if (type === 'symlink') return !isShortSymlink(volume, inode);
  return type === 'file' || type === 'directory';
}
