import { ReadAhead } from '../buffer/read-ahead.ts';
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
import { ATTRIBUTE } from './attribute.ts';
import { ClusterRun } from './cluster-run.ts';
import type { FileData } from './file-data.ts';
import { directoryOf } from './directory-of.ts';
import { blockOfCluster } from './layout.ts';
import type { PlacedNode, PlacedNodes } from './placed-nodes.ts';

/** The permissions that are shown; the formats know only whether a file is read-only. */
const DIRECTORY_PERMISSIONS = 0o755;
const FILE_PERMISSIONS = 0o644;
const READ_ONLY_PERMISSIONS = 0o444;

/** What every node of these formats has in memory. */
export interface FatState<State> extends PlacedNode<State> {
  readonly isDirectory: boolean;
  readonly data: FileData;
  readonly directory: FatDirectory | undefined;
}

/** Where an entry is. */
export interface FoundPlace {
  readonly slot: number;
  readonly position: number;
}

/** The entries of a directory, as far as nodes look at them. */
export interface FatDirectory {
  find(text: string): Promise<FoundPlace | undefined>;
}

/** The times that entries have, and the size that is shown. */
export type FatAttributes = Pick<Attributes, 'sizeBytes' | 'accessedMs' | 'modifiedMs' | 'allocatedBytes'>;

/** A file or directory of a FAT or exFAT as the vnode layer sees it. */
export abstract class FatNode<State extends FatState<State>> implements FileSystemNode {
  readonly id: number;
  readonly type: NodeType;
  readonly #formatName: string;
  readonly #nodes: PlacedNodes<State>;
  readonly #state: State;
  readonly #readAhead = new ReadAhead();

  /** @param formatName in messages, such as `a FAT` */
  constructor(formatName: string, nodes: PlacedNodes<State>, state: State) {
    this.#formatName = formatName;
    this.#nodes = nodes;
    this.#state = state;
    this.id = state.id;
    this.type = state.isDirectory ? 'directory' : 'file';
  }

  /** The bits of `ATTRIBUTE` in the node's entry. */
  protected abstract attributeBits: number;
  /** Takes a time of modification over into the entry. */
  protected abstract setModified(ms: number): void;
  protected abstract setAccessed(ms: number): void;
  protected abstract shown(): FatAttributes;
  /** Stores what changes when a file does. */
  protected abstract store(): Promise<void>;
  protected abstract create(name: EntryName, isDirectory: boolean, nowMs: number): Promise<FileSystemNode>;
  protected abstract remove(name: EntryName, target: State, nowMs: number): Promise<void>;
  protected abstract move(move: FatMove<State>, nowMs: number): Promise<void>;
  abstract list(cursor: number, entriesMax: number): Promise<DirectoryListing>;
  abstract destroy(): Promise<void>;

  get state(): State {
    return this.#state;
  }

  get links(): number {
    return this.#state.linked ? 1 : 0;
  }

  attributes(): Attributes {
    const shown = this.shown();
    return {
      id: this.id,
      type: this.type,
      links: this.links,
      permissions: this.#permissions,
      uid: 0,
      gid: 0,
      changedMs: shown.modifiedMs,
      ...shown,
    };
  }

  async setAttributes(change: AttributeChange): Promise<void> {
    if ((change.uid ?? 0) !== 0 || (change.gid ?? 0) !== 0)
      throw new FsError('NotPermitted', `${this.#formatName} has no owners: all is owned by 0`);
    const bits = this.#bitsFor(change.permissions);
    await this.#state.data.volume.begin();
    this.attributeBits = bits;
    if (change.modifiedMs !== undefined) this.setModified(change.modifiedMs);
    if (change.accessedMs !== undefined) this.setAccessed(change.accessedMs);
    await this.store();
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const { data } = this.#state;
    const length = await data.read(offset, into);
    this.#readAhead.advance(data.volume.cache, data.validBytes, offset, length, this.#prefetch);
    return length;
  }

  async write(offset: number, from: Uint8Array, nowMs: number): Promise<number> {
    const { data } = this.#state;
    await data.volume.begin();
    try {
      return await data.write(offset, from);
    } finally {
      await this.#changed(nowMs);
    }
  }

  async truncate(sizeBytes: number, nowMs: number): Promise<void> {
    const { data } = this.#state;
    await data.volume.begin();
    try {
      await data.truncate(sizeBytes, () => this.store());
    } finally {
      await this.#changed(nowMs);
    }
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    const found = await directoryOf(this.#state).find(name.text);
    return found === undefined ? undefined : this.#nodes.identify(this.#state, found);
  }

  parent(): Promise<number> {
    return Promise.resolve((this.#state.parent ?? this.#nodes.root).id);
  }

  reclaim(): void {
    this.#nodes.reclaim(this.#state);
  }

  readLink(): Promise<string> {
    return Promise.reject(this.#noSymlinks());
  }

  createFile(name: EntryName, _what: NewNode, nowMs: number): Promise<FileSystemNode> {
    return this.create(name, false, nowMs);
  }

  createDirectory(name: EntryName, _what: NewNode, nowMs: number): Promise<FileSystemNode> {
    return this.create(name, true, nowMs);
  }

  createSymlink(): Promise<FileSystemNode> {
    return Promise.reject(this.#noSymlinks());
  }

  link(): Promise<void> {
    return Promise.reject(new FsError('NotSupported', `a file on ${this.#formatName} has one name only`));
  }

  unlink(name: EntryName, target: FileSystemNode, _inUse: boolean, nowMs: number): Promise<void> {
    return this.remove(name, this.#own(target), nowMs);
  }

  removeDirectory(name: EntryName, target: FileSystemNode, _inUse: boolean, nowMs: number): Promise<void> {
    return this.remove(name, this.#own(target), nowMs);
  }

  rename(move: Rename, nowMs: number): Promise<void> {
    return this.move(
      {
        source: this.#own(move.source),
        from: this.#state,
        to: this.#own(move.toDirectory),
        toName: move.toName,
        replaced: move.replaced === undefined ? undefined : this.#own(move.replaced),
      },
      nowMs,
    );
  }

  deactivate(): void {
    // Nothing serves an open file only.
  }

  get #permissions(): number {
    if (this.#state.isDirectory) return DIRECTORY_PERMISSIONS;
    return (this.attributeBits & ATTRIBUTE.readOnly) === 0 ? FILE_PERMISSIONS : READ_ONLY_PERMISSIONS;
  }

  /** The bits that show these permissions. Throws `NotPermitted` where none do. */
  #bitsFor(permissions: number | undefined): number {
    const bits = this.attributeBits;
    if (permissions === undefined || permissions === this.#permissions) return bits;
    if (!this.#state.isDirectory) {
      if (permissions === FILE_PERMISSIONS) return bits & ~ATTRIBUTE.readOnly;
      if (permissions === READ_ONLY_PERMISSIONS) return bits | ATTRIBUTE.readOnly;
    }
    const possible = this.#state.isDirectory ? '755' : '644 and 444';
    throw new FsError(
      'NotPermitted',
      `${this.#formatName} has no permissions but ${possible} here, not ${permissions.toString(8)}`,
    );
  }

  #noSymlinks(): FsError {
    return new FsError('NotSupported', `${this.#formatName} has no symbolic links`);
  }

  readonly #prefetch = (from: number, end: number): number => {
    const { chain, volume } = this.#state.data;
    const { cache, layout } = volume;
    const run = new ClusterRun();
    let block = from;
    while (block < end) {
      const within = block % layout.blocksPerCluster;
      const clusters = Math.ceil((within + end - block) / layout.blocksPerCluster);
      const index = Math.floor(block / layout.blocksPerCluster);
      if (!chain.tryMap(index, clusters, run) || run.count === 0) break;
      const count = Math.min(end - block, run.count * layout.blocksPerCluster - within);
      cache.prefetch(blockOfCluster(layout, run.cluster) + within, count);
      block += count;
    }
    return block;
  };

  async #changed(nowMs: number): Promise<void> {
    this.setModified(nowMs);
    this.attributeBits |= ATTRIBUTE.archive;
    await this.store();
  }

  /** The vnode layer hands back only nodes that this file system has given it. */
  #own(node: FileSystemNode): State {
    if (!(node instanceof FatNode) || node.constructor !== this.constructor)
      throw new Error('rumpfs: broken invariant: a node of another file system');
    return node.state;
  }
}

/** A move of a node to another name; `replaced` is the node that has that name so far. */
export interface FatMove<State> {
  readonly source: State;
  readonly from: State;
  readonly to: State;
  readonly toName: EntryName;
  readonly replaced: State | undefined;
}
