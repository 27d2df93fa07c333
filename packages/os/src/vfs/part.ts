/**
 * A part of the tree: a file system of its own, of whatever kind. Each kind has nodes of its own;
 * here they become nodes that know their part, so that the tree above can hold any of them.
 */
import {
  type AttributeChangeData,
  type BackendListing,
  type BackendNewNode,
  type BackendSpace,
  type BackendStatus,
  type FileSystemBackend,
  type FileSystemErrorCode,
  type NodeType,
} from '@ginit/core/file_system';
import { fileSystemFailure } from '../lib/file-system-failure.ts';

/** Numbers of parts and inodes share 53 bits. */
const INODES_OF_PART = 2 ** 44;
/** The parts that a tree may have; number 0 has the directories of the config. */
export const PARTS_MAX = 511;

/** A node of a part: one object per node. */
export interface PartNode {
  readonly type: NodeType;
  readonly part: Part;
}

/** Word that a node of a part has changed by itself; without one, any may have. */
export type PartChanged = (change: { readonly node?: PartNode; readonly inode?: number }) => void;

/** What makes a part out of a file system. */
export interface PartOptions<Node extends object> {
  /** From 1 to `PARTS_MAX`. */
  readonly number: number;
  /** Whether it is a tree, not a single file: its root's attributes are those of its directory. */
  readonly isTree: boolean;
  /** Whether its free space is that of the component's account, as that of others is. */
  readonly sharesSpace?: boolean;
  readonly close: () => Promise<void>;
  /** Calls the handler when a node changes by itself. */
  readonly onChange?: ((changed: (node?: Node, inode?: number) => void) => void) | undefined;
}

/** A part, whatever kind of file system is below. */
export interface Part extends Required<FileSystemBackend<PartNode>> {
  readonly isTree: boolean;
  readonly sharesSpace: boolean;
  /** The number that stands in the tree for an inode of the part. */
  inode(ofPart: number): number;
  status(node: PartNode): Promise<BackendStatus>;
  space(): Promise<BackendSpace>;
  onChange(changed: PartChanged): void;
  /** Ends it. What is open in it is `Unavailable` from then on. */
  close(): Promise<void>;
}

/** Makes a file system of any kind a part. */
export function partOf<Node extends { readonly type: NodeType }>(
  backend: FileSystemBackend<Node>,
  options: PartOptions<Node>,
): Part {
  return new AnyPart(backend, options);
}

class AnyPart<Node extends { readonly type: NodeType }> implements Part {
  readonly root: PartNode;
  readonly isTree: boolean;
  readonly sharesSpace: boolean;
  readonly #backend: FileSystemBackend<Node>;
  readonly #options: PartOptions<Node>;
  readonly #outer = new WeakMap<Node, PartNode>();
  readonly #inner = new WeakMap<PartNode, Node>();
  #closed = false;

  constructor(backend: FileSystemBackend<Node>, options: PartOptions<Node>) {
    this.#backend = backend;
    this.#options = options;
    this.isTree = options.isTree;
    this.sharesSpace = options.sharesSpace ?? false;
    this.root = this.#wrap(backend.root);
  }

  get writeable(): boolean {
    return this.#backend.writeable;
  }

  inode(ofPart: number): number {
    return this.#options.number * INODES_OF_PART + (ofPart % INODES_OF_PART);
  }

  onChange(changed: PartChanged): void {
    this.#options.onChange?.((node, inode) =>
      changed({
        ...(node === undefined ? {} : { node: this.#wrap(node) }),
        ...(inode === undefined ? {} : { inode: this.inode(inode) }),
      }),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#options.close();
  }

  hold(node: PartNode): void {
    this.#backend.hold(this.#nodeOf(node));
  }

  async release(node: PartNode): Promise<void> {
    await this.#backend.release(this.#nodeOf(node));
  }

  async status(node: PartNode): Promise<BackendStatus> {
    const status = await this.#backend.status(this.#open(node));
    return { ...status, inode: this.inode(status.inode) };
  }

  async setAttributes(node: PartNode, change: Omit<AttributeChangeData, 'sizeBytes'>): Promise<void> {
    await this.#backend.setAttributes(this.#open(node), change);
  }

  async read(file: PartNode, position: number, into: Uint8Array): Promise<number> {
    return this.#backend.read(this.#open(file), position, into);
  }

  async write(file: PartNode, position: number, from: Uint8Array): Promise<number> {
    return this.#taken(await this.#backend.write(this.#open(file), position, from));
  }

  async append(file: PartNode, from: Uint8Array): Promise<number> {
    return this.#taken(await this.#backend.append(this.#open(file), from));
  }

  async readReady(file: PartNode, ended: AbortSignal): Promise<void> {
    await this.#backend.readReady?.(this.#open(file), ended);
  }

  async writeReady(file: PartNode, ended: AbortSignal): Promise<void> {
    await this.#backend.writeReady?.(this.#open(file), ended);
  }

  async truncate(file: PartNode, sizeBytes: number): Promise<void> {
    await this.#backend.truncate(this.#open(file), sizeBytes);
  }

  async readLink(symlink: PartNode): Promise<string> {
    return this.#backend.readLink(this.#open(symlink));
  }

  async lookup(directory: PartNode, name: string): Promise<PartNode> {
    return this.#wrap(await this.#backend.lookup(this.#open(directory), name));
  }

  async list(directory: PartNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    const { entries, nextCursor } = await this.#backend.list(this.#open(directory), cursor, entriesMax);
    const numbered = entries.map(({ name, id, type }) => ({ name, id: this.inode(id), type }));
    return { entries: numbered, nextCursor };
  }

  async createFile(directory: PartNode, name: string, what?: BackendNewNode): Promise<PartNode> {
    return this.#wrap(await this.#backend.createFile(this.#open(directory), name, what));
  }

  async createDirectory(directory: PartNode, name: string, what?: BackendNewNode): Promise<PartNode> {
    return this.#wrap(await this.#backend.createDirectory(this.#open(directory), name, what));
  }

  async createSymlink(
    directory: PartNode,
    name: string,
    target: string,
    what?: BackendNewNode,
  ): Promise<PartNode> {
    return this.#wrap(await this.#backend.createSymlink(this.#open(directory), name, target, what));
  }

  async link(directory: PartNode, name: string, target: PartNode): Promise<void> {
    await this.#backend.link(this.#open(directory), name, this.#open(target));
  }

  async unlink(directory: PartNode, name: string): Promise<void> {
    await this.#backend.unlink(this.#open(directory), name);
  }

  async removeDirectory(directory: PartNode, name: string): Promise<void> {
    await this.#backend.removeDirectory(this.#open(directory), name);
  }

  async rename(
    directory: PartNode,
    name: string,
    toDirectory: PartNode,
    toName: string,
    replace: boolean,
  ): Promise<void> {
    const to = this.#open(toDirectory);
    await this.#backend.rename(this.#open(directory), name, to, toName, replace);
  }

  async sync(): Promise<void> {
    if (!this.#closed) await this.#backend.sync();
  }

  async space(): Promise<BackendSpace> {
    return this.#backend.space();
  }

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    return this.#backend.errorCode(error);
  }

  #taken(done: number): number {
    if (done === 0 && !this.#backend.writeReady) throw fileSystemFailure('No_space');
    return done;
  }

  #wrap(node: Node): PartNode {
    const known = this.#outer.get(node);
    if (known) return known;
    const made: PartNode = { type: node.type, part: this };
    this.#outer.set(node, made);
    this.#inner.set(made, node);
    return made;
  }

  #nodeOf(node: PartNode): Node {
    const inner = this.#inner.get(node);
    if (!inner) throw fileSystemFailure('Cross_device');
    return inner;
  }

  #open(node: PartNode): Node {
    if (this.#closed) throw fileSystemFailure('Unavailable', 'the config does not have that any more');
    return this.#nodeOf(node);
  }
}
