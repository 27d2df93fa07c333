/**
 * The operations behind the object that has the shape of `fs.promises`, with plain data as
 * arguments and results: they are carried out in the caller's thread (`local-operations.ts`) or in
 * a worker. They reject with `FsError` or `Failure`.
 */
import type {
  AttributeChange,
  Attributes,
  DirectoryEntry,
  DirectoryListing,
  FileSystemStatistics,
} from '../vnode/attributes.ts';

/** The attributes of a node, and the size of the blocks of its file system. */
export interface NodeFacts {
  readonly attributes: Attributes;
  readonly blockSizeBytes: number;
}

/** What the whole file system is. */
export interface VolumeFacts extends FileSystemStatistics {
  readonly writeable: boolean;
}

/** Operations by path and by the number of an open file or directory. Flags are those of Linux. */
export interface FsOperations {
  /** `mode` is of a file that is made, without the mask of whoever makes it. */
  open(path: string, flags: number, mode: number): Promise<number>;
  close(handle: number): Promise<void>;
  /** Reads at a position, or with null where the last such read or write ended. */
  read(handle: number, into: Uint8Array, position: number | null): Promise<number>;
  /** Writes at a position, or with null where the last such read or write ended. */
  write(handle: number, from: Uint8Array, position: number | null): Promise<number>;
  handleFacts(handle: number): Promise<NodeFacts>;
  truncateHandle(handle: number, sizeBytes: number): Promise<void>;
  changeHandle(handle: number, change: AttributeChange): Promise<void>;
  /** Entries of an open directory from `cursor` (0 or a `nextCursor`) on. */
  list(handle: number, cursor: number, entriesMax: number): Promise<DirectoryListing>;

  /** All that is in a file. */
  readAll(path: string, flags: number): Promise<Uint8Array>;
  /** Opens a file, writes all of this, and closes it. */
  writeAll(path: string, flags: number, mode: number, bytes: Uint8Array): Promise<void>;
  facts(path: string, follow: boolean): Promise<NodeFacts>;
  change(path: string, change: AttributeChange, follow: boolean): Promise<void>;
  truncate(path: string, sizeBytes: number): Promise<void>;
  listAll(path: string): Promise<readonly DirectoryEntry[]>;
  makeDirectory(path: string, mode: number): Promise<void>;
  removeDirectory(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rename(path: string, newPath: string): Promise<void>;
  link(path: string, newPath: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readLink(path: string): Promise<string>;
  realPath(path: string): Promise<string>;

  volume(): Promise<VolumeFacts>;
  sync(): Promise<void>;
  /**
   * Leaves a clean file system on the device and gives that up. Rejects with `Busy` while files are
   * open, unless `force` says that they are closed.
   */
  unmount(force: boolean): Promise<void>;
}
