import { FsError } from '../errors.ts';
import type { NodeType } from '../vnode/attributes.ts';
import { decodeInode, encodeInode, formatInode, POINTERS_BYTES } from './inode-format.ts';
import { ROOT_INODE } from './superblock.ts';
import type { Volume } from './volume.ts';

export const INODE_FLAG = {
  immutable: 0x10,
  appendOnly: 0x20,
  /** The directory has a hash tree in what looks like free space to a linear reader. */
  directoryIndex: 0x1000,
  extents: 0x8_0000,
  inlineData: 0x1000_0000,
} as const;

const TYPE_OF_MODE: Readonly<Record<number, NodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** An inode in memory. Whoever changes a field calls `storeInode` before the operation ends. */
export class Inode {
  readonly id: number;
  mode = 0;
  uid = 0;
  gid = 0;
  sizeBytes = 0;
  linkCount = 0;
  /** Blocks in use, indirect and attribute blocks included, in units of 512 bytes. */
  sectors = 0;
  flags = 0;
  generation = 0;
  attributesBlock = 0;
  accessedMs = 0;
  modifiedMs = 0;
  changedMs = 0;
  /** When it was deleted, in seconds; the next orphan's number while it is an orphan. */
  deletedTime = 0;
  extraBytes = 0;
  /** Fifteen block pointers, as on the device; the target itself in a short symlink. */
  readonly pointers = new DataView(new ArrayBuffer(POINTERS_BYTES));

  /** Where the last run of blocks was found or made: the likely neighbour of the next. */
  lastLogicalBlock = -1;
  lastBlock = 0;
  /** The blocks kept for this file's growth, from `reservedFirst` up to but not including `reservedEnd`. */
  reservedFirst = 0;
  reservedEnd = 0;
  /** Its last name is gone, but perhaps not on the device: there it keeps a link. */
  lingering = false;
  /** After how many passes of write-back it was made; -1 if it was on the device already. */
  madeAfterPasses = -1;
  /** The directory block that has its newest name of this mount; 0 for none. */
  nameBlock = 0;
  /** How many blocks were kept the last time. */
  reservedWindow = 0;
  /** Where the reservations have this inode, if they do. */
  reservationSlot = 0;

  constructor(id: number) {
    this.id = id;
  }

  get type(): NodeType {
    const type = TYPE_OF_MODE[this.mode >>> 12];
    if (type === undefined)
      throw new Error('rumpfs: broken invariant: the mode was checked when it was loaded');
    return type;
  }

  /** For messages. */
  get name(): string {
    return `inode ${this.id}`;
  }
}

/** Where an inode is in its group's table. */
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

/** Brings the inode into its place in the table. */
export async function storeInode(volume: Volume, inode: Inode): Promise<void> {
  const { block, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(block) ?? (await volume.cache.read(block));
  encodeInode(inode, buffer.view, offset);
  volume.cache.markDirty(buffer, block, 'structure');
}

/** Brings a new inode into its place, which held something older. */
export async function storeNewInode(volume: Volume, inode: Inode): Promise<void> {
  const { block, offset } = placeOf(volume, inode.id);
  const buffer = volume.cache.peek(block) ?? (await volume.cache.read(block));
  formatInode(inode, buffer.view, offset, volume.superblock.inodeSizeBytes);
  encodeInode(inode, buffer.view, offset);
  volume.cache.markDirty(buffer, block, 'structure');
}

/** Throws `NotPermitted` for a file that is marked as not to be changed. */
export function requireMutable(inode: Inode, appending = false): void {
  const forbidden = appending ? INODE_FLAG.immutable : INODE_FLAG.immutable | INODE_FLAG.appendOnly;
  if ((inode.flags & forbidden) === 0) return;
  throw new FsError('NotPermitted', `${inode.name} is marked immutable or append-only`);
}

function checkInode(volume: Volume, inode: Inode): void {
  if (TYPE_OF_MODE[inode.mode >>> 12] === undefined) {
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
