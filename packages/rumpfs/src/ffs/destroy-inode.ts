import { FsError, messageOf } from '../errors.ts';
import type { Departure } from '../volume/departures.ts';
import type { UnnamedInode } from '../wapbl/log-records.ts';
import { shrinkTo } from './block-map-shrink.ts';
import { cutInSteps } from './cut-in-steps.ts';
import { hasBlocks, type Inode } from './inode.ts';
import { clearInode, loadUnnamed, storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';

/**
 * `destroyInode` as an operation of its own; with a log as several, since what is long does not fit
 * into one transaction.
 */
export async function destroyUnnamed(parts: Parts, inode: Inode): Promise<void> {
  try {
    await cutInSteps(parts, inode, 0);
  } finally {
    await parts.volume.change(() => destroyInode(parts, inode));
  }
}

/**
 * Frees an inode without links and everything that it occupies. After an error it still frees the
 * rest; the part that could not be freed stays marked as in use until a check.
 */
export async function destroyInode(parts: Parts, inode: Inode): Promise<void> {
  const { volume, inodes } = parts;
  const directory = inode.type === 'directory';
  let failure: unknown;
  const attempt = async (step: () => Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      failure ??= error;
    }
  };
  if (hasBlocks(inode, volume.superblock)) await attempt(() => shrinkTo(parts, inode, 0));
  if (inode.attributesBytes > 0) await attempt(() => freeAttributes(parts, inode));
  await attempt(() => clearInode(volume, inode));
  await attempt(() => inodes.free(inode.id, directory));
  volume.journalling?.log.setUnnamed(inode.id, undefined);
  if (failure !== undefined) throw failure;
}

/** The names of a node are durably gone: frees it, unless somebody has it open. */
export async function depart(parts: Parts, { inode, abandonedMs }: Departure<Inode>): Promise<void> {
  const { volume } = parts;
  try {
    if (abandonedMs === undefined) await storeInode(volume, inode);
    else await destroyInode(parts, inode);
  } catch (error) {
    // Nobody waits for the result any more; a contradiction to the format was reported where it was
    // found.
    const told = error instanceof FsError && error.code === 'Corrupt';
    const { formatName } = volume.superblock;
    if (!told) volume.hypercalls.console(`${formatName}: ${inode.name} cannot be freed: ${messageOf(error)}`);
  }
}

/**
 * Frees inodes that a log has as in use, perhaps without a name, as far as they have none. What
 * fails is told, and left to a check.
 */
export async function freeUnnamed(parts: Parts, unnamed: readonly UnnamedInode[]): Promise<void> {
  const { volume } = parts;
  let freed = 0;
  for (const { id } of unnamed) {
    try {
      const inode = await loadUnnamed(volume, id);
      if (inode === undefined) {
        volume.journalling?.log.setUnnamed(id, undefined);
        continue;
      }
      await destroyUnnamed(parts, inode);
      freed += 1;
    } catch (error) {
      volume.hypercalls.console(
        `${volume.superblock.formatName}: inode ${id} of the log cannot be freed: ${messageOf(error)}`,
      );
    }
  }
  if (freed > 0)
    volume.hypercalls.console(`${volume.superblock.formatName}: ${freed} files without a name were freed`);
}

/** Frees the extended attributes: at most two blocks, the last of them as fragments. */
async function freeAttributes({ volume, space }: Parts, inode: Inode): Promise<void> {
  const { blockSizeBytes, fragmentSizeBytes } = volume.superblock;
  const pointers = [...inode.attributePointers];
  const bytes = inode.attributesBytes;
  inode.attributePointers.fill(0);
  inode.attributesBytes = 0;
  await storeInode(volume, inode);
  for (const [index, first] of pointers.entries()) {
    const left = Math.min(blockSizeBytes, bytes - index * blockSizeBytes);
    if (first !== 0 && left > 0) await space.free(first, Math.ceil(left / fragmentSizeBytes), inode.name);
  }
}
