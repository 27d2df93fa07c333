import type { NewNode } from '../vnode/attributes.ts';
import type { EntryName } from '../vnode/names.ts';
import { destroyInode } from './destroy-inode.ts';
import { initialiseExtents } from './extent-tree.ts';
import { INCOMPATIBLE_FEATURE } from './features.ts';
import { type Inode, INODE_FLAG, requireMutable } from './inode.ts';
import { storeInode, storeNewInode } from './inode-table.ts';
import { addChildDirectory, touch } from './link-counts.ts';
import type { OpenInode } from './open-inode.ts';

const MODE_OF_TYPE = { file: 0x8000, directory: 0x4000, symlink: 0xa000 } as const;

/** The node to make. */
export interface NewInode {
  readonly name: EntryName;
  readonly type: keyof typeof MODE_OF_TYPE;
  readonly what: NewNode;
}

/**
 * Makes a node in a directory: first room for its name, then its inode, which `fill` completes, and
 * the name last. So on the device no name leads to an unfinished node.
 */
export async function createInode(
  directory: OpenInode,
  { name, type, what }: NewInode,
  nowMs: number,
  fill: (inode: Inode) => Promise<void>,
): Promise<Inode> {
  const { volume, inodes } = directory.parts;
  requireMutable(directory.inode, true);
  await directory.directory.moveOut();
  const place = await directory.directory.makeRoom(name.bytes);
  const inode = await inodes.allocate(directory.inode, type === 'directory');
  if (volume.superblock.has(INCOMPATIBLE_FEATURE.extents)) {
    inode.flags |= INODE_FLAG.extents;
    initialiseExtents(inode);
  }
  inode.mode = MODE_OF_TYPE[type] | (what.permissions & 0o7777);
  inode.uid = what.uid;
  inode.gid = what.gid;
  inode.linkCount = 1;
  inode.accessedMs = nowMs;
  inode.modifiedMs = nowMs;
  inode.changedMs = nowMs;
  try {
    await storeNewInode(volume, inode);
    await fill(inode);
    await storeInode(volume, inode);
    await directory.directory.insert(place, name.bytes, inode.id, type);
  } catch (error) {
    inode.linkCount = 0;
    await destroyInode(directory.parts, inode, nowMs);
    throw error;
  }
  if (type === 'directory') addChildDirectory(volume, directory.inode);
  await touch(directory, nowMs);
  return inode;
}
