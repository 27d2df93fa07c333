/** The tree of subjects as a file system. */
import { RpcError } from '@ginit/core';
import {
  type BackendListing,
  type BackendSpace,
  FILE_SYSTEM_ERRORS,
  type FileSystemBackend,
  type FileSystemErrorCode,
  NAME_BYTES_MAX,
  type BackendStatus,
  tellChanged,
} from '@ginit/core/file_system';
import { fileSystemFailure } from '../lib/file-system-failure.ts';
import type { TraceDirectory, TraceFile, TraceNode } from './trace-nodes.ts';
import { type TraceTree, WRITTEN_BYTES_MAX } from './trace-tree.ts';

const BLOCK_BYTES = 4096;
const DIRECTORY_MODE = 0o555;
const FILE_MODE = 0o444;
const WRITEABLE_MODE = 0o644;

/** Nobody makes, names or removes anything here. */
function refuse(): never {
  throw fileSystemFailure('Permission_denied', 'the nodes of trace_fs are made by the system that it shows');
}

/** The file system of one session. */
export class TraceBackend implements FileSystemBackend<TraceNode> {
  readonly writeable = true;
  readonly root: TraceNode;
  readonly #tree: TraceTree;
  readonly #now: () => number;

  /** `now` is the wall clock of the last look, for the times of nodes. */
  constructor(tree: TraceTree, now: () => number) {
    this.#tree = tree;
    this.#now = now;
    this.root = tree.root;
    tree.onChange = (node) => tellChanged(this, node, node.inode);
  }

  hold(): void {}

  async release(): Promise<void> {}

  status(node: TraceNode): BackendStatus {
    const now = this.#now();
    const directory = node.type === 'directory';
    const sizeBytes = directory ? 0 : node.sizeBytes;
    const mode = directory ? DIRECTORY_MODE : node.file.write ? WRITEABLE_MODE : FILE_MODE;
    const times = { modifiedMs: now, accessedMs: now, changedMs: now };
    const { type, inode } = node;
    return {
      type,
      sizeBytes,
      inode,
      links: directory ? 2 : 1,
      mode,
      uid: 0,
      gid: 0,
      ...times,
      allocatedBytes: sizeBytes,
    };
  }

  /** Times and modes are not kept; tools set them by habit, so that is no error. */
  async setAttributes(): Promise<void> {}

  async read(node: TraceNode, position: number, into: Uint8Array): Promise<number> {
    return fileOf(node).read(position, into);
  }

  async write(node: TraceNode, position: number, from: Uint8Array): Promise<number> {
    const file = fileOf(node);
    if (!file.file.write) throw fileSystemFailure('Permission_denied', 'it can only be read');
    if (position + from.length > WRITTEN_BYTES_MAX) throw fileSystemFailure('Size_limit_reached');
    try {
      await file.file.write(file.joined(position, from.slice()));
    } finally {
      // Other files show what has come of it.
      await this.#tree.look();
    }
    return from.length;
  }

  append(node: TraceNode, from: Uint8Array): Promise<number> {
    return this.write(node, fileOf(node).writtenBytes, from);
  }

  async truncate(node: TraceNode): Promise<void> {
    fileOf(node).truncate();
  }

  async readLink(): Promise<string> {
    throw fileSystemFailure('Invalid_argument', 'there are no symbolic links');
  }

  async lookup(node: TraceNode, name: string): Promise<TraceNode> {
    const found = directoryOf(node).children.get(name);
    if (found) return found;
    // It may be there since the last look.
    await this.#tree.look();
    const late = directoryOf(node).children.get(name);
    if (!late) throw fileSystemFailure('Lookup_failed', name);
    return late;
  }

  /** A cursor is the inode of the last entry: these only grow. */
  async list(node: TraceNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    if (cursor === 0) await this.#tree.look();
    const rest = [...directoryOf(node).children]
      .filter(([, child]) => child.inode > cursor)
      .toSorted(([, one], [, other]) => one.inode - other.inode);
    const entries = rest
      .slice(0, entriesMax)
      .map(([name, { inode, type }]) => ({ name, id: inode, type }) as const);
    return { entries, nextCursor: entries.length < rest.length ? entries.at(-1)?.id : undefined };
  }

  createFile = async (): Promise<TraceNode> => refuse();
  createDirectory = async (): Promise<TraceNode> => refuse();
  createSymlink = async (): Promise<TraceNode> => refuse();
  link = async (): Promise<void> => refuse();
  unlink = async (): Promise<void> => refuse();
  removeDirectory = async (): Promise<void> => refuse();
  rename = async (): Promise<void> => refuse();

  async sync(): Promise<void> {}

  space(): BackendSpace {
    return {
      totalBytes: 0,
      freeBytes: 0,
      totalNodes: 0,
      freeNodes: 0,
      blockBytes: BLOCK_BYTES,
      nameBytesMax: NAME_BYTES_MAX,
    };
  }

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    return error instanceof RpcError ? FILE_SYSTEM_ERRORS.find((code) => code === error.code) : undefined;
  }
}

function fileOf(node: TraceNode): TraceFile {
  if (node.type === 'directory') throw fileSystemFailure('Is_a_directory');
  return node;
}

function directoryOf(node: TraceNode): TraceDirectory {
  if (node.type !== 'directory') throw fileSystemFailure('Not_a_directory');
  return node;
}
