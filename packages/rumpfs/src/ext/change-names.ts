import { FsError } from '../errors.ts';
import type { EntryName } from '../vnode/names.ts';
import type { RecordPlace } from './directory-record.ts';
import { type Inode, requireMutable } from './inode.ts';
import {
  addChildDirectory,
  changeLinks,
  dropChildDirectory,
  dropLinks,
  requireLinkLeft,
  requireRoomForDirectory,
  touch,
} from './link-counts.ts';
import type { OpenInode } from './open-inode.ts';

/** Gives a node one more name. */
export async function linkInode(
  directory: OpenInode,
  name: EntryName,
  target: OpenInode,
  nowMs: number,
): Promise<void> {
  const { inode } = target;
  requireLinkLeft(directory.parts.volume, inode);
  requireMutable(inode);
  requireMutable(directory.inode, true);
  await directory.directory.moveOut();
  const place = await directory.directory.makeRoom(name.bytes);
  await changeLinks(target, 1, nowMs);
  try {
    await directory.directory.insert(place, name.bytes, inode.id, inode.type);
    inode.nameBlock = await directory.directory.blockOf(place);
  } catch (error) {
    await changeLinks(target, -1, nowMs);
    throw error;
  }
  await touch(directory, nowMs);
}

/** Takes a name from anything but a directory; `inUse` says that somebody has it open. */
export async function unlinkInode(
  directory: OpenInode,
  name: EntryName,
  target: OpenInode,
  inUse: boolean,
  nowMs: number,
): Promise<void> {
  requireMutable(directory.inode);
  requireMutable(target.inode);
  await directory.directory.moveOut();
  await removeName(directory, await placeOf(directory, name, target.inode), name, target.inode);
  await dropLinks(target, 1, inUse, nowMs);
  await touch(directory, nowMs);
}

/** Takes the name from an empty directory. */
export async function unlinkDirectory(
  directory: OpenInode,
  name: EntryName,
  target: OpenInode,
  inUse: boolean,
  nowMs: number,
): Promise<void> {
  requireMutable(directory.inode);
  requireMutable(target.inode);
  await requireEmpty(target, name);
  await directory.directory.moveOut();
  await removeName(directory, await placeOf(directory, name, target.inode), name, target.inode);
  await dropLinks(target, target.inode.linkCount, inUse, nowMs);
  dropChildDirectory(directory.inode);
  await touch(directory, nowMs);
}

/** A move of a node to another name; `replaced` is the node that has that name so far. */
export interface Move {
  readonly source: OpenInode;
  readonly from: OpenInode;
  readonly fromName: EntryName;
  readonly to: OpenInode;
  readonly toName: EntryName;
  readonly replaced: OpenInode | undefined;
  readonly replacedInUse: boolean;
}

/**
 * Moves a node. The caller has checked the types, and that a directory does not move below itself.
 */
export async function renameInode(move: Move, nowMs: number): Promise<void> {
  const { source, from, to, replaced } = move;
  const changesParent = source.inode.type === 'directory' && to.inode !== from.inode;
  requireMutable(from.inode);
  requireMutable(source.inode);
  requireMutable(to.inode, replaced === undefined);
  if (changesParent && replaced === undefined) requireRoomForDirectory(to.parts.volume, to.inode);
  if (replaced?.inode.type === 'directory') await requireEmpty(replaced, move.toName);
  await from.directory.moveOut();
  await to.directory.moveOut();
  if (changesParent) await source.directory.moveOut();
  const place = await placeOf(from, move.fromName, source.inode);
  await enterNewName(move, nowMs);
  await removeName(from, place, move.fromName, source.inode);
  await changeLinks(source, -1, nowMs);
  if (changesParent) {
    await source.directory.setParent(to.inode.id);
    dropChildDirectory(from.inode);
    addChildDirectory(to.parts.volume, to.inode);
  }
  if (replaced !== undefined) {
    const directory = replaced.inode.type === 'directory';
    await dropLinks(replaced, directory ? replaced.inode.linkCount : 1, move.replacedInUse, nowMs);
    if (directory) dropChildDirectory(to.inode);
  }
  await touch(from, nowMs);
  await touch(to, nowMs);
}

/**
 * Enters the new name first, with one link more, so that a crash at no moment leaves a name without
 * its link.
 */
async function enterNewName(move: Move, nowMs: number): Promise<void> {
  const { source, to, toName, replaced } = move;
  const { id, type } = source.inode;
  const place =
    replaced === undefined
      ? await to.directory.makeRoom(toName.bytes)
      : await placeOf(to, toName, replaced.inode);
  await changeLinks(source, 1, nowMs);
  try {
    if (replaced === undefined) await to.directory.insert(place, toName.bytes, id, type);
    else await to.directory.setTarget(place, id, type);
    source.inode.nameBlock = await to.directory.blockOf(place);
  } catch (error) {
    await changeLinks(source, -1, nowMs);
    throw error;
  }
}

/**
 * Takes a name of an inode out. The newest of its other names is brought to the device before that.
 */
async function removeName(
  directory: OpenInode,
  place: RecordPlace,
  name: EntryName,
  inode: Inode,
): Promise<void> {
  const { cache } = directory.parts.volume;
  const block = await directory.directory.blockOf(place);
  const ordered = inode.nameBlock === 0 || cache.orderNames(inode.nameBlock, block);
  if (!ordered) await cache.flushDurably();
  await directory.directory.remove(place, name.bytes);
}

/**
 * The place of the name. It must lead to that inode, because the lock has been held since the name
 * was looked up.
 */
async function placeOf(directory: OpenInode, name: EntryName, inode: Inode): Promise<RecordPlace> {
  const place = await directory.directory.find(name.bytes);
  if (place !== undefined && (await directory.directory.targetAt(place)) === inode.id) return place;
  throw directory.parts.volume.corrupt(`${directory.inode.name}: the entry of inode ${inode.id} is lost`);
}

async function requireEmpty(directory: OpenInode, name: EntryName): Promise<void> {
  if (await directory.directory.isEmpty()) return;
  throw new FsError('NotEmpty', `"${name.text}" is not empty`);
}
