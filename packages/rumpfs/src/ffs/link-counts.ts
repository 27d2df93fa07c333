import { FsError } from '../errors.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { OpenInode } from './open-inode.ts';

/** A count of 16 bits with a sign. */
const LINKS_MAX = 32_767;
/**
 * The links of an empty directory: its name and its `.`. Each directory in it adds one, its `..`.
 */
export const DIRECTORY_LINKS_MIN = 2;

/** Throws `TooManyLinks` where one more is not allowed. */
export function requireLinkLeft(inode: Inode): void {
  if (inode.linkCount < LINKS_MAX) return;
  throw new FsError('TooManyLinks', `${inode.name} has ${inode.linkCount} links`);
}

export async function changeLinks(open: OpenInode, change: number, nowMs: number): Promise<void> {
  open.inode.linkCount += change;
  open.inode.changedMs = nowMs;
  await storeInode(open.parts.volume, open.inode);
}

/**
 * Notes that a node has lost names. A node without names lives on while it is in use, and on the
 * device until its names are gone there, too. The names of a node that was made since the last pass
 * of write-back were never there.
 */
export async function dropLinks(open: OpenInode, count: number, nowMs: number): Promise<void> {
  const { inode, parts } = open;
  const { cache, departures, journalling } = parts.volume;
  inode.linkCount = Math.max(0, inode.linkCount - count);
  inode.changedMs = nowMs;
  if (inode.linkCount === 0) {
    // With a log the name and the links go together.
    if (journalling !== undefined) journalling.log.setUnnamed(inode.id, inode.mode);
    else if (inode.madeAfterPasses < cache.passes) departures.add(inode);
  }
  await storeInode(parts.volume, inode);
}

/** Notes that a directory has lost one of the directories in it. The caller stores the inode. */
export function dropChildDirectory(inode: Inode): void {
  inode.linkCount = Math.max(DIRECTORY_LINKS_MIN, inode.linkCount - 1);
}

/** Notes that the directory itself was changed. */
export async function touch(open: OpenInode, nowMs: number): Promise<void> {
  open.inode.modifiedMs = nowMs;
  open.inode.changedMs = nowMs;
  await storeInode(open.parts.volume, open.inode);
}
