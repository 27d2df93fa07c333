import { FsError } from '../errors.ts';

export const ROOT_ID = 1;
/** Numbers for nodes whose entry is where that of a node in use was before it moved. */
const FIRST_SPARE_ID = 2 ** 40;
/** Nodes that were looked up and may be loaded next. */
const FOUND_MAX = 16_384;

/** The place of an entry: its directory, its slot there, and its place on the device. */
export interface EntryPlace<Node> {
  readonly parent: Node;
  readonly slot: number;
  /** The byte on the device divided by the size of an entry. */
  readonly position: number;
}

/** What every node in memory has whose format knows it by the place of its entry. */
export interface PlacedNode<Node> {
  readonly id: number;
  /** The entry; undefined for the root, and once it is gone. */
  place: EntryPlace<Node> | undefined;
  /** Whether the node has a name, or is the root. */
  linked: boolean;
  /** The directory above, also of a directory that was removed. */
  parent: Node | undefined;
  /** The number of nodes in memory below this one. */
  children: number;
  /** Whether the vnode layer has it. */
  loaded: boolean;
}

/** The name of a node in messages. */
export function ownerName(id: number): string {
  return `node ${id}`;
}

/**
 * The nodes in memory of a format without inodes: a node is known by the place of its entry. It
 * keeps the number that it got from that place when it moves to another, as long as somebody uses
 * it.
 *
 * A directory stays in memory as long as something below it does, because nothing on the device
 * leads from there to its entry.
 */
export abstract class PlacedNodes<Node extends PlacedNode<Node>> {
  readonly root: Node;
  readonly #byId = new Map<number, Node>();
  readonly #byPosition = new Map<number, Node>();
  readonly #found = new Map<number, EntryPlace<Node>>();
  readonly #foundAt = new Map<number, number>();
  #spareId = FIRST_SPARE_ID;

  constructor(root: Node) {
    this.root = root;
    this.#byId.set(ROOT_ID, root);
  }

  /** Reads the entry at a place. Rejects with `Corrupt` where it cannot be used. */
  protected abstract open(id: number, place: EntryPlace<Node>): Promise<Node>;
  /** A node has come into memory. */
  protected abstract entered(node: Node): void;
  /** A node has left memory. */
  protected abstract left(node: Node): void;
  /** The error for two directories that have the same entry. */
  protected abstract twofold(position: number): FsError;

  /** The number of the node that an entry is of. */
  identify(parent: Node, entry: { readonly slot: number; readonly position: number }): number {
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
  numberOf(entry: { readonly position: number }): number {
    return this.#byPosition.get(entry.position)?.id ?? this.#foundAt.get(entry.position) ?? entry.position;
  }

  /** Brings a node that `identify` has numbered into memory. */
  async load(id: number): Promise<Node> {
    const known = this.#byId.get(id);
    if (known !== undefined) {
      known.loaded = true;
      return known;
    }
    const place = this.#found.get(id);
    if (place === undefined) throw new FsError('Busy', `more than ${FOUND_MAX} nodes are looked up at once`);
    this.#unfind(id, place);
    const node = await this.open(id, place);
    this.#enter(node);
    return node;
  }

  /** Takes in a node whose entry was just made. */
  adopt(place: EntryPlace<Node>, make: (id: number) => Node): Node {
    if (this.#byPosition.has(place.position)) throw this.twofold(place.position);
    const id = this.#foundAt.get(place.position) ?? this.#newId(place.position);
    this.#unfind(id, place);
    const node = make(id);
    this.#enter(node);
    return node;
  }

  /** Says that the entry of a node is at another place. */
  move(node: Node, place: EntryPlace<Node>): void {
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
  unlink(node: Node): void {
    if (node.place !== undefined) this.#byPosition.delete(node.place.position);
    node.place = undefined;
    node.linked = false;
  }

  /** Says that the vnode layer has let go of a node. */
  reclaim(node: Node): void {
    node.loaded = false;
    this.#dropUnused(node);
  }

  #dropUnused(node: Node): void {
    if (node.loaded || node.children > 0 || node === this.root) return;
    this.#byId.delete(node.id);
    if (node.place !== undefined) this.#byPosition.delete(node.place.position);
    this.left(node);
    this.#leaveParent(node);
    node.parent = undefined;
  }

  #leaveParent(node: Node): void {
    if (node.parent === undefined) return;
    node.parent.children -= 1;
    this.#dropUnused(node.parent);
  }

  #enter(node: Node): void {
    this.#byId.set(node.id, node);
    if (node.place !== undefined) this.#byPosition.set(node.place.position, node);
    this.entered(node);
    if (node.parent !== undefined) node.parent.children += 1;
  }

  #newId(position: number): number {
    if (!this.#byId.has(position) && !this.#found.has(position)) return position;
    this.#spareId += 1;
    return this.#spareId;
  }

  #unfind(id: number, place: EntryPlace<Node>): void {
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
