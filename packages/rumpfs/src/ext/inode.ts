import { FsError } from '../errors.ts';
import type { NodeType } from '../vnode/attributes.ts';

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

const TYPE_OF_MODE: Readonly<Record<number, NodeType>> = {
  1: 'fifo',
  2: 'character-device',
  4: 'directory',
  6: 'block-device',
  8: 'file',
  10: 'symlink',
  12: 'socket',
};

/** The kind of node that a mode means; undefined for a mode that no node has. */
export function typeOfMode(mode: number): NodeType | undefined {
  return TYPE_OF_MODE[mode >>> 12];
}

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
  /** Undefined where the inode has no room for it. */
  bornMs: number | undefined = undefined;
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
  /**
   * Whether its last name is gone in memory, but perhaps not on the device, where it keeps a link.
   */
  lingering = false;
  /**
   * The number of write-back passes that had begun when it was made; -1 if it was on the device
   * already.
   */
  madeAfterPasses = -1;
  /** The directory block that holds the newest name that it got in this mount; 0 for none. */
  nameBlock = 0;
  /** The number of blocks that were reserved the last time. */
  reservedWindow = 0;
  /** The index of this inode in the reservations, if it is there. */
  reservationSlot = 0;

  constructor(id: number) {
    this.id = id;
  }

  get type(): NodeType {
    const type = typeOfMode(this.mode);
    if (type === undefined)
      throw new Error('rumpfs: broken invariant: the mode was checked when it was loaded');
    return type;
  }

  /** Whether its blocks are mapped by extents. */
  get hasExtents(): boolean {
    return (this.flags & INODE_FLAG.extents) !== 0;
  }

  get hasInlineData(): boolean {
    return (this.flags & INODE_FLAG.inlineData) !== 0;
  }

  /** The name of the inode in messages. */
  get name(): string {
    return `inode ${this.id}`;
  }
}

/** Throws `NotPermitted` for a file that is marked as immutable or append-only. */
export function requireMutable(inode: Inode, appending = false): void {
  const forbidden = appending ? INODE_FLAG.immutable : INODE_FLAG.immutable | INODE_FLAG.appendOnly;
  if ((inode.flags & forbidden) === 0) return;
  throw new FsError('NotPermitted', `${inode.name} is marked immutable or append-only`);
}
