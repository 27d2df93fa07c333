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
import { ReadAhead } from '../buffer/read-ahead.ts';
import { createNode, directoryOf, moveNode, type Names, removeNode, storeNode } from './change-names.ts';
import { ClusterRun } from './chain.ts';
import { fromDosTime, toDosTime } from '../fat/dos-time.ts';
import { ATTRIBUTE } from './entry.ts';
import { readFile, truncateFile, writeFile } from './file-data.ts';
import { blockOfCluster } from '../fat/layout.ts';
import type { NodeState } from './node-state.ts';

/** The permissions that are shown; a FAT knows only whether a file is read-only. */
const DIRECTORY_PERMISSIONS = 0o755;
const FILE_PERMISSIONS = 0o644;
const READ_ONLY_PERMISSIONS = 0o444;
const WRITE_BITS = 0o222;

/** A file or directory of a FAT as the vnode layer sees it. */
export class MsdosNode implements FileSystemNode {
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
    const { fields, chain, isDirectory } = this.#state;
    const { zone, geometry } = this.#names.volume;
    const { clusterBytes } = geometry;
    const modifiedMs = fromDosTime({ ...fields.modified, hundredths: 0 }, zone);
    const clusters = isDirectory ? chain.known : Math.ceil(fields.sizeBytes / clusterBytes);
    return {
      id: this.id,
      type: this.type,
      sizeBytes: isDirectory
        ? Math.max(clusters * clusterBytes, geometry.rootBytes * (chain.first === 0 ? 1 : 0))
        : fields.sizeBytes,
      links: this.links,
      permissions: this.#permissions,
      uid: 0,
      gid: 0,
      accessedMs: fromDosTime({ date: fields.accessedDate, time: 0, hundredths: 0 }, zone),
      modifiedMs,
      changedMs: modifiedMs,
      allocatedBytes: clusters * clusterBytes,
    };
  }

  async setAttributes(change: AttributeChange): Promise<void> {
    const { volume } = this.#names;
    const { fields } = this.#state;
    if ((change.uid ?? 0) !== 0 || (change.gid ?? 0) !== 0) {
      throw new FsError('NotPermitted', 'a FAT has no owners: all is owned by 0');
    }
    const attributes = this.#attributesFor(change.permissions);
    await volume.begin();
    fields.attributes = attributes;
    if (change.modifiedMs !== undefined) {
      const { date, time } = toDosTime(change.modifiedMs, volume.zone);
      fields.modified = { date, time };
    }
    if (change.accessedMs !== undefined) fields.accessedDate = toDosTime(change.accessedMs, volume.zone).date;
    await storeNode(this.#state);
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const { volume } = this.#names;
    const length = await readFile(volume, this.#state, offset, into);
    this.#readAhead.advance(volume.cache, this.#state.fields.sizeBytes, offset, length, this.#prefetch);
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
    return Promise.reject(new FsError('NotSupported', 'a FAT has no symbolic links'));
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    const entry = await directoryOf(this.#state).find(name.text);
    return entry === undefined ? undefined : this.#names.nodes.identify(this.#state, entry);
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const { entries, nextCursor } = await directoryOf(this.#state).list(cursor, entriesMax);
    return {
      entries: entries.map((entry) => ({
        name: entry.name,
        id: this.#names.nodes.numberOf(entry),
        type: (entry.fields.attributes & ATTRIBUTE.directory) === 0 ? 'file' : 'directory',
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
    return Promise.reject(new FsError('NotSupported', 'a FAT has no symbolic links'));
  }

  link(): Promise<void> {
    return Promise.reject(new FsError('NotSupported', 'a file on a FAT has one name only'));
  }

  async unlink(name: EntryName, target: FileSystemNode, _inUse: boolean, nowMs: number): Promise<void> {
    await removeNode(this.#names, this.#state, name, own(target), nowMs);
  }

  async removeDirectory(
    name: EntryName,
    target: FileSystemNode,
    _inUse: boolean,
    nowMs: number,
  ): Promise<void> {
    await removeNode(this.#names, this.#state, name, own(target), nowMs);
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
    const { chain, fields, isDirectory } = this.#state;
    await volume.begin();
    if (isDirectory) nodes.forgetCluster(this.#state);
    const clusters = isDirectory
      ? Math.max(1, chain.known)
      : Math.ceil(fields.sizeBytes / volume.geometry.clusterBytes);
    volume.depart(chain.first, clusters);
  }

  reclaim(): void {
    this.#names.nodes.reclaim(this.#state);
  }

  /** Used by the other nodes of the mount. */
  static stateOf(node: MsdosNode): NodeState {
    return node.#state;
  }

  get #permissions(): number {
    if (this.#state.isDirectory) return DIRECTORY_PERMISSIONS;
    return (this.#state.fields.attributes & ATTRIBUTE.readOnly) === 0
      ? FILE_PERMISSIONS
      : READ_ONLY_PERMISSIONS;
  }

  /** The attributes that show these permissions. Throws `NotPermitted` where none do. */
  #attributesFor(permissions: number | undefined): number {
    const { attributes } = this.#state.fields;
    if (permissions === undefined || permissions === this.#permissions) return attributes;
    if (!this.#state.isDirectory) {
      if (permissions === FILE_PERMISSIONS) return attributes & ~ATTRIBUTE.readOnly;
      if ((permissions & WRITE_BITS) === 0 && permissions === READ_ONLY_PERMISSIONS)
        return attributes | ATTRIBUTE.readOnly;
    }
    const possible = this.#state.isDirectory ? '755' : '644 and 444';
    throw new FsError(
      'NotPermitted',
      `a FAT has no permissions but ${possible} here, not ${permissions.toString(8)}`,
    );
  }

  readonly #prefetch = (from: number, end: number): number => {
    const { cache, layout } = this.#names.volume;
    const run = new ClusterRun();
    let block = from;
    while (block < end) {
      const within = block % layout.blocksPerCluster;
      const clusters = Math.ceil((within + end - block) / layout.blocksPerCluster);
      if (
        !this.#state.chain.tryMap(Math.floor(block / layout.blocksPerCluster), clusters, run) ||
        run.count === 0
      )
        break;
      const count = Math.min(end - block, run.count * layout.blocksPerCluster - within);
      cache.prefetch(blockOfCluster(layout, run.cluster) + within, count);
      block += count;
    }
    return block;
  };

  async #create(name: EntryName, isDirectory: boolean, nowMs: number): Promise<FileSystemNode> {
    return new MsdosNode(this.#names, await createNode(this.#names, this.#state, name, isDirectory, nowMs));
  }

  async #changed(nowMs: number): Promise<void> {
    const { date, time } = toDosTime(nowMs, this.#names.volume.zone);
    this.#state.fields.modified = { date, time };
    this.#state.fields.attributes |= ATTRIBUTE.archive;
    await storeNode(this.#state);
  }
}

/** The vnode layer hands back only nodes that this file system has given it. */
function own(node: FileSystemNode): NodeState {
  if (!(node instanceof MsdosNode))
    throw new Error('rumpfs: broken invariant: a node of another file system');
  return MsdosNode.stateOf(node);
}
