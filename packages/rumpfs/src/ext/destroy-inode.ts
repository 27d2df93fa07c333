import { FsError, messageOf } from '../errors.ts';
import { freeBlocksFrom } from './block-map-shrink.ts';
import type { Departure } from '../volume/departures.ts';
import { releaseAttributes } from './extended-attributes.ts';
import type { Inode } from './inode.ts';
import { loadInode, storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';
import { isShortSymlink } from './symlink-place.ts';

/**
 * Frees an inode without links and everything that it occupies. After an error it still frees the
 * rest; the part that could not be freed stays marked as in use until a file system check.
 */
export async function destroyInode(parts: Parts, inode: Inode, nowMs: number): Promise<void> {
  const { volume, blocks, inodes, orphans } = parts;
  const directory = inode.type === 'directory';
  let failure: unknown;
  const attempt = async (step: () => Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failure ??= error;
    }
  };
  blocks.reservations.release(inode);
  // With a journal the node may be freed in several transactions: it is an orphan until the last.
  if (!volume.journalled) await attempt(() => orphans.remove(inode));
  if (hasBlocks(parts, inode)) {
    inode.sizeBytes = 0;
    await attempt(() => freeBlocksFrom(volume, blocks, inode, 0));
  }
  await attempt(() => releaseAttributes(volume, blocks, inode));
  if (volume.journalled) await attempt(() => orphans.remove(inode));
  inode.deletedTime = Math.floor(nowMs / 1000);
  inode.changedMs = nowMs;
  await attempt(() => storeInode(volume, inode));
  await attempt(() => inodes.free(inode.id, directory));
  if (failure !== undefined) throw failure;
}

/**
 * The names of a node are durably gone: frees it, or keeps it as an orphan while somebody has it
 * open.
 */
export async function depart(parts: Parts, { inode, abandonedMs }: Departure<Inode>): Promise<void> {
  const { volume, orphans } = parts;
  try {
    if (abandonedMs === undefined) await orphans.add(inode);
    else await destroyInode(parts, inode, abandonedMs);
  } catch (error) {
    // Nobody waits for the result any more; a contradiction to the format was reported where it was
    // found.
    const told = error instanceof FsError && error.code === 'Corrupt';
    const { formatName } = volume.superblock;
    if (!told) volume.hypercalls.console(`${formatName}: ${inode.name} cannot be freed: ${messageOf(error)}`);
  }
}

/**
 * Finishes work that a crash interrupted: frees the files that were open without a name, and blocks
 * that truncation had left.
 */
export async function mendOrphans(parts: Parts, nowMs: number): Promise<void> {
  if (parts.volume.superblock.lastOrphan === 0) return;
  await parts.volume.change(() => mendList(parts, nowMs));
}

async function mendList(parts: Parts, nowMs: number): Promise<void> {
  const { volume, blocks } = parts;
  let id = volume.superblock.lastOrphan;
  let mended = 0;
  try {
    for (; id !== 0; mended += 1) {
      const inode = await loadInode(volume, id, true);
      id = inode.deletedTime;
      if (inode.linkCount === 0) {
        await destroyInode(parts, inode, nowMs);
      } else {
        inode.deletedTime = 0;
        const keep = Math.ceil(inode.sizeBytes / volume.blockSizeBytes);
        if (hasBlocks(parts, inode)) await freeBlocksFrom(volume, blocks, inode, keep);
        await storeInode(volume, inode);
      }
      volume.superblock.lastOrphan = id;
      // A list may lead back to an inode that was visited before. If that inode was freed, loading
      // it fails; if it was mended, the list ends there, because its next number is 0.
    }
    const { formatName } = volume.superblock;
    volume.hypercalls.console(`${formatName}: ${mended} files without a name were freed`);
  } catch (error) {
    volume.superblock.lastOrphan = 0;
    const { formatName } = volume.superblock;
    volume.hypercalls.console(
      `${formatName}: the list of files without a name is broken: ${messageOf(error)}`,
    );
  }
}

function hasBlocks(parts: Parts, inode: Inode): boolean {
  const { type, hasInlineData } = inode;
  if (hasInlineData) return false;
  if (type === 'symlink') return !isShortSymlink(parts.volume, inode);
  return type === 'file' || type === 'directory';
}
