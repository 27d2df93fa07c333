import { FsError } from '../errors.ts';
import { READ_ONLY_FEATURE } from './features.ts';
import { type Inode, INODE_FLAG } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { OpenInode } from './open-inode.ts';
import type { Volume } from './volume.ts';

const LINKS_MAX_EXT2 = 32_000;
const LINKS_MAX_EXT4 = 65_000;
/** The count of a directory that has more directories in it than can be counted. */
const UNCOUNTED = 1;
/**
 * The links of an empty directory: its name and its `.`. Each directory in it adds one, its `..`.
 */
export const DIRECTORY_LINKS_MIN = 2;

/** Throws `TooManyLinks` where one more is not allowed. */
export function requireLinkLeft(volume: Volume, inode: Inode): void {
  if (inode.linkCount < linksMax(volume)) return;
  throw new FsError('TooManyLinks', `${inode.name} has ${inode.linkCount} links`);
}

/** Throws `TooManyLinks` where a directory may not have one more directory in it. */
export function requireRoomForDirectory(volume: Volume, directory: Inode): void {
  if (!isUncountable(volume, directory)) requireLinkLeft(volume, directory);
}

function linksMax({ superblock }: Volume): number {
  return superblock.formatName === 'ext4' ? LINKS_MAX_EXT4 : LINKS_MAX_EXT2;
}

/** Only a directory with a hash tree may lose count of the directories in it, as in the kernel. */
function isUncountable({ superblock }: Volume, { flags }: Inode): boolean {
  return superblock.allows(READ_ONLY_FEATURE.directoryLinks) && (flags & INODE_FLAG.directoryIndex) !== 0;
}

/** Notes that a directory has one more directory in it. The caller stores the inode. */
export function addChildDirectory(volume: Volume, inode: Inode): void {
  if (inode.linkCount === UNCOUNTED) return;
  inode.linkCount += 1;
  if (inode.linkCount >= linksMax(volume) && isUncountable(volume, inode)) inode.linkCount = UNCOUNTED;
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
export async function dropLinks(
  open: OpenInode,
  count: number,
  inUse: boolean,
  nowMs: number,
): Promise<void> {
  const { inode, parts } = open;
  const { cache, departures } = parts.volume;
  inode.linkCount = Math.max(0, inode.linkCount - count);
  inode.changedMs = nowMs;
  const named = inode.linkCount > 0;
  // With a journal the name and the links go together, so the node is an orphan from now on.
  const lingers = !parts.volume.journalled && inode.madeAfterPasses < cache.passes;
  if (!named && lingers) departures.add(inode);
  if (!named && !lingers && (inUse || parts.volume.journalled)) await parts.orphans.add(inode);
  else await storeInode(parts.volume, inode);
}

/** Notes that a directory has lost one of the directories in it. The caller stores the inode. */
export function dropChildDirectory(inode: Inode): void {
  if (inode.linkCount === UNCOUNTED) return;
  inode.linkCount = Math.max(DIRECTORY_LINKS_MIN, inode.linkCount - 1);
}

/** Notes that the directory itself was changed. */
export async function touch(open: OpenInode, nowMs: number): Promise<void> {
  open.inode.modifiedMs = nowMs;
  open.inode.changedMs = nowMs;
  await storeInode(open.parts.volume, open.inode);
}
