import { textOfBytes } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';
import { readFile } from './file-read.ts';
import { writeFile } from './file-write.ts';
import { type Inode, isShortLink } from './inode.ts';
import type { Parts } from './parts.ts';
import type { Volume } from './volume.ts';

/*
 * A target that is shorter than the place of the pointers stands in that place; a longer one is the
 * contents of a file.
 */

export async function readSymlink(volume: Volume, inode: Inode): Promise<string> {
  if (isShortLink(inode, volume.superblock))
    return textOfBytes(inode.area.bytes.subarray(0, inode.sizeBytes));
  const bytes = new Uint8Array(inode.sizeBytes);
  await readFile(volume, inode, 0, bytes);
  return textOfBytes(bytes);
}

/** Gives a new inode its target. */
export async function writeSymlink(
  parts: Parts,
  inode: Inode,
  target: Uint8Array,
  nowMs: number,
): Promise<void> {
  if (target.length >= parts.volume.superblock.shortLinkBytesMax) {
    await writeFile(parts, inode, 0, target, nowMs);
    return;
  }
  inode.area.bytes.set(target);
  inode.sizeBytes = target.length;
}

/** Throws `NameTooLong` for a target that has no room in a block. */
export function requireTargetFits({ superblock }: Volume, target: Uint8Array): void {
  if (target.length < superblock.blockSizeBytes) return;
  throw new FsError('NameTooLong', `a symbolic link here has less than ${superblock.blockSizeBytes} bytes`);
}
