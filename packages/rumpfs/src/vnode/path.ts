import { PATH_BYTES_MAX, type WalkedTree, type WalkFailure, walkPath } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';
import type { Mount } from './mount.ts';
import type { Vnode } from './vnode.ts';

/** A mount as a walk along a path sees it. */
class MountTree implements WalkedTree<Vnode> {
  readonly #mount: Mount;

  constructor(mount: Mount) {
    this.#mount = mount;
  }

  hold(vnode: Vnode): Vnode {
    return this.#mount.hold(vnode);
  }

  release(vnode: Vnode): Promise<void> {
    return this.#mount.release(vnode);
  }

  lookup(directory: Vnode, name: string): Promise<Vnode> {
    return this.#mount.lookup(directory, name);
  }

  async readLink(symlink: Vnode): Promise<string> {
    return checkedPath(await this.#mount.readLink(symlink));
  }

  failure(why: WalkFailure, vnode: Vnode): FsError {
    switch (why) {
      case 'not a directory':
        return new FsError('NotDirectory', `node ${vnode.id} is no directory`);
      case 'too many symbolic links':
        return new FsError('SymlinkLoop', why);
      case 'an empty symbolic link':
        return new FsError('NotFound', why);
    }
  }
}

/**
 * The node at a path below `base`, held for the caller. `base` is the root of what the caller may
 * see. A symbolic link at the very end is followed only with `followLast`; a path that ends with a
 * slash leads to a directory.
 */
export async function resolvePath(
  mount: Mount,
  base: Vnode,
  path: string,
  followLast = true,
): Promise<Vnode> {
  return walkPath(new MountTree(mount), base, checkedPath(path), followLast);
}

/**
 * The place where a path's last name stands or would stand. The directory is held for the caller.
 */
export async function resolveParent(
  mount: Mount,
  base: Vnode,
  path: string,
): Promise<{ readonly directory: Vnode; readonly name: string }> {
  const names = checkedPath(path)
    .split('/')
    .filter((name) => name !== '');
  const name = names.pop();
  if (name === undefined || name === '.' || name === '..') {
    throw new FsError('InvalidName', `"${path}" ends with no name`);
  }
  const directory = await resolvePath(mount, base, names.join('/'));
  if (directory.type === 'directory') return { directory, name };
  await mount.release(directory);
  throw new FsError('NotDirectory', `what "${name}" stands in is no directory`);
}

function checkedPath(path: string): string {
  if (path.length <= PATH_BYTES_MAX) return path;
  throw new FsError('PathTooLong', `a path has at most ${PATH_BYTES_MAX} bytes`);
}
