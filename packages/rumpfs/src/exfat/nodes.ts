import { FsError } from '../errors.ts';
import { ATTRIBUTE } from '../fat/attribute.ts';
import { type EntryPlace, ownerName, PlacedNodes, ROOT_ID } from '../fat/placed-nodes.ts';
import { Chain } from './chain.ts';
import { Directory } from './directory.ts';
import { DIRECTORY_BYTES_MAX } from './directory-slots.ts';
import { FileSet } from './file-set.ts';
import { ExfatData } from './exfat-data.ts';
import { type NodeState, storeNode } from './node-state.ts';
import { UpcaseTable } from './upcase-table.ts';
import type { Volume } from './volume.ts';

/** The nodes in memory. */
export class Nodes extends PlacedNodes<NodeState> {
  readonly #volume: Volume;
  readonly #byFirstCluster = new Map<number, NodeState>();

  constructor(volume: Volume) {
    super(rootOf(volume));
    this.#volume = volume;
    this.#byFirstCluster.set(volume.geometry.rootCluster, this.root);
  }

  /** Takes in a node whose entries were just made. */
  adoptSet(place: EntryPlace<NodeState>, set: FileSet): NodeState {
    return this.adopt(place, (id) => this.#make(id, place, set));
  }

  /** Says that the first cluster of a directory belongs to nothing any more. */
  forgetCluster(node: NodeState): void {
    if (this.#byFirstCluster.get(node.chain.first) === node) this.#byFirstCluster.delete(node.chain.first);
  }

  protected override async open(id: number, place: EntryPlace<NodeState>): Promise<NodeState> {
    const found = await place.parent.directory?.at(place.slot);
    if (found === undefined) throw this.#volume.corrupt(`${ownerName(id)}: its entries are lost`);
    const { fault, set, name } = found;
    const where = `"${name}" (${ownerName(id)})`;
    if (fault?.kind === 'damaged') throw this.#volume.corrupt(`${where}: ${fault.text}`);
    if (fault?.kind === 'unknown') throw new FsError('NotSupported', `exfat: ${where}: ${fault.text}`);
    this.#requireClusters(where, set);
    const node = this.#make(id, place, set);
    if (node.isDirectory) await this.#requireDirectory(where, node);
    return node;
  }

  protected override entered(node: NodeState): void {
    if (node.isDirectory && node.chain.first !== 0) this.#byFirstCluster.set(node.chain.first, node);
  }

  protected override left(node: NodeState): void {
    if (node.isDirectory) this.forgetCluster(node);
    node.directory?.dropIndex();
  }

  protected override twofold(position: number): FsError {
    return this.#volume.corrupt(`${ownerName(position)}: its entries belong to two directories`);
  }

  #make(id: number, place: EntryPlace<NodeState>, set: FileSet): NodeState {
    const volume = this.#volume;
    const owner = ownerName(id);
    const clusters = set.contiguous ? volume.clustersFor(set.sizeBytes) : undefined;
    const chain = new Chain(volume, set.firstCluster, clusters, owner);
    const node: NodeState = {
      id,
      isDirectory: set.isDirectory,
      set,
      chain,
      data: new ExfatData(volume, chain, set, owner),
      directory: set.isDirectory
        ? new Directory(volume, chain, owner, {
            sizeBytes: () => node.set.sizeBytes,
            grown: () => this.#grown(node),
          })
        : undefined,
      place,
      linked: true,
      parent: place.parent,
      children: 0,
      loaded: true,
    };
    return node;
  }

  async #grown(node: NodeState): Promise<void> {
    const { clusterBytes } = this.#volume.geometry;
    const { set } = node;
    node.data.note();
    set.sizeBytes = (Math.ceil(set.sizeBytes / clusterBytes) + 1) * clusterBytes;
    set.validBytes = set.sizeBytes;
    await storeNode(node);
  }

  /** Refuses contents that are not where clusters are. */
  #requireClusters(where: string, set: FileSet): void {
    const { firstCluster, sizeBytes, contiguous } = set;
    const volume = this.#volume;
    if (firstCluster === 0) {
      if (sizeBytes > 0) throw volume.corrupt(`${where}: ${sizeBytes} bytes without a first cluster`);
      return;
    }
    volume.requireCluster(firstCluster, where);
    const clusters = volume.clustersFor(sizeBytes);
    if (clusters > volume.geometry.clusterCount)
      throw volume.corrupt(`${where}: ${sizeBytes} bytes, more than all clusters have`);
    if (contiguous && clusters > 0) volume.requireCluster(firstCluster + clusters - 1, where);
  }

  /** Refuses a directory that could not be used: too long, or with another name. */
  async #requireDirectory(where: string, { set, chain }: NodeState): Promise<void> {
    if (set.sizeBytes > DIRECTORY_BYTES_MAX)
      throw this.#volume.corrupt(`${where}: a directory of ${set.sizeBytes} bytes`);
    const clusters = await chain.follow();
    if (clusters < this.#volume.clustersFor(set.sizeBytes))
      throw this.#volume.corrupt(`${where}: ${set.sizeBytes} bytes, but only ${clusters} clusters`);
    const other = this.#byFirstCluster.get(chain.first);
    if (other !== undefined && chain.first !== 0)
      throw this.#volume.corrupt(
        `${where}: its first cluster ${chain.first} is that of ${ownerName(other.id)}`,
      );
  }
}

function rootOf(volume: Volume): NodeState {
  const name = 'the root directory';
  const chain = new Chain(volume, volume.geometry.rootCluster, undefined, name);
  const set = FileSet.make('/', ATTRIBUTE.directory, UpcaseTable.plain());
  return {
    id: ROOT_ID,
    isDirectory: true,
    set,
    chain,
    data: new ExfatData(volume, chain, set, name),
    directory: new Directory(volume, chain, name, {
      sizeBytes: () => undefined,
      grown: () => Promise.resolve(),
    }),
    place: undefined,
    linked: true,
    parent: undefined,
    children: 0,
    loaded: true,
  };
}
