/**
 * Inodes on the device: their places in the groups, and how they are read from there and written
 * back.
 */
import { typeOfMode } from '../volume/volume-inode.ts';
import { FsError } from '../errors.ts';
import { hasBlocks, Inode } from './inode.ts';
import { decodeInode, encodeInode } from './inode-format.ts';
import { ROOT_INODE } from './superblock.ts';
import type { Volume } from './volume.ts';

const LINKS_MAX = 32_767;

/** The place of an inode: its fragment, and the byte in it. */
export function placeOf(volume: Volume, id: number): { readonly fragment: number; readonly offset: number } {
  const { superblock } = volume;
  const { inodesPerGroup, inodeSizeBytes, fragmentSizeBytes } = superblock;
  const position = (id % inodesPerGroup) * inodeSizeBytes;
  const table = superblock.inodeTable(Math.floor(id / inodesPerGroup));
  return { fragment: table + Math.floor(position / fragmentSizeBytes), offset: position % fragmentSizeBytes };
}

/** Reads and checks an inode that a directory names. */
export async function loadInode(volume: Volume, id: number): Promise<Inode> {
  const { superblock } = volume;
  if (id < ROOT_INODE || id >= superblock.inodes)
    throw volume.corrupt(`inode ${id} is none of the ${superblock.inodes} inodes`);
  if (id % superblock.inodesPerGroup >= (await writtenInodes(volume, id)))
    throw volume.corrupt(`inode ${id} was never written but has a name`);
  const { fragment, offset } = placeOf(volume, id);
  const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
  const inode = new Inode(id, superblock);
  decodeInode(inode, buffer.view, offset, superblock);
  if (inode.mode === 0 || inode.linkCount === 0 || volume.departures.has(id))
    throw volume.corrupt(`${inode.name} is not in use but has a name`);
  checkInode(volume, inode);
  return inode;
}

/** An inode without links that is in use; undefined where it is not so. */
export async function loadUnnamed(volume: Volume, id: number): Promise<Inode | undefined> {
  const { superblock } = volume;
  if (id <= ROOT_INODE || id >= superblock.inodes) return undefined;
  const { fragment, offset } = placeOf(volume, id);
  const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
  const inode = new Inode(id, superblock);
  decodeInode(inode, buffer.view, offset, superblock);
  if (inode.mode === 0 || inode.linkCount !== 0) return undefined;
  checkInode(volume, inode);
  return inode;
}

/** How many inodes of its group were ever written. A damaged group must not prevent reading. */
async function writtenInodes({ groups, superblock }: Volume, id: number): Promise<number> {
  const { inodesPerGroup } = superblock;
  if (superblock.revision === 1) return inodesPerGroup;
  try {
    return await groups.use(Math.floor(id / inodesPerGroup), (group) => group.writtenInodes);
  } catch (error) {
    if (error instanceof FsError) return inodesPerGroup;
    throw error;
  }
}

/** Writes the inode to its place in the table. */
export async function storeInode(volume: Volume, inode: Inode): Promise<void> {
  const { fragment, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
  encodeInode(inode, buffer.view, offset, volume.superblock);
  volume.cache.markDirty(buffer, fragment, 'structure');
}

/** Writes a new inode to its place, which held something older. */
export async function storeNewInode(volume: Volume, inode: Inode): Promise<void> {
  const { fragment, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(fragment) ?? (await volume.cache.read(fragment));
  buffer.bytes.fill(0, offset, offset + volume.superblock.inodeSizeBytes);
  encodeInode(inode, buffer.view, offset, volume.superblock);
  volume.cache.markDirty(buffer, fragment, 'structure');
}

/** Marks the place of an inode as free; only its generation stays. */
export async function clearInode(volume: Volume, inode: Inode): Promise<void> {
  const cleared = new Inode(inode.id, volume.superblock);
  cleared.generation = inode.generation;
  await storeNewInode(volume, cleared);
}

function checkInode(volume: Volume, inode: Inode): void {
  const { superblock } = volume;
  if (typeOfMode(inode.mode) === undefined)
    throw volume.corrupt(`${inode.name}: unknown type in mode 0x${inode.mode.toString(16)}`);
  if (inode.linkCount > LINKS_MAX) throw volume.corrupt(`${inode.name}: ${inode.linkCount} links`);
  const { sizeBytes, type } = inode;
  const deviceBytes = superblock.fragments * superblock.fragmentSizeBytes;
  const wrongSize =
    !Number.isSafeInteger(sizeBytes) ||
    sizeBytes < 0 ||
    (hasBlocks(inode, superblock) && sizeBytes > superblock.fileBytesMax) ||
    (type === 'directory' && (sizeBytes === 0 || sizeBytes % 512 !== 0 || sizeBytes > deviceBytes)) ||
    (type === 'symlink' && sizeBytes > superblock.blockSizeBytes);
  if (wrongSize) throw volume.corrupt(`${inode.name}: a ${type} of ${sizeBytes} bytes`);
}
