/**
 * The nodes that the kernel knows, each by a number of ours. The kernel keeps as many as it likes,
 * and says when it has forgotten one; handles of the session are dear. So a node remembers its
 * place, the directory and name under which it was found last, and gets a handle when one is needed
 * (`node-handles.ts`). A node that has lost its last name is a ghost: it answers from its last
 * status, unless it has a handle.
 */
import type { NodeStatus } from '@ginit/core/file_system';
import { ERRNO, Refused } from './errno.ts';
import { ROOT_ID } from './protocol/constants.ts';

/** The place of a node: where it is found again. */
export interface Place {
  readonly parent: Node;
  readonly name: string;
}

/** A node that the kernel knows. */
export class Node {
  readonly id: number;
  /** Told to the kernel with the number; numbers are never given again, so it stays the same. */
  readonly generation = 0;
  /** What the session has said of it last. */
  status: NodeStatus;
  place: Place | undefined;
  /** How often the kernel has been told of it and has not forgotten it. */
  lookups = 0;
  /** Open files and directories. While there are any, its handle stays. */
  opens = 0;
  /** Names of a directory, for those of its nodes that are known. */
  readonly children = new Map<string, Node>();

  constructor(id: number, status: NodeStatus) {
    this.id = id;
    this.status = status;
  }

  /** Whether no name leads to it any more. */
  get isGhost(): boolean {
    return this.place === undefined && this.id !== ROOT_ID;
  }
}

/** The table of them. */
export class Nodes {
  readonly root: Node;
  readonly #byId = new Map<number, Node>();
  readonly #byInode = new Map<number, Node>();
  readonly #forgotten: (node: Node) => void;
  #nextId = ROOT_ID + 1;

  /** `forgotten` is called with every node that the kernel has forgotten. */
  constructor(root: NodeStatus, forgotten: (node: Node) => void) {
    this.root = new Node(ROOT_ID, root);
    this.#byId.set(ROOT_ID, this.root);
    this.#byInode.set(root.inode, this.root);
    this.#forgotten = forgotten;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** The node of a number. Throws ESTALE if there is none. */
  get(id: number): Node {
    const node = this.#byId.get(id);
    if (node === undefined) throw new Refused(ERRNO.ESTALE);
    return node;
  }

  byInode(inode: number): Node | undefined {
    return this.#byInode.get(inode);
  }

  /** All nodes that are known. */
  all(): Iterable<Node> {
    return this.#byId.values();
  }

  /** The node that was found under a name, of which the kernel is about to be told. */
  found(parent: Node, name: string, status: NodeStatus): Node {
    let node = this.#byInode.get(status.inode);
    // An inode that was given to something else is another node.
    if (node !== undefined && node.status.type !== status.type) {
      this.#makeGhost(node);
      node = undefined;
    }
    if (node === undefined) {
      node = new Node(this.#nextId++, status);
      this.#byId.set(node.id, node);
      this.#byInode.set(status.inode, node);
    }
    node.status = status;
    node.lookups++;
    this.#putAt(node, parent, name);
    return node;
  }

  forget(id: number, count: number): void {
    const node = this.#byId.get(id);
    if (node === undefined || node === this.root) return;
    node.lookups -= count;
    if (node.lookups > 0) return;
    this.#byId.delete(id);
    if (this.#byInode.get(node.status.inode) === node) this.#byInode.delete(node.status.inode);
    this.#takeFromPlace(node);
    this.#forgotten(node);
  }

  /** A name is gone. `last`: so is the node's last one. */
  nameGone(parent: Node, name: string): void {
    const node = parent.children.get(name);
    if (node === undefined) return;
    this.#takeFromPlace(node);
    const links = node.status.type === 'directory' ? 0 : Math.max(0, node.status.links - 1);
    node.status = { ...node.status, links };
    if (links === 0) this.#makeGhost(node);
  }

  /** What had a name has another one now, where nothing else is known. */
  moved(parent: Node, name: string, toParent: Node, toName: string): void {
    const node = parent.children.get(name);
    if (node === undefined) return;
    this.#putAt(node, toParent, toName);
  }

  /** Two names have changed places. */
  exchanged(parent: Node, name: string, toParent: Node, toName: string): void {
    const [first, second] = [parent.children.get(name), toParent.children.get(toName)];
    if (first) this.#takeFromPlace(first);
    if (second) this.#takeFromPlace(second);
    if (first) this.#putAt(first, toParent, toName);
    if (second) this.#putAt(second, parent, name);
  }

  #putAt(node: Node, parent: Node, name: string): void {
    if (node === this.root) return;
    this.#takeFromPlace(node);
    const before = parent.children.get(name);
    if (before !== undefined) this.#takeFromPlace(before);
    node.place = { parent, name };
    parent.children.set(name, node);
  }

  #takeFromPlace(node: Node): void {
    const { place } = node;
    if (place === undefined) return;
    node.place = undefined;
    if (place.parent.children.get(place.name) === node) place.parent.children.delete(place.name);
  }

  #makeGhost(node: Node): void {
    if (this.#byInode.get(node.status.inode) === node) this.#byInode.delete(node.status.inode);
    this.#takeFromPlace(node);
  }
}
