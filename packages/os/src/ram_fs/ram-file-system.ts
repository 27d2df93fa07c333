/** The file system: a tree of nodes in memory, behind the interface of File_system backends. */
import { hasCode, RpcError } from '@ginit/core';
import {
  type BackendListing,
  bytesOfText,
  type FileSystemBackend,
  type FileSystemErrorCode,
  type FileSystemSpace,
  type NodeStatus,
} from '@ginit/core/file_system';
import type { Budget } from './budget.ts';
import { DirectoryEntries } from './directory-entries.ts';
import { FileData } from './file-data.ts';
import type { RamDirectory, RamFile, RamNode, RamSymlink } from './ram-node.ts';

/** The largest file. */
const FILE_BYTES_MAX = 2 ** 40;
/** The most names of one file, or directories in one directory. */
const LINKS_MAX = 65_000;
/** What a node and a name take of the budget beside their texts. */
const NODE_COST_BYTES = 512;
const NAME_COST_BYTES = 128;
const ROOT_ID = 1;
/** The nodes that there may be, as far as `space` says; memory is what bounds them. */
const NODES_MAX = 2 ** 32;

/** The wall clock: milliseconds since the start of 1970. */
export type Now = () => number | Promise<number>;

function failure(code: FileSystemErrorCode, message?: string): RpcError<FileSystemErrorCode> {
  return new RpcError(code, message);
}

/** A file system in memory. Each operation is done in one step, once there is memory for it. */
export class RamFileSystem implements FileSystemBackend<RamNode> {
  readonly writeable = true;
  readonly root: RamDirectory;
  readonly #budget: Budget;
  readonly #now: Now;
  #nextId = ROOT_ID;
  #nodes = 0;

  constructor(budget: Budget, now: Now) {
    this.#budget = budget;
    this.#now = now;
    this.root = this.#directory(0);
    this.root.parent = this.root;
    this.root.links = 2;
  }

  hold(node: RamNode): void {
    node.held++;
  }

  async release(node: RamNode): Promise<void> {
    if (node.held <= 0) throw new Error('assertion failed: a node that is released is held');
    node.held--;
    this.#destroyUnused(node);
  }

  errorCode(): undefined {
    return undefined;
  }

  status(node: RamNode): NodeStatus {
    const { type, id, links, modifiedMs } = node;
    const mode = type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644;
    return { type, sizeBytes: sizeOf(node), inode: id, links, mode, modifiedMs };
  }

  async setModified(node: RamNode, modifiedMs: number): Promise<void> {
    node.modifiedMs = modifiedMs;
  }

  async read(node: RamNode, position: number, into: Uint8Array): Promise<number> {
    return requireFile(node).data.read(position, into);
  }

  write(node: RamNode, position: number, from: Uint8Array): Promise<number> {
    return this.#write(requireFile(node), () => position, from);
  }

  append(node: RamNode, from: Uint8Array): Promise<number> {
    const file = requireFile(node);
    return this.#write(file, () => file.data.sizeBytes, from);
  }

  async truncate(node: RamNode, sizeBytes: number): Promise<void> {
    const file = requireFile(node);
    if (sizeBytes > FILE_BYTES_MAX) throw failure('Size_limit_reached');
    const nowMs = await this.#now();
    file.data.truncate(sizeBytes);
    file.modifiedMs = nowMs;
  }

  async readLink(node: RamNode): Promise<string> {
    if (node.type !== 'symlink') throw failure('Invalid_argument');
    return node.target;
  }

  async lookup(node: RamNode, name: string): Promise<RamNode> {
    const found = requireDirectory(node).entries.get(name);
    if (!found) throw failure('Lookup_failed');
    this.hold(found);
    return found;
  }

  async list(node: RamNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    const { entries } = requireDirectory(node);
    const found = entries.after(cursor, entriesMax);
    return {
      entries: found.map(({ name, node: { id, type } }) => ({ name, id, type })),
      nextCursor: found.length < entriesMax ? undefined : found.at(-1)?.order,
    };
  }

  createFile(directory: RamNode, name: string): Promise<RamNode> {
    return this.#create(directory, name, 0, (nowMs) => this.#file(nowMs));
  }

  createDirectory(directory: RamNode, name: string): Promise<RamNode> {
    return this.#create(directory, name, 0, (nowMs) => {
      if (directory.links >= LINKS_MAX) throw failure('Too_many_links');
      return this.#directory(nowMs);
    });
  }

  createSymlink(directory: RamNode, name: string, target: string): Promise<RamNode> {
    return this.#create(directory, name, byteLength(target), (nowMs) => this.#symlink(target, nowMs));
  }

  link(node: RamNode, name: string, target: RamNode): Promise<void> {
    return this.#withRoom(nameCost(name), (nowMs) => {
      const directory = requireDirectory(node);
      if (directory.entries.get(name)) throw failure('Node_already_exists');
      if (target.type === 'directory') throw failure('Is_a_directory');
      if (target.links === 0) throw failure('Lookup_failed');
      if (target.links >= LINKS_MAX) throw failure('Too_many_links');
      requireNamed(directory);
      this.#enter(directory, name, target, nowMs);
    });
  }

  async unlink(node: RamNode, name: string): Promise<void> {
    const nowMs = await this.#now();
    const directory = requireDirectory(node);
    const target = requireEntry(directory, name);
    if (target.type === 'directory') throw failure('Is_a_directory');
    this.#leave(directory, name, target, nowMs);
  }

  async removeDirectory(node: RamNode, name: string): Promise<void> {
    const nowMs = await this.#now();
    const directory = requireDirectory(node);
    const target = requireEntry(directory, name);
    if (target.type !== 'directory') throw failure('Not_a_directory');
    if (target.entries.size > 0) throw failure('Not_empty');
    this.#leave(directory, name, target, nowMs);
  }

  rename(fromNode: RamNode, name: string, toNode: RamNode, toName: string): Promise<void> {
    return this.#withRoom(nameCost(toName), (nowMs) =>
      this.#rename(requireDirectory(fromNode), name, requireDirectory(toNode), toName, nowMs),
    );
  }

  /** Memory is as stable as it gets. */
  async sync(): Promise<void> {}

  async space(): Promise<FileSystemSpace> {
    const { totalBytes, freeBytes } = await this.#budget.space();
    return { totalBytes, freeBytes, totalNodes: NODES_MAX, freeNodes: NODES_MAX - this.#nodes };
  }

  #rename(from: RamDirectory, name: string, to: RamDirectory, toName: string, nowMs: number): void {
    const node = requireEntry(from, name);
    requireNamed(to);
    if (node.type === 'directory' && isWithin(to, node)) throw failure('Invalid_argument');
    const replaced = to.entries.get(toName);
    // Two names of one file: POSIX leaves both.
    if (replaced === node) return;
    if (replaced) this.#refuseReplacing(node, replaced);
    if (node.type === 'directory' && from !== to && to.links >= LINKS_MAX) throw failure('Too_many_links');
    this.hold(node);
    if (replaced) this.#leave(to, toName, replaced, nowMs);
    this.#leave(from, name, node, nowMs);
    this.#enter(to, toName, node, nowMs);
    node.held--;
  }

  #refuseReplacing(node: RamNode, replaced: RamNode): void {
    if (node.type !== 'directory') {
      if (replaced.type === 'directory') throw failure('Is_a_directory');
    } else if (replaced.type !== 'directory') throw failure('Not_a_directory');
    else if (replaced.entries.size > 0) throw failure('Not_empty');
  }

  async #write(file: RamFile, at: () => number, from: Uint8Array): Promise<number> {
    const nowMs = await this.#now();
    const needed = (): number => {
      if (at() > FILE_BYTES_MAX - from.length) throw failure('Size_limit_reached');
      return file.data.costOf(at(), from.length);
    };
    const write = (): number => {
      const written = file.data.write(at(), from);
      if (written > 0) file.modifiedMs = nowMs;
      return written;
    };
    try {
      while (this.#budget.room < needed()) await this.#budget.makeRoom(needed());
    } catch (error) {
      if (!hasCode(error, 'No_space')) throw error;
      // What there is room for is written all the same.
      const written = write();
      if (written === 0) throw error;
      return written;
    }
    return write();
  }

  #create(
    parent: RamNode,
    name: string,
    moreBytes: number,
    make: (nowMs: number) => RamNode,
  ): Promise<RamNode> {
    return this.#withRoom(NODE_COST_BYTES + moreBytes + nameCost(name), (nowMs) => {
      const directory = requireDirectory(parent);
      if (directory.entries.get(name)) throw failure('Node_already_exists');
      requireNamed(directory);
      const node = make(nowMs);
      this.hold(node);
      this.#enter(directory, name, node, nowMs);
      return node;
    });
  }

  /**
   * Calls `action`, which takes it, in the step in which there turns out to be room for `bytes`.
   */
  async #withRoom<Result>(bytes: number, action: (nowMs: number) => Result): Promise<Result> {
    const nowMs = await this.#now();
    while (this.#budget.room < bytes) await this.#budget.makeRoom(bytes);
    return action(nowMs);
  }

  #enter(directory: RamDirectory, name: string, node: RamNode, nowMs: number): void {
    this.#budget.take(nameCost(name));
    directory.entries.add(name, node);
    directory.modifiedMs = nowMs;
    node.links++;
    if (node.type !== 'directory') return;
    node.links++;
    node.parent = directory;
    directory.links++;
  }

  #leave(directory: RamDirectory, name: string, node: RamNode, nowMs: number): void {
    directory.entries.remove(name);
    this.#budget.give(nameCost(name));
    directory.modifiedMs = nowMs;
    node.links--;
    if (node.type === 'directory') {
      node.links--;
      directory.links--;
    }
    this.#destroyUnused(node);
  }

  #destroyUnused(node: RamNode): void {
    if (node.links > 0 || node.held > 0) return;
    this.#nodes--;
    if (node.type === 'file') node.data.truncate(0);
    const moreBytes = node.type === 'symlink' ? byteLength(node.target) : 0;
    this.#budget.give(NODE_COST_BYTES + moreBytes);
  }

  #file(modifiedMs: number): RamFile {
    return { ...this.#common('file', modifiedMs, 0), data: new FileData(this.#budget) };
  }

  #directory(modifiedMs: number): RamDirectory {
    const entries = new DirectoryEntries<RamNode>();
    return { ...this.#common('directory', modifiedMs, 0), entries, parent: undefined };
  }

  #symlink(target: string, modifiedMs: number): RamSymlink {
    return { ...this.#common('symlink', modifiedMs, byteLength(target)), target };
  }

  #common<Type extends RamNode['type']>(type: Type, modifiedMs: number, moreBytes: number) {
    const id = this.#nextId++;
    // The root is paid by what the component has anyway.
    if (id !== ROOT_ID) this.#budget.take(NODE_COST_BYTES + moreBytes);
    this.#nodes++;
    return { id, type, links: 0, held: 0, modifiedMs };
  }
}

function sizeOf(node: RamNode): number {
  switch (node.type) {
    case 'file':
      return node.data.sizeBytes;
    case 'symlink':
      return byteLength(node.target);
    case 'directory':
      return node.entries.size;
  }
}

/**
 * Names and targets are bytes that may be no UTF-8. They were checked, so there always are some.
 */
function byteLength(text: string): number {
  return bytesOfText(text)?.length ?? text.length;
}

function nameCost(name: string): number {
  return NAME_COST_BYTES + byteLength(name);
}

function requireFile(node: RamNode): RamFile {
  if (node.type === 'file') return node;
  throw failure(node.type === 'directory' ? 'Is_a_directory' : 'Is_a_symlink');
}

function requireDirectory(node: RamNode): RamDirectory {
  if (node.type === 'directory') return node;
  throw failure('Not_a_directory');
}

function requireEntry(directory: RamDirectory, name: string): RamNode {
  const node = directory.entries.get(name);
  if (!node) throw failure('Lookup_failed');
  return node;
}

/** Nothing new can be put into a directory that was removed. */
function requireNamed(directory: RamDirectory): void {
  if (directory.links === 0) throw failure('Lookup_failed');
}

/** Whether `directory` is `ancestor`, or lies below it. */
function isWithin(directory: RamDirectory, ancestor: RamDirectory): boolean {
  for (let at: RamDirectory | undefined = directory; at; at = at.parent === at ? undefined : at.parent) {
    if (at === ancestor) return true;
  }
  return false;
}
