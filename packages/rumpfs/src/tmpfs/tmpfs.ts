/**
 * A file system in memory, as NetBSD's tmpfs: a tree of nodes, with nothing below it. It is mounted
 * as all others, and gone when it is unmounted. Memory is taken for what was written: 4 KiB for
 * each piece, half a KiB for a node; holes are free.
 */
import { FsError } from '../errors.ts';
import type { FileSystemStatistics, NewNode } from '../vnode/attributes.ts';
import type { FileSystem } from '../vnode/file-system.ts';
import { DirectoryEntries } from './directory-entries.ts';
import { FileData } from './file-data.ts';
import type { Memory } from './memory.ts';
import { TmpfsNode, type TmpfsContent } from './tmpfs-node.ts';
import { NODE_COST_BYTES } from './costs.ts';

const ROOT_ID = 1;
const BLOCK_BYTES = 4096;
/** The nodes that there may be, as far as the statistics say; memory is what bounds them. */
const NODES_MAX = 2 ** 32;
const NAME_BYTES_MAX = 255;
const ROOT_NODE: NewNode = { permissions: 0o755, uid: 0, gid: 0 };

/** The file system. */
export class Tmpfs implements FileSystem {
  readonly type = 'tmpfs';
  readonly writeable = true;
  readonly rootId = ROOT_ID;
  readonly nameBytesMax = NAME_BYTES_MAX;
  readonly memory: Memory;
  readonly #nodes = new Map<number, TmpfsNode>();
  #nextId = ROOT_ID;

  constructor(memory: Memory) {
    this.memory = memory;
    // The root is paid by what whoever mounts it has anyway.
    const root = this.#node(
      { kind: 'directory', entries: new DirectoryEntries(), parentId: ROOT_ID },
      ROOT_NODE,
      0,
    );
    root.links = 2;
  }

  async load(id: number): Promise<TmpfsNode> {
    const node = this.#nodes.get(id);
    if (node) return node;
    throw new FsError('Corrupt', `there is no node ${id}`);
  }

  /** Makes a file; there is room for it. */
  makeFile(what: NewNode, nowMs: number): TmpfsNode {
    this.memory.take(NODE_COST_BYTES);
    return this.#node({ kind: 'file', data: new FileData(this.memory) }, what, nowMs);
  }

  makeDirectory(parentId: number, what: NewNode, nowMs: number): TmpfsNode {
    this.memory.take(NODE_COST_BYTES);
    return this.#node({ kind: 'directory', entries: new DirectoryEntries(), parentId }, what, nowMs);
  }

  makeSymlink(target: string, targetBytes: number, what: NewNode, nowMs: number): TmpfsNode {
    this.memory.take(NODE_COST_BYTES + targetBytes);
    return this.#node({ kind: 'symlink', target, targetBytes }, what, nowMs);
  }

  forget(node: TmpfsNode): void {
    this.#nodes.delete(node.id);
  }

  statistics(): FileSystemStatistics {
    const { usedBytes, room } = this.memory;
    return {
      type: this.type,
      label: '',
      blockSizeBytes: BLOCK_BYTES,
      blocks: Math.floor((usedBytes + room) / BLOCK_BYTES),
      blocksFree: Math.floor(room / BLOCK_BYTES),
      nodes: NODES_MAX,
      nodesFree: NODES_MAX - this.#nodes.size,
      nameBytesMax: NAME_BYTES_MAX,
    };
  }

  /** Memory is as durable as it gets. */
  async sync(): Promise<void> {}

  async unmount(): Promise<void> {
    this.#nodes.clear();
  }

  #node(content: TmpfsContent, what: NewNode, nowMs: number): TmpfsNode {
    const id = this.#nextId++;
    const node = new TmpfsNode(this, { id, content, what, nowMs });
    this.#nodes.set(id, node);
    return node;
  }
}
