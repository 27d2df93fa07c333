import { ReadAhead } from '../buffer/read-ahead.ts';
import { FsError } from '../errors.ts';
import { blockOfCluster } from '../fat/layout.ts';
import type {
  AttributeChange,
  Attributes,
  DirectoryListing,
  NewNode,
  NodeType,
} from '../vnode/attributes.ts';
import type { FileSystemNode, Rename } from '../vnode/file-system.ts';
import type { EntryName } from '../vnode/names.ts';
import { createNode, moveNode, type Names, removeNode } from './change-names.ts';
import { ClusterRun } from './cluster-run.ts';
import { fromExfatTime, toExfatTime } from './exfat-time.ts';
import { departAll, readFile, truncateFile, writeFile } from './file-data.ts';
import { ATTRIBUTE } from './file-set.ts';
import { directoryOf, type NodeState, storeNode } from './node-state.ts';

/** The permissions that are shown; exFAT knows only whether a file is read-only. */
const DIRECTORY_PERMISSIONS = 0o755;
const FILE_PERMISSIONS = 0o644;
const READ_ONLY_PERMISSIONS = 0o444;

/** A file or directory of an exFAT as the vnode layer sees it. */
export class ExfatNode implements FileSystemNode {
  readonly id: number;
  readonly type: NodeType;
  readonly #names: Names;
  readonly #state: NodeState;
  readonly #readAhead = new ReadAhead();

  constructor(names: Names, state: NodeState) {
    this.id = state.id;
    this.type = state.isDirectory ? 'directory' : 'file';
    this.#names = names;
    this.#state = state;
  }

  get links(): number {
    return this.#state.linked ? 1 : 0;
  }

  attributes(): Attributes {
    const { set, chain, isDirectory, place } = this.#state;
    const { zone, geometry } = this.#names.volume;
    const modifiedMs = fromExfatTime(set.time('modified'), zone);
    const isRoot = isDirectory && place === undefined && this.#state.linked;
    const sizeBytes = isRoot ? chain.known * geometry.clusterBytes : set.sizeBytes;
    return {
      id: this.id,
      type: this.type,
      sizeBytes,
      links: this.links,
      permissions: this.#permissions,
      uid: 0,
      gid: 0,
      accessedMs: fromExfatTime(set.time('accessed'), zone),
      modifiedMs,
      changedMs: modifiedMs,
      allocatedBytes: this.#names.volume.clustersFor(sizeBytes) * geometry.clusterBytes,
    };
  }

  async setAttributes(change: AttributeChange): Promise<void> {
    const { volume } = this.#names;
    const { set } = this.#state;
    if ((change.uid ?? 0) !== 0 || (change.gid ?? 0) !== 0) {
      throw new FsError('NotPermitted', 'an exFAT has no owners: all is owned by 0');
    }
    const attributes = this.#attributesFor(change.permissions);
    await volume.begin();
    set.attributes = attributes;
    if (change.modifiedMs !== undefined) set.setTime('modified', toExfatTime(change.modifiedMs, volume.zone));
    if (change.accessedMs !== undefined) set.setTime('accessed', toExfatTime(change.accessedMs, volume.zone));
    await storeNode(this.#state);
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const { volume } = this.#names;
    const length = await readFile(volume, this.#state, offset, into);
    this.#readAhead.advance(volume.cache, this.#state.set.validBytes, offset, length, this.#prefetch);
    return length;
  }

  async write(offset: number, from: Uint8Array, nowMs: number): Promise<number> {
    const { volume } = this.#names;
    await volume.begin();
    try {
      return await writeFile(volume, this.#state, offset, from);
    } finally {
      await this.#changed(nowMs);
    }
  }

  async truncate(sizeBytes: number, nowMs: number): Promise<void> {
    const { volume } = this.#names;
    await volume.begin();
    try {
      await truncateFile(volume, this.#state, sizeBytes, () => storeNode(this.#state));
    } finally {
      await this.#changed(nowMs);
    }
  }

  readLink(): Promise<string> {
    return Promise.reject(new FsError('NotSupported', 'an exFAT has no symbolic links'));
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    const found = await directoryOf(this.#state).find(name.text);
    return found === undefined ? undefined : this.#names.nodes.identify(this.#state, found);
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const { entries, nextCursor } = await directoryOf(this.#state).list(cursor, entriesMax);
    return {
      entries: entries.map((entry) => ({
        name: entry.name,
        id: this.#names.nodes.numberOf(entry),
        type: entry.set.isDirectory ? 'directory' : 'file',
      })),
      nextCursor,
    };
  }

  parent(): Promise<number> {
    return Promise.resolve((this.#state.parent ?? this.#names.nodes.root).id);
  }

  createFile(name: EntryName, _what: NewNode, nowMs: number): Promise<FileSystemNode> {
    return this.#create(name, false, nowMs);
  }

  createDirectory(name: EntryName, _what: NewNode, nowMs: number): Promise<FileSystemNode> {
    return this.#create(name, true, nowMs);
  }

  createSymlink(): Promise<FileSystemNode> {
    return Promise.reject(new FsError('NotSupported', 'an exFAT has no symbolic links'));
  }

  link(): Promise<void> {
    return Promise.reject(new FsError('NotSupported', 'a file on an exFAT has one name only'));
  }

  async unlink(_name: EntryName, target: FileSystemNode, _inUse: boolean, nowMs: number): Promise<void> {
    await removeNode(this.#names, this.#state, own(target), nowMs);
  }

  async removeDirectory(
    _name: EntryName,
    target: FileSystemNode,
    _inUse: boolean,
    nowMs: number,
  ): Promise<void> {
    await removeNode(this.#names, this.#state, own(target), nowMs);
  }

  async rename(move: Rename, nowMs: number): Promise<void> {
    await moveNode(
      this.#names,
      {
        source: own(move.source),
        from: this.#state,
        to: own(move.toDirectory),
        toName: move.toName,
        replaced: move.replaced === undefined ? undefined : own(move.replaced),
      },
      nowMs,
    );
  }

  deactivate(): void {
    // Nothing serves an open file only.
  }

  async destroy(): Promise<void> {
    const { volume, nodes } = this.#names;
    const { isDirectory, set } = this.#state;
    await volume.begin();
    if (isDirectory) nodes.forgetCluster(this.#state);
    departAll(volume, this.#state);
    for (const { first, sizeBytes, contiguous } of set.extraClusters())
      volume.depart({ first, clusters: Math.max(1, volume.clustersFor(sizeBytes)), contiguous });
  }

  reclaim(): void {
    this.#names.nodes.reclaim(this.#state);
  }

  /** Used by the other nodes of the mount. */
  static stateOf(node: ExfatNode): NodeState {
    return node.#state;
  }

  get #permissions(): number {
    if (this.#state.isDirectory) return DIRECTORY_PERMISSIONS;
    return (this.#state.set.attributes & ATTRIBUTE.readOnly) === 0 ? FILE_PERMISSIONS : READ_ONLY_PERMISSIONS;
  }

  /** The attributes that show these permissions. Throws `NotPermitted` where none do. */
  #attributesFor(permissions: number | undefined): number {
    const { attributes } = this.#state.set;
    if (permissions === undefined || permissions === this.#permissions) return attributes;
    if (!this.#state.isDirectory) {
      if (permissions === FILE_PERMISSIONS) return attributes & ~ATTRIBUTE.readOnly;
      if (permissions === READ_ONLY_PERMISSIONS) return attributes | ATTRIBUTE.readOnly;
    }
    const possible = this.#state.isDirectory ? '755' : '644 and 444';
    throw new FsError(
      'NotPermitted',
      `an exFAT has no permissions but ${possible} here, not ${permissions.toString(8)}`,
    );
  }

  readonly #prefetch = (from: number, end: number): number => {
    const { cache, layout } = this.#names.volume;
    const run = new ClusterRun();
    let block = from;
    while (block < end) {
      const within = block % layout.blocksPerCluster;
      const clusters = Math.ceil((within + end - block) / layout.blocksPerCluster);
      const index = Math.floor(block / layout.blocksPerCluster);
      if (!this.#state.chain.tryMap(index, clusters, run) || run.count === 0) break;
      const count = Math.min(end - block, run.count * layout.blocksPerCluster - within);
      cache.prefetch(blockOfCluster(layout, run.cluster) + within, count);
      block += count;
    }
    return block;
  };

  async #create(name: EntryName, isDirectory: boolean, nowMs: number): Promise<FileSystemNode> {
    return new ExfatNode(this.#names, await createNode(this.#names, this.#state, name, isDirectory, nowMs));
  }

  async #changed(nowMs: number): Promise<void> {
    const { set } = this.#state;
    set.setTime('modified', toExfatTime(nowMs, this.#names.volume.zone));
    set.attributes |= ATTRIBUTE.archive;
    await storeNode(this.#state);
  }
}

/** The vnode layer hands back only nodes that this file system has given it. */
function own(node: FileSystemNode): NodeState {
  if (!(node instanceof ExfatNode))
    throw new Error('rumpfs: broken invariant: a node of another file system');
  return ExfatNode.stateOf(node);
}
