import type { EntryName } from './names.ts';
import type {
  AttributeChange,
  Attributes,
  DirectoryListing,
  FileSystemStatistics,
  NewNode,
  NodeType,
} from './attributes.ts';

/**
 * A mounted file system of one format. Each directory beside this one implements it.
 *
 * Its only caller is `Mount`, which keeps the promises that make an implementation simple. Names
 * are checked, types fit the operation, nothing modifies a read-only mount, and the locks are held:
 * reads of a node run beside each other and never beside one of its writes, and the same holds for
 * a directory. `rename` and `removeDirectory` run while no other operation on names does. Every
 * method that fails rejects with an `FsError` and leaves the file system usable.
 */
export interface FileSystem {
  /** The name of the format in a config, such as `ext2`. */
  readonly type: string;
  readonly writeable: boolean;
  readonly rootId: number;
  readonly nameBytesMax: number;
  /** Whether names that differ only in case are the same name. */
  readonly ignoresCase?: boolean;
  /**
   * Brings a node that a directory names into memory. It is called once for each id until that node
   * is reclaimed.
   */
  load(id: number): Promise<FileSystemNode>;
  statistics(): FileSystemStatistics;
  /** Resolves when everything that was acknowledged is durable. Calls never overlap. */
  sync(): Promise<void>;
  /** Leaves the device as a clean file system. Nothing is called afterwards. */
  unmount(): Promise<void>;
}

/** A file, directory, symbolic link or device of a mounted file system, in memory. */
export interface FileSystemNode {
  readonly id: number;
  readonly type: NodeType;
  /** The number of the node's names. */
  readonly links: number;
  attributes(): Attributes;
  setAttributes(change: AttributeChange, nowMs: number): Promise<void>;

  /**
   * Fills `into` from `offset` on; resolves to the number of bytes, less than asked for at the
   * file's end only.
   */
  read(offset: number, into: Uint8Array): Promise<number>;
  /**
   * Resolves to the number of bytes written, which is less than given only where the space ended.
   * If there was no space at all, rejects with `NoSpace`.
   */
  write(offset: number, from: Uint8Array, nowMs: number): Promise<number>;
  truncate(sizeBytes: number, nowMs: number): Promise<void>;
  readLink(): Promise<string>;

  /** The id that a directory has for a name; undefined where it has none. */
  lookup(name: EntryName): Promise<number | undefined>;
  /** Entries from `cursor` (0 or a `nextCursor`) on, at most about `entriesMax`. */
  list(cursor: number, entriesMax: number): Promise<DirectoryListing>;
  /** The id of the directory above. */
  parent(): Promise<number>;
  createFile(name: EntryName, what: NewNode, nowMs: number): Promise<FileSystemNode>;
  createDirectory(name: EntryName, what: NewNode, nowMs: number): Promise<FileSystemNode>;
  createSymlink(name: EntryName, target: Uint8Array, what: NewNode, nowMs: number): Promise<FileSystemNode>;
  link(name: EntryName, target: FileSystemNode, nowMs: number): Promise<void>;
  /** Takes a name away; `inUse` says that the node must outlive its last name. */
  unlink(name: EntryName, target: FileSystemNode, inUse: boolean, nowMs: number): Promise<void>;
  removeDirectory(name: EntryName, target: FileSystemNode, inUse: boolean, nowMs: number): Promise<void>;
  /**
   * Moves an entry of this directory, replacing the node that has the new name. The caller has
   * checked the types. Where case is ignored, both names may lead to the node, if they are written
   * differently.
   */
  rename(move: Rename, nowMs: number): Promise<void>;

  /** The last user is gone: gives up everything that only serves an open file. */
  deactivate(): void;
  /** The last user of a node without names is gone: frees everything that it occupies. */
  destroy(nowMs: number): Promise<void>;
  /** The node leaves memory: gives up everything else that is held for it. */
  reclaim(): void;
}

export interface Rename {
  readonly name: EntryName;
  readonly source: FileSystemNode;
  readonly toDirectory: FileSystemNode;
  readonly toName: EntryName;
  /** The node that has the new name so far. */
  readonly replaced: FileSystemNode | undefined;
  readonly replacedInUse: boolean;
}
