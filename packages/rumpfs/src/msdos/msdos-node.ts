import { ATTRIBUTE } from '../fat/attribute.ts';
import { fromDosTime, toDosTime } from '../fat/dos-time.ts';
import { directoryOf } from '../fat/directory-of.ts';
import { type FatAttributes, type FatMove, FatNode } from '../fat/fat-node.ts';
import type { DirectoryListing } from '../vnode/attributes.ts';
import type { FileSystemNode } from '../vnode/file-system.ts';
import type { EntryName } from '../vnode/names.ts';
import { createNode, moveNode, type Names, removeNode, storeNode } from './change-names.ts';
import type { NodeState } from './node-state.ts';

/** A file or directory of a FAT as the vnode layer sees it. */
export class MsdosNode extends FatNode<NodeState> {
  readonly #names: Names;

  constructor(names: Names, state: NodeState) {
    super('a FAT', names.nodes, state);
    this.#names = names;
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const { entries, nextCursor } = await directoryOf(this.state).list(cursor, entriesMax);
    return {
      entries: entries.map((entry) => ({
        name: entry.name,
        id: this.#names.nodes.numberOf(entry),
        type: (entry.fields.attributes & ATTRIBUTE.directory) === 0 ? 'file' : 'directory',
      })),
      nextCursor,
    };
  }

  async destroy(): Promise<void> {
    const { volume, nodes } = this.#names;
    await volume.begin();
    if (this.state.isDirectory) nodes.forgetCluster(this.state);
    this.state.data.departAll();
  }

  protected get attributeBits(): number {
    return this.state.fields.attributes;
  }

  protected set attributeBits(bits: number) {
    this.state.fields.attributes = bits;
  }

  protected setModified(ms: number): void {
    const { date, time } = toDosTime(ms, this.#names.volume.zone);
    this.state.fields.modified = { date, time };
  }

  protected setAccessed(ms: number): void {
    this.state.fields.accessedDate = toDosTime(ms, this.#names.volume.zone).date;
  }

  protected shown(): FatAttributes {
    const { zone, geometry, clusterBytes } = this.#names.volume;
    const { fields, chain, isDirectory, data } = this.state;
    const clusters = isDirectory ? chain.known : data.volume.clustersFor(fields.sizeBytes);
    return {
      sizeBytes: isDirectory
        ? Math.max(clusters * clusterBytes, geometry.rootBytes * (chain.first === 0 ? 1 : 0))
        : fields.sizeBytes,
      accessedMs: fromDosTime({ date: fields.accessedDate, time: 0, hundredths: 0 }, zone),
      modifiedMs: fromDosTime({ ...fields.modified, hundredths: 0 }, zone),
      allocatedBytes: clusters * clusterBytes,
    };
  }

  protected store(): Promise<void> {
    return storeNode(this.state);
  }

  protected async create(name: EntryName, isDirectory: boolean, nowMs: number): Promise<FileSystemNode> {
    return new MsdosNode(this.#names, await createNode(this.#names, this.state, name, isDirectory, nowMs));
  }

  protected remove(name: EntryName, target: NodeState, nowMs: number): Promise<void> {
    return removeNode(this.#names, this.state, name, target, nowMs);
  }

  protected move(move: FatMove<NodeState>, nowMs: number): Promise<void> {
    return moveNode(this.#names, move, nowMs);
  }
}
