import { directoryOf } from '../fat/directory-of.ts';
import { type FatAttributes, type FatMove, FatNode } from '../fat/fat-node.ts';
import type { DirectoryListing } from '../vnode/attributes.ts';
import type { FileSystemNode } from '../vnode/file-system.ts';
import type { EntryName } from '../vnode/names.ts';
import { createNode, moveNode, type Names, removeNode } from './change-names.ts';
import { fromExfatTime, toExfatTime } from './exfat-time.ts';
import { type NodeState, storeNode } from './node-state.ts';

/** A file or directory of an exFAT as the vnode layer sees it. */
export class ExfatNode extends FatNode<NodeState> {
  readonly #names: Names;

  constructor(names: Names, state: NodeState) {
    super('an exFAT', names.nodes, state);
    this.#names = names;
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const { entries, nextCursor } = await directoryOf(this.state).list(cursor, entriesMax);
    return {
      entries: entries.map((entry) => ({
        name: entry.name,
        id: this.#names.nodes.numberOf(entry),
        type: entry.set.isDirectory ? 'directory' : 'file',
      })),
      nextCursor,
    };
  }

  async destroy(): Promise<void> {
    const { volume, nodes } = this.#names;
    const { isDirectory, set, data } = this.state;
    await volume.begin();
    if (isDirectory) nodes.forgetCluster(this.state);
    data.departAll();
    for (const { first, sizeBytes, contiguous } of set.extraClusters())
      volume.depart({ first, clusters: Math.max(1, volume.clustersFor(sizeBytes)), contiguous });
  }

  protected get attributeBits(): number {
    return this.state.set.attributes;
  }

  protected set attributeBits(bits: number) {
    this.state.set.attributes = bits;
  }

  protected setModified(ms: number): void {
    this.state.set.setTime('modified', toExfatTime(ms, this.#names.volume.zone));
  }

  protected setAccessed(ms: number): void {
    this.state.set.setTime('accessed', toExfatTime(ms, this.#names.volume.zone));
  }

  protected shown(): FatAttributes {
    const { volume } = this.#names;
    const { set, chain, isDirectory, place, linked } = this.state;
    const isRoot = isDirectory && place === undefined && linked;
    const sizeBytes = isRoot ? chain.known * volume.clusterBytes : set.sizeBytes;
    return {
      sizeBytes,
      accessedMs: fromExfatTime(set.time('accessed'), volume.zone),
      modifiedMs: fromExfatTime(set.time('modified'), volume.zone),
      allocatedBytes: volume.clustersFor(sizeBytes) * volume.clusterBytes,
    };
  }

  protected store(): Promise<void> {
    return storeNode(this.state);
  }

  protected async create(name: EntryName, isDirectory: boolean, nowMs: number): Promise<FileSystemNode> {
    return new ExfatNode(this.#names, await createNode(this.#names, this.state, name, isDirectory, nowMs));
  }

  protected remove(_name: EntryName, target: NodeState, nowMs: number): Promise<void> {
    return removeNode(this.#names, this.state, target, nowMs);
  }

  protected move(move: FatMove<NodeState>, nowMs: number): Promise<void> {
    return moveNode(this.#names, move, nowMs);
  }
}
