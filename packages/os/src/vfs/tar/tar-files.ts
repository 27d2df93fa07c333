/** An archive as a part of the tree. */
import {
  type BackendListing,
  type BackendSpace,
  type BackendStatus,
  type FileSystemBackend,
  NAME_BYTES_MAX,
} from '@ginit/core/file_system';
import { copyInto } from '@ginit/core/packet-stream';
import { fileSystemFailure } from '../../lib/file-system-failure.ts';
import { refuseChange, UnchangingTree } from '../parts/read-only.ts';
import type { TarNode, TarTree } from './tar-tree.ts';

const BLOCK_BYTES = 512;

/** The files of an archive. */
export class TarFiles extends UnchangingTree implements FileSystemBackend<TarNode> {
  readonly writeable = false;
  readonly root: TarNode;
  readonly #tree: TarTree;

  constructor(tree: TarTree) {
    super();
    this.#tree = tree;
    this.root = tree.root;
  }

  status(node: TarNode): BackendStatus {
    const { type, inode, links, mode, uid, gid, modifiedMs, content, target } = node;
    const sizeBytes = type === 'symlink' ? new TextEncoder().encode(target).length : content.length;
    const times = { modifiedMs, accessedMs: modifiedMs, changedMs: modifiedMs };
    return { type, inode, links, mode, uid, gid, sizeBytes, allocatedBytes: content.length, ...times };
  }

  async read(node: TarNode, position: number, into: Uint8Array): Promise<number> {
    if (node.type === 'directory') throw fileSystemFailure('Is_a_directory');
    const part = node.content.subarray(position, position + into.length);
    copyInto(into, part);
    return part.length;
  }

  async readLink(node: TarNode): Promise<string> {
    if (node.type !== 'symlink') throw fileSystemFailure('Invalid_argument', 'no symbolic link');
    return node.target;
  }

  async lookup(directory: TarNode, name: string): Promise<TarNode> {
    if (directory.type !== 'directory') throw fileSystemFailure('Not_a_directory');
    const found = directory.entries.get(name);
    if (!found) throw fileSystemFailure('Lookup_failed');
    return found;
  }

  async list(directory: TarNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    if (directory.type !== 'directory') throw fileSystemFailure('Not_a_directory');
    const order = this.#orderOf(directory);
    const taken = order.slice(cursor, cursor + entriesMax);
    const entries = taken.map(({ name, node }) => ({ name, id: node.inode, type: node.type }));
    const next = cursor + taken.length;
    return { entries, nextCursor: next < order.length ? next : undefined };
  }

  readonly #orders = new WeakMap<TarNode, readonly { readonly name: string; readonly node: TarNode }[]>();

  #orderOf(directory: TarNode): readonly { readonly name: string; readonly node: TarNode }[] {
    const known = this.#orders.get(directory);
    if (known) return known;
    const made = Array.from(directory.entries, ([name, node]) => ({ name, node }));
    this.#orders.set(directory, made);
    return made;
  }

  setAttributes = refuseChange;
  write = refuseChange;
  append = refuseChange;
  truncate = refuseChange;

  async sync(): Promise<void> {}

  space(): BackendSpace {
    const { nodes, contentBytes } = this.#tree;
    const nothing = { freeBytes: 0, freeNodes: 0 };
    return {
      totalBytes: contentBytes,
      totalNodes: nodes,
      ...nothing,
      blockBytes: BLOCK_BYTES,
      nameBytesMax: NAME_BYTES_MAX,
    };
  }
}
