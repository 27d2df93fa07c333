import { ReaderWriterLock } from '@ginit/core/async';
import { assert, FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import type { AttributeChange, Attributes, DirectoryListing, FileSystemStatistics } from './attributes.ts';
import { DEFAULT_DIRECTORY, DEFAULT_FILE, type NewNode, SYMLINK_NODE } from './attributes.ts';
import type { FileSystem, FileSystemNode } from './file-system.ts';
import { type EntryName, encodeText, entryName } from './names.ts';
import {
  requireDirectory,
  requireFile,
  requireLinked,
  requireOffset,
  requireTarget,
} from './requirements.ts';
import { type MoveTree, requireMovable } from './movable.ts';
import { NameCache } from './name-cache.ts';
import { SyncTurns } from './sync-turns.ts';
import type { Vnode } from './vnode.ts';
import { VnodeTable } from './vnode-table.ts';

const BYTES_PER_IDLE_VNODE = 4096;
const IDLE_VNODES_MIN = 32;
const ENTRIES_PER_LIST_MAX = 1024;

/** What the mount itself asks of the world. */
export type MountHypercalls = Pick<Hypercalls, 'now' | 'memoryBytes'>;

/**
 * A mounted file system as its users see it: vnodes, operations on them, and the rules that hold
 * for every format.
 *
 * Locking. An operation on names takes `#names` shared and then one directory's lock, shared to
 * look and exclusive to change; `rename` and `removeDirectory`, which concern several directories,
 * take `#names` exclusively instead. An operation on a file's data takes that file's lock only. No
 * operation ever waits for a second lock of the same kind, so there is no order to violate,
 * whatever cycles a broken directory tree may have.
 *
 * Every method that resolves to a `Vnode` hands it over held: the caller gives it back with
 * `release`.
 */
export class Mount {
  readonly root: Vnode;
  readonly #fileSystem: FileSystem;
  readonly #hypercalls: MountHypercalls;
  readonly #table: VnodeTable;
  readonly #cache: NameCache;
  readonly #names = new ReaderWriterLock(WAITERS);
  readonly #endings = new Set<Promise<void>>();
  readonly #syncs: SyncTurns;
  readonly #moveTree: MoveTree;
  #unmounting: Promise<void> | undefined = undefined;
  #mounted = true;

  private constructor(fileSystem: FileSystem, hypercalls: MountHypercalls, table: VnodeTable, root: Vnode) {
    this.#fileSystem = fileSystem;
    this.#hypercalls = hypercalls;
    this.#table = table;
    this.#cache = new NameCache(table.idleMax);
    this.#syncs = new SyncTurns(() => fileSystem.sync());
    const release = (vnode: Vnode): Promise<void> => this.release(vnode);
    this.#moveTree = { root, get: (id) => table.get(id), release };
    this.root = root;
  }

  static async create(fileSystem: FileSystem, hypercalls: MountHypercalls): Promise<Mount> {
    const idleMax = Math.max(IDLE_VNODES_MIN, Math.floor(hypercalls.memoryBytes / BYTES_PER_IDLE_VNODE));
    const table = new VnodeTable(fileSystem, idleMax);
    const root = await table.get(fileSystem.rootId);
    if (root.type !== 'directory') throw new FsError('Corrupt', `the root, node ${root.id}, is no directory`);
    return new Mount(fileSystem, hypercalls, table, root);
  }

  /** The format's name, such as `ext2`. */
  get type(): string {
    return this.#fileSystem.type;
  }

  get writeable(): boolean {
    return this.#fileSystem.writeable;
  }

  statistics(): FileSystemStatistics {
    return this.#fileSystem.statistics();
  }

  /** Takes one more reference to a vnode that is held already. */
  hold(vnode: Vnode): Vnode {
    this.#table.hold(vnode);
    return vnode;
  }

  /**
   * Gives a vnode back. The last release of a file without names frees it; an error of that is
   * reported here.
   */
  async release(vnode: Vnode): Promise<void> {
    if (!this.#table.release(vnode)) return;
    const ending = this.#destroy(vnode);
    this.#endings.add(ending);
    try {
      await ending;
    } finally {
      this.#endings.delete(ending);
    }
  }

  attributes(vnode: Vnode): Attributes {
    return vnode.node.attributes();
  }

  async setAttributes(vnode: Vnode, change: AttributeChange): Promise<void> {
    this.#requireWriteable();
    const nowMs = await this.#hypercalls.now();
    await this.#exclusively(vnode, () => vnode.node.setAttributes(change, nowMs));
  }

  async read(file: Vnode, offset: number, into: Uint8Array): Promise<number> {
    requireFile(file);
    requireOffset(offset);
    if (!file.lock.tryShared()) await file.lock.shared();
    try {
      return await file.node.read(offset, into);
    } finally {
      file.lock.releaseShared();
    }
  }

  /** Resolves to the number of bytes written: fewer than given only where the space ended. */
  async write(file: Vnode, offset: number, from: Uint8Array): Promise<number> {
    requireFile(file);
    requireOffset(offset);
    this.#requireWriteable();
    const nowMs = await this.#hypercalls.now();
    return this.#exclusively(file, () => file.node.write(offset, from, nowMs));
  }

  /** Writes at the end of the file, wherever that is when the write's turn comes. */
  async append(file: Vnode, from: Uint8Array): Promise<number> {
    requireFile(file);
    this.#requireWriteable();
    const nowMs = await this.#hypercalls.now();
    return this.#exclusively(file, () => file.node.write(file.node.attributes().sizeBytes, from, nowMs));
  }

  async truncate(file: Vnode, sizeBytes: number): Promise<void> {
    requireFile(file);
    requireOffset(sizeBytes);
    this.#requireWriteable();
    const nowMs = await this.#hypercalls.now();
    await this.#exclusively(file, () => file.node.truncate(sizeBytes, nowMs));
  }

  async readLink(symlink: Vnode): Promise<string> {
    if (symlink.type !== 'symlink') throw new FsError('InvalidArgument', `node ${symlink.id} is no symlink`);
    return symlink.node.readLink();
  }

  /**
   * The node of a name, if it is found without a look at the device and nobody is changing names
   * there. It is not held, so it is good until the next `await`.
   */
  peek(directory: Vnode, name: string): Vnode | undefined {
    const id = directory.names?.get(name);
    if (id === undefined || directory.node.links === 0 || !this.#names.tryShared()) return undefined;
    const free = directory.lock.tryShared();
    if (free) directory.lock.releaseShared();
    this.#names.releaseShared();
    return free ? this.#table.peek(id) : undefined;
  }

  /** The node of a name; undefined if there is none. */
  async find(directory: Vnode, name: string): Promise<Vnode | undefined> {
    const entry = this.#entry(directory, name);
    return this.#looking(directory, () => this.#childOrNone(directory, entry));
  }

  /** The node of a name. `.` and `..` are handled by paths: see `path.ts`. */
  async lookup(directory: Vnode, name: string): Promise<Vnode> {
    const entry = this.#entry(directory, name);
    return this.#looking(directory, () => this.#child(directory, entry));
  }

  /**
   * Entries from `cursor` on: 0, or the `nextCursor` of an earlier call, which stays good whatever
   * happened since.
   */
  async list(directory: Vnode, cursor: number, entriesMax: number): Promise<DirectoryListing> {
    requireDirectory(directory);
    requireOffset(cursor);
    const most = Math.max(1, Math.min(entriesMax, ENTRIES_PER_LIST_MAX));
    return this.#looking(directory, () => directory.node.list(cursor, most));
  }

  async createFile(directory: Vnode, name: string, what: NewNode = DEFAULT_FILE): Promise<Vnode> {
    const entry = this.#entry(directory, name);
    return this.#creating(directory, entry, (nowMs) => directory.node.createFile(entry, what, nowMs));
  }

  async createDirectory(directory: Vnode, name: string, what: NewNode = DEFAULT_DIRECTORY): Promise<Vnode> {
    const entry = this.#entry(directory, name);
    return this.#creating(directory, entry, (nowMs) => directory.node.createDirectory(entry, what, nowMs));
  }

  async createSymlink(
    directory: Vnode,
    name: string,
    target: string,
    what: NewNode = SYMLINK_NODE,
  ): Promise<Vnode> {
    const entry = this.#entry(directory, name);
    const bytes = encodeText(target);
    requireTarget(bytes);
    return this.#creating(directory, entry, (nowMs) =>
      directory.node.createSymlink(entry, bytes, { ...what, permissions: SYMLINK_NODE.permissions }, nowMs),
    );
  }

  /** Gives a file another name. */
  async link(directory: Vnode, name: string, target: Vnode): Promise<void> {
    const entry = this.#entry(directory, name);
    await this.#changing(directory, async (nowMs) => {
      if (target.node.links === 0) throw new FsError('NotFound', 'the file has lost its last name');
      await this.#requireFreeName(directory, entry);
      if (target.type === 'directory') throw new FsError('IsDirectory', 'a directory has one name only');
      await directory.node.link(entry, target.node, nowMs);
    });
  }

  /** Removes the name of anything but a directory. */
  async unlink(directory: Vnode, name: string): Promise<void> {
    const entry = this.#entry(directory, name);
    let child: Vnode | undefined;
    try {
      await this.#changing(
        directory,
        async (nowMs) => {
          child = await this.#child(directory, entry);
          if (child.type === 'directory') throw new FsError('IsDirectory', `"${name}" is a directory`);
          await directory.node.unlink(entry, child.node, child.references > 1, nowMs);
        },
        name,
      );
    } finally {
      if (child !== undefined) await this.release(child);
    }
  }

  async removeDirectory(directory: Vnode, name: string): Promise<void> {
    const entry = this.#entry(directory, name);
    let child: Vnode | undefined;
    try {
      await this.#rearranging([[directory, name]], async (nowMs) => {
        requireLinked(directory);
        child = await this.#child(directory, entry);
        if (child.type !== 'directory') throw new FsError('NotDirectory', `"${name}" is no directory`);
        if (child === this.root) throw new FsError('Busy', 'the root stays');
        await directory.node.removeDirectory(entry, child.node, child.references > 1, nowMs);
      });
    } finally {
      if (child !== undefined) await this.release(child);
    }
  }

  /**
   * Moves an entry, replacing a file by a file or an empty directory by a directory; or, without
   * `replace`, only to a name that is free.
   */
  async rename(
    directory: Vnode,
    name: string,
    toDirectory: Vnode,
    toName: string,
    replace = true,
  ): Promise<void> {
    const from = this.#entry(directory, name);
    const to = this.#entry(toDirectory, toName);
    const held: Vnode[] = [];
    const concerned = [
      [directory, name],
      [toDirectory, toName],
    ] as const;
    try {
      await this.#rearranging(concerned, async (nowMs) => {
        requireLinked(directory);
        requireLinked(toDirectory);
        const source = await this.#child(directory, from);
        held.push(source);
        const takenId = await toDirectory.node.lookup(to);
        const taken = takenId === undefined ? undefined : await this.#table.get(takenId);
        if (taken !== undefined) held.push(taken);
        const sameSpelling = !(this.#fileSystem.ignoresCase === true && from.text !== to.text);
        if (replace && taken === source && sameSpelling) return;
        await requireMovable(this.#moveTree, { source, toDirectory, taken, replace, sameSpelling });
        const replaced = taken === source ? undefined : taken?.node;
        const replacedInUse = taken !== undefined && taken.references > 1;
        const names = { name: from, toName: to };
        const nodes = { source: source.node, toDirectory: toDirectory.node, replaced, replacedInUse };
        await directory.node.rename({ ...names, ...nodes }, nowMs);
      });
    } finally {
      for (const vnode of held) await this.release(vnode);
    }
  }

  /**
   * Resolves when everything that was acknowledged before the call is durable. Rejects with
   * `InputOutput` when some of it cannot be written. Calls that come while one runs share the next
   * one; those that come while the file system is unmounted settle with that, and later ones find
   * nothing to do.
   */
  sync(): Promise<void> {
    return this.#unmounting ?? this.#syncs.request();
  }

  /**
   * Writes everything back and marks the file system clean. Rejects with `Busy` while vnodes are
   * held.
   */
  async unmount(): Promise<void> {
    await Promise.allSettled(this.#endings);
    await this.sync();
    // Syncs asked for meanwhile go first: nothing may be written beside the last writes.
    await this.#syncs.settled();
    if (this.#table.held > 1 || this.root.references > 1) {
      throw new FsError('Busy', `${this.#table.held - 1} nodes are in use`);
    }
    this.#mounted = false;
    this.#unmounting = this.#fileSystem.unmount();
    await this.#unmounting;
  }

  async #destroy(vnode: Vnode): Promise<void> {
    try {
      await vnode.node.destroy(await this.#hypercalls.now());
    } finally {
      this.#table.remove(vnode);
    }
  }

  #entry(directory: Vnode, name: string): EntryName {
    requireDirectory(directory);
    return entryName(name, this.#fileSystem.nameBytesMax);
  }

  async #child(directory: Vnode, entry: EntryName): Promise<Vnode> {
    const vnode = await this.#childOrNone(directory, entry);
    if (vnode === undefined) throw new FsError('NotFound', `"${entry.text}" does not exist`);
    return vnode;
  }

  async #childOrNone(directory: Vnode, entry: EntryName): Promise<Vnode | undefined> {
    const id = await directory.node.lookup(entry);
    if (id === undefined) return undefined;
    const vnode = await this.#table.get(id);
    this.#cache.put(directory, entry.text, id);
    return vnode;
  }

  /** A name is taken away, or may have been. */
  #forget(directory: Vnode, name: string): void {
    // Where case is ignored, other spellings led to the node as well.
    if (this.#fileSystem.ignoresCase === true) this.#cache.clear(directory);
    else this.#cache.drop(directory, name);
  }

  async #requireFreeName(directory: Vnode, entry: EntryName): Promise<void> {
    const id = await directory.node.lookup(entry);
    if (id !== undefined) throw new FsError('Exists', `"${entry.text}" exists`);
  }

  async #creating(
    directory: Vnode,
    entry: EntryName,
    make: (nowMs: number) => Promise<FileSystemNode>,
  ): Promise<Vnode> {
    return this.#changing(directory, async (nowMs) => {
      await this.#requireFreeName(directory, entry);
      return this.#table.adopt(await make(nowMs));
    });
  }

  async #looking<Result>(directory: Vnode, action: () => Promise<Result>): Promise<Result> {
    if (!this.#names.tryShared()) await this.#names.shared();
    try {
      if (!directory.lock.tryShared()) await directory.lock.shared();
      try {
        requireLinked(directory);
        return await action();
      } finally {
        directory.lock.releaseShared();
      }
    } finally {
      this.#names.releaseShared();
    }
  }

  /** With `taken`, the name of that kind is not in the cache when the change has ended. */
  async #changing<Result>(
    directory: Vnode,
    action: (nowMs: number) => Promise<Result>,
    taken?: string,
  ): Promise<Result> {
    this.#requireWriteable();
    const nowMs = await this.#hypercalls.now();
    if (!this.#names.tryShared()) await this.#names.shared();
    try {
      return await this.#exclusively(directory, async () => {
        requireLinked(directory);
        try {
          return await action(nowMs);
        } finally {
          if (taken !== undefined) this.#forget(directory, taken);
        }
      });
    } finally {
      this.#names.releaseShared();
    }
  }

  async #rearranging(
    taken: readonly (readonly [Vnode, string])[],
    action: (nowMs: number) => Promise<void>,
  ): Promise<void> {
    this.#requireWriteable();
    const nowMs = await this.#hypercalls.now();
    await this.#names.exclusive();
    try {
      await action(nowMs);
    } finally {
      for (const [directory, name] of taken) this.#forget(directory, name);
      this.#names.releaseExclusive();
    }
  }

  async #exclusively<Result>(vnode: Vnode, action: () => Promise<Result>): Promise<Result> {
    if (!vnode.lock.tryExclusive()) await vnode.lock.exclusive();
    try {
      return await action();
    } finally {
      vnode.lock.releaseExclusive();
    }
  }

  #requireWriteable(): void {
    assert(this.#mounted, 'no modification after unmount');
    if (!this.#fileSystem.writeable) throw new FsError('ReadOnly', 'the file system is mounted read-only');
  }
}
