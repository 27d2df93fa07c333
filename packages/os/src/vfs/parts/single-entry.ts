/** A file system of one entry: a file of some kind, or a symbolic link. */
import {
  type BackendListing,
  type BackendSpace,
  type BackendStatus,
  type FileSystemBackend,
  NAME_BYTES_MAX,
} from '@ginit/core/file_system';
import { fileSystemFailure } from '../../lib/file-system-failure.ts';
import { UnchangingTree } from './read-only.ts';

/** A file of some kind. */
export interface SingleFile {
  readonly writeable: boolean;
  /** Whether the size says nothing. */
  readonly unsized: boolean;
  readonly sizeBytes: number;
  read(position: number, into: Uint8Array): Promise<number>;
  /** Behaves as a backend's. At the end of the file `position` is undefined. */
  write(position: number | undefined, from: Uint8Array): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  readReady?(ended: AbortSignal): Promise<void>;
  writeReady?(ended: AbortSignal): Promise<void>;
  sync?(): Promise<void>;
  /** Calls the handler whenever the content is another. */
  onChange?(changed: () => void): void;
  close(): Promise<void>;
}

/** What the entry is. */
export type SingleContent = SingleFile | { readonly target: string };

const ENTRY_INODE = 2;
const BLOCK_BYTES = 4096;

/** A node: the directory or the entry. */
export type SingleNode =
  | { readonly type: 'directory' }
  | { readonly type: 'file'; readonly file: SingleFile }
  | { readonly type: 'symlink'; readonly target: string };

/** A directory with one entry. */
export class SingleEntry extends UnchangingTree implements FileSystemBackend<SingleNode> {
  readonly root: SingleNode = { type: 'directory' };
  /** Nothing is made or removed in it; the file itself may be written. */
  readonly writeable = false;
  readonly #name: string;
  readonly #entry: SingleNode;
  readonly #madeMs: number;

  /** `madeMs` is the time that it shows. */
  constructor(name: string, content: SingleContent, madeMs: number) {
    super();
    this.#name = name;
    this.#madeMs = madeMs;
    this.#entry =
      'target' in content ? { type: 'symlink', target: content.target } : { type: 'file', file: content };
  }

  readonly entryInode = ENTRY_INODE;

  /** The entry. */
  get entry(): SingleNode {
    return this.#entry;
  }

  status(node: SingleNode): BackendStatus {
    const times = { modifiedMs: this.#madeMs, accessedMs: this.#madeMs, changedMs: this.#madeMs };
    const common = { ...times, uid: 0, gid: 0, allocatedBytes: 0, type: node.type };
    switch (node.type) {
      case 'directory':
        return { ...common, sizeBytes: 0, inode: 1, links: 2, mode: 0o755 };
      case 'symlink': {
        const sizeBytes = new TextEncoder().encode(node.target).length;
        return { ...common, sizeBytes, inode: ENTRY_INODE, links: 1, mode: 0o777 };
      }
      case 'file': {
        const { sizeBytes, unsized, writeable } = node.file;
        const mode = writeable ? 0o666 : 0o444;
        return { ...common, sizeBytes, inode: ENTRY_INODE, links: 1, mode, unsized };
      }
    }
  }

  /** Times and modes are not kept; tools set them by habit, so that is no error. */
  async setAttributes(): Promise<void> {}

  async read(node: SingleNode, position: number, into: Uint8Array): Promise<number> {
    return fileOf(node).read(position, into);
  }

  async write(node: SingleNode, position: number, from: Uint8Array): Promise<number> {
    return writeableFileOf(node).write(position, from);
  }

  async append(node: SingleNode, from: Uint8Array): Promise<number> {
    return writeableFileOf(node).write(undefined, from);
  }

  async readReady(node: SingleNode, ended: AbortSignal): Promise<void> {
    await fileOf(node).readReady?.(ended);
  }

  async writeReady(node: SingleNode, ended: AbortSignal): Promise<void> {
    const file = fileOf(node);
    if (!file.writeReady) throw fileSystemFailure('No_space');
    await file.writeReady(ended);
  }

  async truncate(node: SingleNode, sizeBytes: number): Promise<void> {
    await writeableFileOf(node).truncate(sizeBytes);
  }

  async readLink(node: SingleNode): Promise<string> {
    if (node.type !== 'symlink') throw fileSystemFailure('Invalid_argument', 'no symbolic link');
    return node.target;
  }

  async lookup(node: SingleNode, name: string): Promise<SingleNode> {
    if (node.type !== 'directory') throw fileSystemFailure('Not_a_directory');
    if (name !== this.#name) throw fileSystemFailure('Lookup_failed');
    return this.#entry;
  }

  async list(node: SingleNode): Promise<BackendListing> {
    if (node.type !== 'directory') throw fileSystemFailure('Not_a_directory');
    const { type } = this.#entry;
    return { entries: [{ name: this.#name, id: ENTRY_INODE, type }], nextCursor: undefined };
  }

  async sync(): Promise<void> {
    if (this.#entry.type === 'file') await this.#entry.file.sync?.();
  }

  space(): BackendSpace {
    const nothing = { totalBytes: 0, freeBytes: 0, totalNodes: 0, freeNodes: 0 };
    return { ...nothing, blockBytes: BLOCK_BYTES, nameBytesMax: NAME_BYTES_MAX };
  }
}

function fileOf(node: SingleNode): SingleFile {
  if (node.type === 'directory') throw fileSystemFailure('Is_a_directory');
  if (node.type === 'symlink') throw fileSystemFailure('Is_a_symlink');
  return node.file;
}

function writeableFileOf(node: SingleNode): SingleFile {
  const file = fileOf(node);
  if (!file.writeable) throw fileSystemFailure('Permission_denied', 'it can only be read');
  return file;
}
