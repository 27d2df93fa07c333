import { FsError } from '../errors.ts';
import { VolumeInode } from '../volume/volume-inode.ts';

/** Fifteen block pointers of four bytes, or the root of a tree of extents. */
export const POINTERS_BYTES = 60;

export const INODE_FLAG = {
  immutable: 0x10,
  appendOnly: 0x20,
  /** The directory has a hash tree in what looks like free space to a linear reader. */
  directoryIndex: 0x1000,
  /** The count of sectors is one of blocks. */
  hugeFile: 0x4_0000,
  extents: 0x8_0000,
  /** The inode holds the content of large extended attributes. */
  attributeInode: 0x20_0000,
  inlineData: 0x1000_0000,
} as const;

/** An inode in memory. Whoever changes a field calls `storeInode` before the operation ends. */
export class Inode extends VolumeInode {
  attributesBlock = 0;
  /** The time of its deletion, in seconds. While it is an orphan, the number of the next orphan. */
  deletedTime = 0;
  extraBytes = 0;
  /** The state with which the checksums of the structures of this inode begin. */
  checksumSeed = 0;
  /** What the inode holds of its content, with inline_data. */
  inlineContent: Uint8Array | undefined = undefined;
  /**
   * Fifteen block pointers or the root of a tree of extents, as on the device; the target itself in
   * a short symlink.
   */
  readonly pointers = new DataView(new ArrayBuffer(POINTERS_BYTES));

  /** The place of the last run that was found or made: the likely neighbour of the next. */
  lastLogicalBlock = -1;
  lastBlock = 0;
  /**
   * The blocks kept for this file's growth, from `reservedFirst` up to but not including
   * `reservedEnd`.
   */
  reservedFirst = 0;
  reservedEnd = 0;
  /** The number of blocks that were reserved the last time. */
  reservedWindow = 0;
  /** The index of this inode in the reservations, if it is there. */
  reservationSlot = 0;

  /** Whether its blocks are mapped by extents. */
  get hasExtents(): boolean {
    return (this.flags & INODE_FLAG.extents) !== 0;
  }

  get hasInlineData(): boolean {
    return (this.flags & INODE_FLAG.inlineData) !== 0;
  }
}

/** Throws `NotPermitted` for a file that is marked as immutable or append-only. */
export function requireMutable(inode: Inode, appending = false): void {
  const forbidden = appending ? INODE_FLAG.immutable : INODE_FLAG.immutable | INODE_FLAG.appendOnly;
  if ((inode.flags & forbidden) === 0) return;
  throw new FsError('NotPermitted', `${inode.name} is marked immutable or append-only`);
}
