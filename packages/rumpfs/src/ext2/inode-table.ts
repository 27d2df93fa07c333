/**
 * Inodes on the device: their places in the tables of their groups, and how they are read from
 * there and written back.
 */
import { Inode, INODE_FLAG, typeOfMode } from './inode.ts';
import { decodeInode, encodeInode, formatInode } from './inode-format.ts';
import { ROOT_INODE } from './superblock.ts';
import type { Volume } from './volume.ts';

/** The place of an inode in its group's table. */
export function placeOf(volume: Volume, id: number): { readonly block: number; readonly offset: number } {
  const { inodesPerGroup, inodeSizeBytes, blockSizeBytes } = volume.superblock;
  const group = Math.floor((id - 1) / inodesPerGroup);
  const position = ((id - 1) % inodesPerGroup) * inodeSizeBytes;
  const table = volume.groups.inodeTable[group] ?? 0;
  return { block: table + Math.floor(position / blockSizeBytes), offset: position % blockSizeBytes };
}

/** Reads and checks an inode that a directory names, or, without links, the list of orphans. */
export async function loadInode(volume: Volume, id: number, orphan = false): Promise<Inode> {
  const { inodesCount, firstInode, inodeSizeBytes } = volume.superblock;
  if (id === 0 || id > inodesCount) throw volume.corrupt(`inode ${id} is none of the ${inodesCount} inodes`);
  if (id < firstInode && id !== ROOT_INODE) throw volume.corrupt(`inode ${id} is reserved but has a name`);
  const { block, offset } = placeOf(volume, id);
  const buffer = volume.cache.peek(block) ?? (await volume.cache.read(block));
  const inode = new Inode(id);
  decodeInode(inode, buffer.view, offset, inodeSizeBytes);
  if ((inode.linkCount === 0 && !orphan) || volume.departures.has(id))
    throw volume.corrupt(`${inode.name} is not in use but has a name`);
  checkInode(volume, inode);
  return inode;
}

/** Writes the inode to its place in the table. */
export async function storeInode(volume: Volume, inode: Inode): Promise<void> {
  const { block, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(block) ?? (await volume.cache.read(block));
  encodeInode(inode, buffer.view, offset);
  volume.cache.markDirty(buffer, block, 'structure');
}

/** Writes a new inode to its place, which held something older. */
export async function storeNewInode(volume: Volume, inode: Inode): Promise<void> {
  const { block, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(block) ?? (await volume.cache.read(block));
  formatInode(inode, buffer.view, offset, volume.superblock.inodeSizeBytes);
  encodeInode(inode, buffer.view, offset);
  volume.cache.markDirty(buffer, block, 'structure');
}

function checkInode(volume: Volume, inode: Inode): void {
  if (typeOfMode(inode.mode) === undefined) {
    throw volume.corrupt(`${inode.name}: unknown type in mode 0x${inode.mode.toString(16)}`);
  }
  const foreign = inode.flags & (INODE_FLAG.extents | INODE_FLAG.inlineData);
  if (foreign !== 0)
    throw volume.corrupt(`${inode.name}: flags 0x${foreign.toString(16)} without their feature`);
  const { blockSizeBytes, superblock } = volume;
  const deviceBytes = superblock.blocksCount * blockSizeBytes;
  const { sizeBytes } = inode;
  const wrongDirectory =
    inode.type === 'directory' &&
    (sizeBytes === 0 || sizeBytes % blockSizeBytes !== 0 || sizeBytes > deviceBytes);
  const wrongSymlink = inode.type === 'symlink' && sizeBytes > blockSizeBytes;
  const wrongFile = inode.type === 'file' && sizeBytes > volume.fileBytesMax;
  if (wrongDirectory || wrongSymlink || wrongFile) {
    throw volume.corrupt(`${inode.name}: a ${inode.type} of ${sizeBytes} bytes`);
  }
}
