import { FsError } from '../errors.ts';
import type { Mount } from './mount.ts';
import { PATH_BYTES_MAX } from './names.ts';
import type { Vnode } from './vnode.ts';

/** More symbolic links than this in one path are a loop. */
const SYMLINKS_MAX = 40;

/**
 * Walks a path from `base`, which is the root of what the caller may see: an absolute symbolic link starts
 * there again, and `..` stops there. The way from `base` to where the walk is stands in a stack of held
 * directories, so that `..` never asks the device and cannot be led astray by it.
 */
class Walk {
  readonly #mount: Mount;
  readonly #way: Vnode[];
  readonly #left: string[];
  #symlinks = 0;

  constructor(mount: Mount, base: Vnode, path: string) {
    this.#mount = mount;
    this.#left = components(path).toReversed();
    this.#way = [mount.hold(base)];
  }

  /** Goes to the path's end. The vnode is handed over held. */
  async finish(followLast: boolean): Promise<Vnode> {
    try {
      for (let name = this.#left.pop(); name !== undefined; name = this.#left.pop()) {
        await this.#step(name, followLast || this.#left.length > 0);
      }
      return this.#mount.hold(this.#here());
    } finally {
      for (const vnode of this.#way) await this.#mount.release(vnode);
    }
  }

  #here(): Vnode {
    const vnode = this.#way.at(-1);
    if (vnode === undefined) throw new Error('rumpfs: broken invariant: a walk stands somewhere');
    return vnode;
  }

  async #step(name: string, follow: boolean): Promise<void> {
    const here = this.#here();
    if (here.type !== 'directory') throw new FsError('NotDirectory', `node ${here.id} is no directory`);
    if (name === '' || name === '.') return;
    if (name === '..') {
      await this.#up(1);
      return;
    }
    const next = await this.#mount.lookup(here, name);
    if (next.type === 'symlink' && follow) await this.#follow(next);
    else this.#way.push(next);
  }

  async #follow(symlink: Vnode): Promise<void> {
    let target: string;
    try {
      target = await this.#mount.readLink(symlink);
    } finally {
      await this.#mount.release(symlink);
    }
    this.#symlinks += 1;
    if (this.#symlinks > SYMLINKS_MAX)
      throw new FsError('SymlinkLoop', `more than ${SYMLINKS_MAX} symbolic links`);
    if (target === '') throw new FsError('NotFound', 'an empty symbolic link');
    if (target.startsWith('/')) await this.#up(this.#way.length);
    this.#left.push(...components(target).toReversed());
  }

  async #up(levels: number): Promise<void> {
    for (let left = levels; left > 0 && this.#way.length > 1; left -= 1) {
      const vnode = this.#way.pop();
      if (vnode !== undefined) await this.#mount.release(vnode);
    }
  }
}

/**
 * The node at a path below `base`, held for the caller. A symbolic link at the very end is followed only if
 * `followLast`; a path that ends with a slash leads to a directory.
 */
export function resolvePath(mount: Mount, base: Vnode, path: string, followLast = true): Promise<Vnode> {
  return new Walk(mount, base, path).finish(followLast);
}

/** Where a path's last name stands or would stand. The directory is held for the caller. */
export async function resolveParent(
  mount: Mount,
  base: Vnode,
  path: string,
): Promise<{ readonly directory: Vnode; readonly name: string }> {
  const names = components(path).filter((name) => name !== '');
  const name = names.pop();
  if (name === undefined || name === '.' || name === '..') {
    throw new FsError('InvalidName', `"${path}" ends with no name`);
  }
  const directory = await resolvePath(mount, base, names.join('/'));
  if (directory.type === 'directory') return { directory, name };
  await mount.release(directory);
  throw new FsError('NotDirectory', `what "${name}" stands in is no directory`);
}

function components(path: string): string[] {
  if (path.length > PATH_BYTES_MAX) throw new FsError('PathTooLong', `a path below ${PATH_BYTES_MAX} bytes`);
  return path.split('/');
}
