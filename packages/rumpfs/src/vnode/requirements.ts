/**
 * The conditions that operations on vnodes check first. Each throws the `FsError` of its refusal.
 */
import { PATH_BYTES_MAX } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';
import type { Vnode } from './vnode.ts';

/** Refuses a node that has no data to read and write. */
export function requireFile(vnode: Vnode): void {
  if (vnode.type === 'directory') throw new FsError('IsDirectory', `node ${vnode.id} is a directory`);
  if (vnode.type !== 'file') throw new FsError('NotSupported', `node ${vnode.id} is a ${vnode.type}`);
}

/** Refuses a node that is no directory. */
export function requireDirectory(vnode: Vnode): void {
  if (vnode.type !== 'directory') throw new FsError('NotDirectory', `node ${vnode.id} is no directory`);
}

/** Refuses a directory that has been removed while somebody held it. */
export function requireLinked(directory: Vnode): void {
  if (directory.node.links === 0) throw new FsError('NotFound', 'the directory was removed');
}

/** Refuses a number that is no position in a file. */
export function requireOffset(offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0) {
    throw new FsError('InvalidArgument', `${offset} is no position in a file`);
  }
}

/** Checks the target of a new symbolic link. */
export function requireTarget(target: Uint8Array): void {
  if (target.length === 0 || target.includes(0))
    throw new FsError('InvalidArgument', 'a target without a path');
  if (target.length > PATH_BYTES_MAX)
    throw new FsError('PathTooLong', `a target has at most ${PATH_BYTES_MAX} bytes`);
}
