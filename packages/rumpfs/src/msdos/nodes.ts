import { FsError } from '../errors.ts';
import { Chain } from './chain.ts';
import { Directory, DIRECTORY_SLOTS_MAX, type ListedEntry } from './directory.ts';
import { ATTRIBUTE, type EntryFields } from './entry.ts';
import { ENTRY_BYTES } from './boot-sector.ts';
import { type EntryPlace, type NodeState, ownerName } from './node-state.ts';
import type { Volume } from './volume.ts';

export const ROOT_ID = 1;
/** Numbers for nodes whose entry is where that of a node in use was before it moved. */
const FIRST_SPARE_ID = 2 ** 40;
/** Nodes that were looked up and may be loaded next. */
const FOUND_MAX = 16_384;

/**
 * The nodes in memory. A FAT has no inodes: a node is known by the place of its entry. It keeps the
 * number that it got from that place when it moves to another, as long as somebody uses it.
 *
 * A directory stays in memory as long as something below it does, because nothing on the device
 * leads from there to its entry.
 */
export class Nodes {
  readonly root: NodeState;
  readonly #volume: Volume;
  readonly #byId = new Map<number, NodeState>();
  readonly #byPosition = new Map<number, NodeState>();
  readonly #byFirstCluster = new Map<number, NodeState>();
  readonly #found = new Map<number, EntryPlace>();
  readonly #foundAt = new Map<number, number>();
  #spareId = FIRST_SPARE_ID;

  constructor(volume: Volume) {
    this.#volume = volume;
    const { rootCluster, bits } = volume.geometry;
    const chain = new Chain(volume, rootCluster, 'the root directory');
    this.root = {
      id: ROOT_ID,
      isDirectory: true,
      fields: noFields(ATTRIBUTE.directory, rootCluster),
      chain,
      directory: new Directory(volume, chain, 'the root directory', bits !== 32),
      place: undefined,
      linked: true,
      parent: undefined,
      children: 0,
      loaded: true,
    };
    this.#byId.set(ROOT_ID, this.root);
    if (rootCluster !== 0) this.#byFirstCluster.set(rootCluster, this.root);
  }

  /** The number of the node that an entry is of. */
  identify(parent: NodeState, entry: ListedEntry): number {
    const node = this.#byPosition.get(entry.position);
    if (node !== undefined) return node.id;
    const known = this.#foundAt.get(entry.position);
    if (known !== undefined) return known;
    const id = this.#newId(entry.position);
    this.#found.set(id, { parent, slot: entry.slot, position: entry.position });
    this.#foundAt.set(entry.position, id);
    if (this.#found.size > FOUND_MAX) this.#forgetOldest();
    return id;
  }

  /** The number that a listing shows for an entry. */
  numberOf(entry: ListedEntry): number {
    return this.#byPosition.get(entry.position)?.id ?? this.#foundAt.get(entry.position) ?? entry.position;
  }

  /** Brings a node that `identify` has numbered into memory. */
  async load(id: number): Promise<NodeState> {
    const known = this.#byId.get(id);
    if (known !== undefined) {
      known.loaded = true;
      return known;
    }
    const place = this.#found.get(id);
    if (place === undefined) throw new FsError('Busy', `more than ${FOUND_MAX} nodes are looked up at once`);
    this.#unfind(id, place);
    const entry = await place.parent.directory?.at(place.slot);
    if (entry === undefined) throw this.#volume.corrupt(`${ownerName(id)}: its entry is lost`);
    const node = this.#make(id, place, entry.fields);
    if (node.isDirectory) await this.#check(node);
    this.#enter(node);
    return node;
  }

  /** Takes in a node whose entry was just made. */
  adopt(place: EntryPlace, fields: EntryFields): NodeState {
    if (this.#byPosition.has(place.position)) {
      throw this.#volume.corrupt(`${ownerName(place.position)}: its entry belongs to two directories`);
    }
    const id = this.#foundAt.get(place.position) ?? this.#newId(place.position);
    this.#unfind(id, place);
    const node = this.#make(id, place, fields);
    this.#enter(node);
    return node;
  }

  /** Says that the entry of a node is at another place. */
  move(node: NodeState, place: EntryPlace): void {
    if (node.place !== undefined) this.#byPosition.delete(node.place.position);
    this.#byPosition.set(place.position, node);
    const found = this.#foundAt.get(place.position);
    if (found !== undefined) this.#unfind(found, place);
    node.place = place;
    place.parent.children += 1;
    this.#leaveParent(node);
    node.parent = place.parent;
  }

  /** Says that the entry of a node is gone. */
  unlink(node: NodeState): void {
    if (node.place !== undefined) this.#byPosition.delete(node.place.position);
    node.place = undefined;
    node.linked = false;
  }

  /** Says that the first cluster of a directory belongs to nothing any more. */
  forgetCluster(node: NodeState): void {
    if (this.#byFirstCluster.get(node.chain.first) === node) this.#byFirstCluster.delete(node.chain.first);
  }

  /** Says that the vnode layer has let go of a node. */
  reclaim(node: NodeState): void {
    node.loaded = false;
    this.#dropUnused(node);
  }

  #dropUnused(node: NodeState): void {
    if (node.loaded || node.children > 0 || node === this.root) return;
    this.#byId.delete(node.id);
    if (node.place !== undefined) this.#byPosition.delete(node.place.position);
    if (node.isDirectory) this.forgetCluster(node);
    node.directory?.dropIndex();
    this.#leaveParent(node);
    node.parent = undefined;
  }

  #leaveParent(node: NodeState): void {
    if (node.parent === undefined) return;
    node.parent.children -= 1;
    this.#dropUnused(node.parent);
  }

  #make(id: number, place: EntryPlace, fields: EntryFields): NodeState {
    const isDirectory = (fields.attributes & ATTRIBUTE.directory) !== 0;
    const owner = ownerName(id);
    const chain = new Chain(this.#volume, fields.firstCluster, owner);
    return {
      id,
      isDirectory,
      fields,
      chain,
      directory: isDirectory ? new Directory(this.#volume, chain, owner, false) : undefined,
      place,
      linked: true,
      parent: place.parent,
      children: 0,
      loaded: true,
    };
  }

  #enter(node: NodeState): void {
    this.#byId.set(node.id, node);
    if (node.place !== undefined) this.#byPosition.set(node.place.position, node);
    if (node.isDirectory) this.#byFirstCluster.set(node.chain.first, node);
    if (node.parent !== undefined) node.parent.children += 1;
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

  #newId(position: number): number {
    if (!this.#byId.has(position) && !this.#found.has(position)) return position;
    this.#spareId += 1;
    return this.#spareId;
  }

  #unfind(id: number, place: EntryPlace): void {
    this.#found.delete(id);
    if (this.#foundAt.get(place.position) === id) this.#foundAt.delete(place.position);
  }

  #forgetOldest(): void {
    for (const [id, place] of this.#found) {
      this.#unfind(id, place);
      return;
    }
  }
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
