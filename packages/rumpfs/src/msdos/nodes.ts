import type { FsError } from '../errors.ts';
import { ATTRIBUTE } from '../fat/attribute.ts';
import { type EntryPlace, ownerName, PlacedNodes, ROOT_ID } from '../fat/placed-nodes.ts';
import { ENTRY_BYTES } from './boot-sector.ts';
import { Chain } from './chain.ts';
import { Directory, DIRECTORY_SLOTS_MAX } from './directory.ts';
import type { EntryFields } from './entry.ts';
import { MsdosData } from './msdos-data.ts';
import type { NodeState } from './node-state.ts';
import type { Volume } from './volume.ts';

/** The nodes in memory. */
export class Nodes extends PlacedNodes<NodeState> {
  readonly #volume: Volume;
  readonly #byFirstCluster = new Map<number, NodeState>();

  constructor(volume: Volume) {
    super(rootOf(volume));
    this.#volume = volume;
    const { rootCluster } = volume.geometry;
    if (rootCluster !== 0) this.#byFirstCluster.set(rootCluster, this.root);
  }

  /** Takes in a node whose entry was just made. */
  adoptEntry(place: EntryPlace<NodeState>, fields: EntryFields): NodeState {
    return this.adopt(place, (id) => this.#make(id, place, fields));
  }

  /** Says that the first cluster of a directory belongs to nothing any more. */
  forgetCluster(node: NodeState): void {
    if (this.#byFirstCluster.get(node.chain.first) === node) this.#byFirstCluster.delete(node.chain.first);
  }

  protected override async open(id: number, place: EntryPlace<NodeState>): Promise<NodeState> {
    const entry = await place.parent.directory?.at(place.slot);
    if (entry === undefined) throw this.#volume.corrupt(`${ownerName(id)}: its entry is lost`);
    const node = this.#make(id, place, entry.fields);
    if (node.isDirectory) await this.#check(node);
    return node;
  }

  protected override entered(node: NodeState): void {
    if (node.isDirectory) this.#byFirstCluster.set(node.chain.first, node);
  }

  protected override left(node: NodeState): void {
    if (node.isDirectory) this.forgetCluster(node);
    node.directory?.dropIndex();
  }

  protected override twofold(position: number): FsError {
    return this.#volume.corrupt(`${ownerName(position)}: its entry belongs to two directories`);
  }

  #make(id: number, place: EntryPlace<NodeState>, fields: EntryFields): NodeState {
    const isDirectory = (fields.attributes & ATTRIBUTE.directory) !== 0;
    const owner = ownerName(id);
    const chain = new Chain(this.#volume, fields.firstCluster, owner);
    return {
      id,
      isDirectory,
      fields,
      chain,
      data: new MsdosData(this.#volume, chain, fields, owner),
      directory: isDirectory ? new Directory(this.#volume, chain, owner, false) : undefined,
      place,
      linked: true,
      parent: place.parent,
      children: 0,
      loaded: true,
    };
  }

  /**
   * Refuses a directory that could not be used: without clusters, too long, or with another name.
   */
  async #check(node: NodeState): Promise<void> {
    const owner = ownerName(node.id);
    this.#volume.requireCluster(node.chain.first, owner);
    const clusters = await node.chain.follow();
    if ((clusters * this.#volume.geometry.clusterBytes) / ENTRY_BYTES > DIRECTORY_SLOTS_MAX * 2) {
      throw this.#volume.corrupt(`${owner}: a directory of ${clusters} clusters`);
    }
    const other = this.#byFirstCluster.get(node.chain.first);
    if (other !== undefined) {
      throw this.#volume.corrupt(
        `${owner}: its first cluster ${node.chain.first} is that of ${ownerName(other.id)}`,
      );
    }
  }
}

function rootOf(volume: Volume): NodeState {
  const { rootCluster, bits } = volume.geometry;
  const name = 'the root directory';
  const chain = new Chain(volume, rootCluster, name);
  const fields = noFields(ATTRIBUTE.directory, rootCluster);
  return {
    id: ROOT_ID,
    isDirectory: true,
    fields,
    chain,
    data: new MsdosData(volume, chain, fields, name),
    directory: new Directory(volume, chain, name, bits !== 32),
    place: undefined,
    linked: true,
    parent: undefined,
    children: 0,
    loaded: true,
  };
}

function noFields(attributes: number, firstCluster: number): EntryFields {
  return {
    attributes,
    caseBits: 0,
    created: { date: 0x21, time: 0, hundredths: 0 },
    accessedDate: 0x21,
    modified: { date: 0x21, time: 0 },
    firstCluster,
    sizeBytes: 0,
  };
}
