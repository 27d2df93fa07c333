/** Nodes by their paths, as the calls of Linux find and make them. */
import { FsError } from '../errors.ts';
import type { NewNode } from '../vnode/attributes.ts';
import type { Mount } from '../vnode/mount.ts';
import { resolveParent, resolvePath } from '../vnode/path.ts';
import type { Vnode } from '../vnode/vnode.ts';
import { CONSTANTS } from './constants.ts';

const SYMLINKS_MAX = 40;
const PERMISSION_BITS = 0o7777;
/** From the root, with one slash before each name, and no `.` or `..` among them. */
const PLAIN_PATH = /^(?:\/(?!\.{1,2}(?:\/|$))[^/\0]+)+$/;
const { O_CREAT, O_EXCL, O_TRUNC, O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = CONSTANTS;

/** Who makes new nodes. */
export interface Maker {
  readonly uid: number;
  readonly gid: number;
  /** The permissions that new nodes do not get. */
  readonly umask: number;
}

/** Whether a path ends with no name that could be given or taken: `/`, `.` or `..`. */
export function namesNothing(path: string): boolean {
  return /(?:^|\/)\.{0,2}\/*$/.test(path.replace(/\/+$/, ''));
}

/** The nodes of a mount. */
export class PathNodes {
  readonly #mount: Mount;
  readonly #maker: Maker;

  constructor(mount: Mount, maker: Maker) {
    this.#mount = mount;
    this.#maker = maker;
  }

  /** Does something with the node at a path. */
  async at<Result>(path: string, follow: boolean, work: (vnode: Vnode) => Promise<Result>): Promise<Result> {
    const known = this.peek(path, follow);
    const vnode = known === undefined ? await this.#find(path, follow) : this.#mount.hold(known);
    try {
      return await work(vnode);
    } finally {
      await this.#mount.release(vnode);
    }
  }

  /** Does something in the directory in which a path's last name stands or would stand. */
  async in(path: string, work: (directory: Vnode, name: string) => Promise<void>): Promise<void> {
    const { directory, name } = await this.#parent(path);
    try {
      await work(directory, name);
    } finally {
      await this.#mount.release(directory);
    }
  }

  /**
   * The node at a path whose names were all found lately, with no link among them. It is not held,
   * so it is good until the next `await`.
   */
  peek(path: string, follow: boolean): Vnode | undefined {
    if (!PLAIN_PATH.test(path)) return undefined;
    let vnode = this.#mount.root;
    for (let at = 1; at < path.length; ) {
      const slash = path.indexOf('/', at);
      const end = slash === -1 ? path.length : slash;
      const next = this.#mount.peek(vnode, path.slice(at, end));
      if (next === undefined) return undefined;
      if (next.type === 'symlink' && (follow || end < path.length)) return undefined;
      if (next.type !== 'directory' && end < path.length) return undefined;
      vnode = next;
      at = end + 1;
    }
    return vnode;
  }

  async #parent(path: string): Promise<{ readonly directory: Vnode; readonly name: string }> {
    const slash = path.lastIndexOf('/');
    const directory =
      slash > 0 && slash < path.length - 1 ? this.peek(path.slice(0, slash), true) : undefined;
    if (directory?.type !== 'directory') return resolveParent(this.#mount, this.#mount.root, path);
    return { directory: this.#mount.hold(directory), name: path.slice(slash + 1) };
  }

  /** Opens a file or a directory; it is held for the caller. */
  async opened(path: string, flags: number, mode: number): Promise<Vnode> {
    const vnode = await this.#foundOrMade(path, flags, mode);
    try {
      const writes = (flags & 3) !== O_RDONLY;
      if (vnode.type === 'directory') {
        if (writes || (flags & O_CREAT) !== 0) throw new FsError('IsDirectory', `"${path}" is a directory`);
      } else if ((flags & O_DIRECTORY) !== 0) {
        throw new FsError('NotDirectory', `"${path}" is no directory`);
      } else if (vnode.type === 'symlink') {
        throw new FsError('SymlinkLoop', `"${path}" is a symbolic link`);
      }
      if (writes && !this.#mount.writeable) throw new FsError('ReadOnly', 'the file system is read-only');
      if ((flags & O_TRUNC) !== 0 && vnode.type === 'file' && this.#mount.attributes(vnode).sizeBytes > 0) {
        await this.#mount.truncate(vnode, 0);
      }
      return vnode;
    } catch (error) {
      await this.#mount.release(vnode);
      throw error;
    }
  }

  /** The properties of a new node. */
  newNode(mode: number): NewNode {
    const { uid, gid, umask } = this.#maker;
    return { permissions: mode & PERMISSION_BITS & ~umask, uid, gid };
  }

  /** Fails with what speaks against a new node at a path that names nothing. */
  async refuseNew(path: string): Promise<never> {
    return this.at(path, true, async () => {
      throw new FsError('Exists', `"${path}" exists`);
    });
  }

  /** Fails with what speaks against the removal of a directory whose path names nothing. */
  async refuseRemoval(path: string): Promise<never> {
    return this.at(path, true, async (vnode) => {
      if (vnode === this.#mount.root) throw new FsError('Busy', 'the root stays');
      const parent = /\.\.\/*$/.test(path);
      throw new FsError(parent ? 'NotEmpty' : 'InvalidArgument', `"${path}" is no name`);
    });
  }

  /** Refuses a path that ends with a slash and leads to no directory. */
  async requireDirectoryAt(path: string): Promise<void> {
    if (!path.endsWith('/')) return;
    await this.at(path, true, async (vnode) => {
      if (vnode.type !== 'directory') throw new FsError('NotDirectory', `"${path}" is no directory`);
    });
  }

  /** Refuses a name that is taken. */
  async requireFree(directory: Vnode, name: string): Promise<void> {
    const vnode = await this.#mount.find(directory, name);
    if (vnode === undefined) return;
    await this.#mount.release(vnode);
    throw new FsError('Exists', `"${name}" exists`);
  }

  /** The names on the way to a node, without links. */
  async realPath(path: string): Promise<string> {
    const way: string[] = [];
    const left = path.split('/').toReversed();
    for (let links = 0; left.length > 0; ) {
      const name = left.pop() ?? '';
      if (name === '' || name === '.') continue;
      if (name === '..') {
        way.pop();
        continue;
      }
      const target = await this.#linkAt(`/${[...way, name].join('/')}`, left.length === 0);
      if (target === undefined) {
        way.push(name);
        continue;
      }
      links += 1;
      if (links > SYMLINKS_MAX) throw new FsError('SymlinkLoop', 'too many symbolic links');
      if (target.startsWith('/')) way.length = 0;
      left.push(...target.split('/').toReversed());
    }
    return `/${way.join('/')}`;
  }

  /** Where the link at a path leads; undefined if there is none, but something to go on from. */
  #linkAt(path: string, last: boolean): Promise<string | undefined> {
    return this.at(path, false, async (vnode) => {
      if (vnode.type === 'symlink') return this.#mount.readLink(vnode);
      if (!last && vnode.type !== 'directory') throw new FsError('NotDirectory', `"${path}" is no directory`);
      return undefined;
    });
  }

  #find(path: string, follow: boolean): Promise<Vnode> {
    if (path === '') throw new FsError('NotFound', 'an empty path');
    return resolvePath(this.#mount, this.#mount.root, path, follow);
  }

  async #foundOrMade(path: string, flags: number, mode: number): Promise<Vnode> {
    if ((flags & O_CREAT) === 0) return this.#find(path, (flags & O_NOFOLLOW) === 0);
    if (namesNothing(path)) return this.#find(path, true);
    let way = path;
    for (let links = 0; links <= SYMLINKS_MAX; links += 1) {
      const found = await this.#step(way, flags, mode);
      if (typeof found !== 'string') return found;
      way = found;
    }
    throw new FsError('SymlinkLoop', 'too many symbolic links');
  }

  /** The node at a path, made if need be, or the path to which the link there leads. */
  async #step(path: string, flags: number, mode: number): Promise<Vnode | string> {
    const { directory, name } = await this.#parent(path);
    try {
      const known = await this.#mount.find(directory, name);
      if (known === undefined) {
        if (path.endsWith('/')) throw new FsError('IsDirectory', `"${path}" leads to a directory`);
        return await this.#mount.createFile(directory, name, this.newNode(mode));
      }
      if ((flags & O_EXCL) !== 0) {
        await this.#mount.release(known);
        throw new FsError('Exists', `"${path}" exists`);
      }
      if (known.type !== 'symlink' || (flags & O_NOFOLLOW) !== 0) {
        if (!path.endsWith('/') || known.type === 'directory') return known;
        await this.#mount.release(known);
        throw new FsError('NotDirectory', `"${path}" is no directory`);
      }
      try {
        const target = await this.#mount.readLink(known);
        return target.startsWith('/') ? target : `${path.replace(/[^/]*\/*$/, '')}${target}`;
      } finally {
        await this.#mount.release(known);
      }
    } finally {
      await this.#mount.release(directory);
    }
  }
}
