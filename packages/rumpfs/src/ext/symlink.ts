import { textOfBytes } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';
import type { BlockAllocator } from './block-allocator.ts';
import { readFile } from './file-read.ts';
import { writeFile } from './file-write.ts';
import { type Inode, INODE_FLAG, POINTERS_BYTES } from './inode.ts';
import { isShortSymlink } from './symlink-place.ts';
import type { Volume } from './volume.ts';

/*
 * A target of less than 60 bytes stands in the inode, where other inodes have their block pointers;
 * a longer one is the contents of the inode's first block, with a zero byte behind it.
 */

export async function readSymlink(volume: Volume, inode: Inode): Promise<string> {
  if (inode.inlineContent !== undefined) return textOfBytes(inode.inlineContent.subarray(0, inode.sizeBytes));
  if (!isShortSymlink(volume, inode)) {
    const bytes = new Uint8Array(inode.sizeBytes);
    await readFile(volume, inode, 0, bytes);
    return textOfBytes(bytes);
  }
  if (inode.sizeBytes >= POINTERS_BYTES) {
    throw volume.corrupt(`${inode.name}: a short symlink of ${inode.sizeBytes} bytes`);
  }
  return textOfBytes(new Uint8Array(inode.pointers.buffer, 0, inode.sizeBytes));
}

/** Gives a new inode its target. The inode is stored. */
export async function writeSymlink(
  volume: Volume,
  blocks: BlockAllocator,
  inode: Inode,
  target: Uint8Array,
  nowMs: number,
): Promise<void> {
  if (target.length < POINTERS_BYTES) {
    inode.flags &= ~INODE_FLAG.extents;
    new Uint8Array(inode.pointers.buffer).fill(0);
    new Uint8Array(inode.pointers.buffer).set(target);
    inode.sizeBytes = target.length;
  } else {
    await writeFile(volume, blocks, inode, 0, target, nowMs);
  }
}

/** Throws `NameTooLong` for a target that has no room in a block. */
export function requireTargetFits(volume: Volume, target: Uint8Array): void {
  if (target.length < volume.blockSizeBytes) return;
  throw new FsError('NameTooLong', `a symbolic link here has less than ${volume.blockSizeBytes} bytes`);
}
