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
 * What one directory beside this one implements: a mounted file system of one format.
 *
 * Its only caller is `Mount`, which keeps the promises that make an implementation simple: names are checked,
 * types fit the operation, nothing modifies a read-only mount, and the locks are held: a node's reads run
 * beside each other and never beside one of its writes; of a directory likewise; `rename` and
 * `removeDirectory` run while no other operation on names does. Every method that fails rejects with an
 * `FsError` and leaves the file system usable.
 */
export interface FileSystem {
  /** The name of the format in a config, such as `ext2`. */
  readonly type: string;
  readonly writeable: boolean;
  readonly rootId: number;
  readonly nameBytesMax: number;
  /**
   * Brings a node that a directory names into memory; asked once for each id until that node is reclaimed.
   */
  load(id: number): Promise<FileSystemNode>;
  statistics(): FileSystemStatistics;
  /** Everything that was acknowledged is durable when this resolves. Calls never overlap. */
  sync(): Promise<void>;
  /** Leaves the device as a clean file system. Nothing is called afterwards. */
  unmount(): Promise<void>;
}

/** A file, directory, symbolic link or device of a mounted file system, in memory. */
export interface FileSystemNode {
  readonly id: number;
  readonly type: NodeType;
  /** How many names the node has. */
  readonly links: number;
  attributes(): Attributes;
  setAttributes(change: AttributeChange, nowMs: number): Promise<void>;

  /**
   * Fills `into` from `offset` on; resolves to the number of bytes, less than asked for at the file's end
   * only.
   */
  read(offset: number, into: Uint8Array): Promise<number>;
  /** Resolves to the number of bytes written, less than given only where the space ended; none: `NoSpace`. */
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
  /** Takes the name away; `inUse` says that the node must outlive its last name. */
  unlink(name: EntryName, target: FileSystemNode, inUse: boolean, nowMs: number): Promise<void>;
  removeDirectory(name: EntryName, target: FileSystemNode, inUse: boolean, nowMs: number): Promise<void>;
  /** Moves an entry of this directory, replacing what has the new name; the types were checked. */
  rename(move: Rename, nowMs: number): Promise<void>;

  /** The last user is gone: give up what only serves an open file. */
  deactivate(): void;
  /** The last user of a node without names is gone: free all that it occupies. */
  destroy(nowMs: number): Promise<void>;
  /** The node leaves memory: give up what else is held for it. */
  reclaim(): void;
}

export interface Rename {
  readonly name: EntryName;
  readonly source: FileSystemNode;
  readonly toDirectory: FileSystemNode;
  readonly toName: EntryName;
  /** What has the new name so far. */
  readonly replaced: FileSystemNode | undefined;
  readonly replacedInUse: boolean;
}
