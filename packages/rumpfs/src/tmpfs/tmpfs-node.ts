/**
 * A node of the file system in memory. Each change is done in one step, once there is memory for
 * it.
 */
import { textOfBytes } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';
import type {
  AttributeChange,
  Attributes,
  DirectoryListing,
  NewNode,
  NodeType,
} from '../vnode/attributes.ts';
import type { FileSystemNode, Rename } from '../vnode/file-system.ts';
import type { EntryName } from '../vnode/names.ts';
import { NAME_COST_BYTES, NODE_COST_BYTES } from './costs.ts';
import type { DirectoryEntries } from './directory-entries.ts';
import type { FileData } from './file-data.ts';
import type { Memory } from './memory.ts';

/** The largest file. */
const FILE_BYTES_MAX = 2 ** 40;
/** The most names of one file, or directories in one directory. */
const LINKS_MAX = 65_000;

/** What a node holds. */
export type TmpfsContent =
  | { readonly kind: 'file'; readonly data: FileData }
  | { readonly kind: 'directory'; readonly entries: DirectoryEntries<TmpfsNode>; parentId: number }
  | { readonly kind: 'symlink'; readonly target: string; readonly targetBytes: number };

/** The file system as its nodes see it. */
export interface TmpfsNodes {
  readonly memory: Memory;
  makeFile(what: NewNode, nowMs: number): TmpfsNode;
  makeDirectory(parentId: number, what: NewNode, nowMs: number): TmpfsNode;
  makeSymlink(target: string, targetBytes: number, what: NewNode, nowMs: number): TmpfsNode;
  /** A node that is destroyed. */
  forget(node: TmpfsNode): void;
}

/** What a node begins with. */
export interface TmpfsBirth {
  readonly id: number;
  readonly content: TmpfsContent;
  readonly what: NewNode;
  readonly nowMs: number;
}

/** The node. */
export class TmpfsNode implements FileSystemNode {
  readonly id: number;
  links = 0;
  readonly #fs: TmpfsNodes;
  readonly #content: TmpfsContent;
  #attributes: Required<AttributeChange> & { readonly changedMs: number };

  constructor(fs: TmpfsNodes, { id, content, what, nowMs }: TmpfsBirth) {
    this.#fs = fs;
    this.id = id;
    this.#content = content;
    this.#attributes = { ...what, accessedMs: nowMs, modifiedMs: nowMs, changedMs: nowMs };
  }

  get type(): NodeType {
    return this.#content.kind;
  }

  attributes(): Attributes {
    const { id, links, type } = this;
    return {
      id,
      links,
      type,
      ...this.#attributes,
      sizeBytes: this.#sizeBytes,
      allocatedBytes: this.#allocatedBytes,
    };
  }

  async setAttributes(change: AttributeChange, nowMs: number): Promise<void> {
    this.#attributes = { ...this.#attributes, ...change, changedMs: nowMs };
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    return this.#data.read(offset, into);
  }

  async write(offset: number, from: Uint8Array, nowMs: number): Promise<number> {
    if (offset > FILE_BYTES_MAX - from.length)
      throw new FsError('FileTooLarge', `a file of ${offset} bytes and more`);
    const data = this.#data;
    const { memory } = this.#fs;
    const write = (): number => {
      const written = data.write(offset, from);
      if (written > 0) this.#modified(nowMs);
      return written;
    };
    try {
      for (let cost = data.costOf(offset, from.length); memory.room < cost; ) {
        await memory.makeRoom(cost);
        cost = data.costOf(offset, from.length);
      }
    } catch (error) {
      if (!(error instanceof FsError) || error.code !== 'NoSpace') throw error;
      // What there is room for is written all the same.
      const written = write();
      if (written === 0) throw error;
      return written;
    }
    return write();
  }

  async truncate(sizeBytes: number, nowMs: number): Promise<void> {
    if (sizeBytes > FILE_BYTES_MAX) throw new FsError('FileTooLarge', `a file of ${sizeBytes} bytes`);
    this.#data.truncate(sizeBytes);
    this.#modified(nowMs);
  }

  async readLink(): Promise<string> {
    if (this.#content.kind !== 'symlink') throw new FsError('InvalidArgument', `node ${this.id} is no link`);
    return this.#content.target;
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    return this.#entries.get(name.text)?.id;
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const found = this.#entries.after(cursor, entriesMax);
    return {
      entries: found.map(({ name, node: { id, type } }) => ({ name, id, type })),
      nextCursor: found.length < entriesMax ? undefined : found.at(-1)?.order,
    };
  }

  async parent(): Promise<number> {
    return this.#directory.parentId;
  }

  async createFile(name: EntryName, what: NewNode, nowMs: number): Promise<TmpfsNode> {
    await this.#room(NODE_COST_BYTES + nameCost(name));
    return this.#enter(name, this.#fs.makeFile(what, nowMs), nowMs);
  }

  async createDirectory(name: EntryName, what: NewNode, nowMs: number): Promise<TmpfsNode> {
    this.#requireLinks(this.links);
    await this.#room(NODE_COST_BYTES + nameCost(name));
    return this.#enter(name, this.#fs.makeDirectory(this.id, what, nowMs), nowMs);
  }

  async createSymlink(name: EntryName, target: Uint8Array, what: NewNode, nowMs: number): Promise<TmpfsNode> {
    await this.#room(NODE_COST_BYTES + target.length + nameCost(name));
    return this.#enter(name, this.#fs.makeSymlink(textOfBytes(target), target.length, what, nowMs), nowMs);
  }

  async link(name: EntryName, target: FileSystemNode, nowMs: number): Promise<void> {
    const node = ours(target);
    this.#requireLinks(node.links);
    await this.#room(nameCost(name));
    node.#changed(nowMs);
    this.#enter(name, node, nowMs);
  }

  async unlink(name: EntryName, target: FileSystemNode, _inUse: boolean, nowMs: number): Promise<void> {
    this.#leave(name, ours(target), nowMs);
  }

  async removeDirectory(
    name: EntryName,
    target: FileSystemNode,
    _inUse: boolean,
    nowMs: number,
  ): Promise<void> {
    const node = ours(target);
    node.#requireEmpty();
    this.#leave(name, node, nowMs);
  }

  async rename(move: Rename, nowMs: number): Promise<void> {
    const { name, toName } = move;
    const [source, to] = [ours(move.source), ours(move.toDirectory)];
    const replaced = move.replaced && ours(move.replaced);
    if (replaced?.type === 'directory') replaced.#requireEmpty();
    if (source.type === 'directory' && to !== this && !replaced) this.#requireLinks(to.links);
    await this.#room(nameCost(toName));
    if (replaced) to.#leave(toName, replaced, nowMs);
    this.#leave(name, source, nowMs);
    to.#enter(toName, source, nowMs);
    source.#changed(nowMs);
  }

  deactivate(): void {}

  async destroy(): Promise<void> {
    if (this.#content.kind === 'file') this.#content.data.truncate(0);
    const moreBytes = this.#content.kind === 'symlink' ? this.#content.targetBytes : 0;
    this.#fs.memory.give(NODE_COST_BYTES + moreBytes);
    this.#fs.forget(this);
  }

  reclaim(): void {}

  get #sizeBytes(): number {
    switch (this.#content.kind) {
      case 'file':
        return this.#content.data.sizeBytes;
      case 'directory':
        return this.#content.entries.size;
      case 'symlink':
        return this.#content.targetBytes;
    }
  }

  get #allocatedBytes(): number {
    return this.#content.kind === 'file' ? this.#content.data.allocatedBytes : 0;
  }

  get #data(): FileData {
    if (this.#content.kind === 'file') return this.#content.data;
    throw new Error(`rumpfs: broken invariant: node ${this.id} is a file`);
  }

  get #directory(): Extract<TmpfsContent, { kind: 'directory' }> {
    if (this.#content.kind === 'directory') return this.#content;
    throw new Error(`rumpfs: broken invariant: node ${this.id} is a directory`);
  }

  get #entries(): DirectoryEntries<TmpfsNode> {
    return this.#directory.entries;
  }

  #enter(name: EntryName, node: TmpfsNode, nowMs: number): TmpfsNode {
    this.#fs.memory.take(nameCost(name));
    this.#entries.add(name.text, node);
    this.#modified(nowMs);
    node.links += 1;
    if (node.#content.kind !== 'directory') return node;
    node.links += 1;
    node.#content.parentId = this.id;
    this.links += 1;
    return node;
  }

  #leave(name: EntryName, node: TmpfsNode, nowMs: number): void {
    this.#entries.remove(name.text);
    this.#fs.memory.give(nameCost(name));
    this.#modified(nowMs);
    node.links -= 1;
    node.#changed(nowMs);
    if (node.type !== 'directory') return;
    node.links -= 1;
    this.links -= 1;
  }

  #modified(nowMs: number): void {
    this.#attributes = { ...this.#attributes, modifiedMs: nowMs, changedMs: nowMs };
  }

  #changed(nowMs: number): void {
    this.#attributes = { ...this.#attributes, changedMs: nowMs };
  }

  #requireEmpty(): void {
    if (this.#entries.size > 0) throw new FsError('NotEmpty', `directory ${this.id} is not empty`);
  }

  #requireLinks(links: number): void {
    if (links >= LINKS_MAX) throw new FsError('TooManyLinks', `at most ${LINKS_MAX} links`);
  }

  /** Waits until there is room, which nobody else has taken. */
  async #room(bytes: number): Promise<void> {
    while (this.#fs.memory.room < bytes) await this.#fs.memory.makeRoom(bytes);
  }
}

/** A node of this file system: all that the mount hands back are. */
function ours(node: FileSystemNode): TmpfsNode {
  if (node instanceof TmpfsNode) return node;
  throw new Error('rumpfs: broken invariant: a node of another file system');
}

function nameCost(name: EntryName): number {
  return NAME_COST_BYTES + name.bytes.length;
}
