import { FsError } from '../errors.ts';
import { VolumeInode } from '../volume/volume-inode.ts';
import { Fields } from './fields.ts';
import { DIRECT_POINTERS, INDIRECT_POINTERS, type Superblock } from './superblock.ts';

const FLAGS = {
  userImmutable: 0x2,
  userAppend: 0x4,
  systemImmutable: 0x2_0000,
  systemAppend: 0x4_0000,
} as const;
const IMMUTABLE = FLAGS.userImmutable | FLAGS.systemImmutable;
const APPEND_ONLY = FLAGS.userAppend | FLAGS.systemAppend;

/** An inode in memory. Whoever changes a field calls `storeInode` before the operation ends. */
export class Inode extends VolumeInode {
  /** UFS2 only: the bytes of the extended attributes, and where they are. */
  attributesBytes = 0;
  readonly attributePointers = [0, 0];
  /** The pointers as on the device, or the target of a short symbolic link. */
  readonly area: Fields;
  readonly #wide: boolean;

  /** The last block that was found or made, and where: the likely neighbour of the next. */
  lastLogicalBlock = -1;
  lastFragment = 0;
  constructor(id: number, superblock: Superblock) {
    super(id);
    this.#wide = superblock.revision === 2;
    const bytes = new Uint8Array((DIRECT_POINTERS + INDIRECT_POINTERS) * superblock.pointerBytes);
    this.area = new Fields(bytes, superblock.littleEndian);
  }

  pointer(index: number): number {
    return this.#wide ? this.area.i64(index * 8) : this.area.u32(index * 4);
  }

  setPointer(index: number, fragment: number): void {
    if (this.#wide) this.area.setI64(index * 8, fragment);
    else this.area.setU32(index * 4, fragment);
  }
}

/** Throws `NotPermitted` for a file that is marked as immutable or append-only. */
export function requireMutable(inode: Inode, appending = false): void {
  if ((inode.flags & (appending ? IMMUTABLE : IMMUTABLE | APPEND_ONLY)) === 0) return;
  throw new FsError('NotPermitted', `${inode.name} is marked immutable or append-only`);
}

/** Whether the inode has pointers to blocks, and not a target or nothing. */
export function hasBlocks(inode: Inode, superblock: Superblock): boolean {
  if (inode.type === 'symlink') return !isShortLink(inode, superblock);
  return inode.type === 'file' || inode.type === 'directory';
}

/** Whether the target of a symbolic link is in the inode itself. */
export function isShortLink(inode: Inode, superblock: Superblock): boolean {
  if (inode.sizeBytes < superblock.shortLinkBytesMax) return true;
  return inode.sectors === 0 && inode.sizeBytes <= inode.area.bytes.length;
}
