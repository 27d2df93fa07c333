/**
 * The interface that a file system implements to be served: nodes that can be held, and operations
 * on them. The server library above it (`serveFileSystem`) knows sessions, handles, paths and
 * packets; a backend knows none of these.
 *
 * Whoever gets a node from `lookup` or a `create…` holds it and gives it back by `release`, once.
 * While anybody holds a node it lives, with or without a name. Names are checked already: one
 * component, at most `NAME_BYTES_MAX` bytes, in the form of `names.ts`. Calls overlap; a backend
 * locks where it must. It fails with errors of its own, which `errorCode` translates, or with
 * `RpcError`s of the interface.
 */
import type {
  AttributeChangeData,
  FileSystemErrorCode,
  FileSystemSpace,
  NodeStatus,
  NodeType,
} from '../declaration.ts';

/** A node as far as the server looks at it: one object per node, whoever holds it. */
export interface BackendNode {
  readonly type: NodeType;
}

/** A piece of a directory, without `.` and `..`. */
export interface BackendListing {
  readonly entries: readonly { readonly name: string; readonly id: number; readonly type: NodeType }[];
  /**
   * Where to go on; undefined at the end. Good for the handle's life, whatever happens to the
   * directory.
   */
  readonly nextCursor: number | undefined;
}

/** The mode and owner of a new node. */
export interface BackendNewNode {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What a backend says of its space; whether a session may write is the session's business. */
export type BackendSpace = Omit<FileSystemSpace, 'writeable'>;

/** The status of a node; `unsized` is missing where every file has a size. */
export type BackendStatus = Omit<NodeStatus, 'unsized'> & { readonly unsized?: boolean };

/** The file system behind a server. */
export interface FileSystemBackend<Node extends BackendNode> {
  /** False: every session is read-only. */
  readonly writeable: boolean;
  readonly root: Node;
  /** Takes one more hold of a node that is held. */
  hold(node: Node): void;
  /**
   * Gives a hold back. Settles when the node is done with, if that was the last hold of a node
   * without names.
   */
  release(node: Node): Promise<void>;

  status(node: Node): BackendStatus | Promise<BackendStatus>;
  /** Sets mode, owner and times. `sizeBytes` is none of its business: that is `truncate`. */
  setAttributes(node: Node, change: Omit<AttributeChangeData, 'sizeBytes'>): Promise<void>;
  /**
   * Fills `into` from `position` on; fewer bytes at the file's end only, or as many as are at hand
   * of an unsized file. `into` may be memory shared with a peer.
   */
  read(file: Node, position: number, into: Uint8Array): Promise<number>;
  /**
   * Writes all, or fewer where the space ends; none: `No_space`. 0 says that an unsized file takes
   * nothing now: `writeReady` says when.
   */
  write(file: Node, position: number, from: Uint8Array): Promise<number>;
  /** Writes at the end, wherever that is when its turn comes. */
  append(file: Node, from: Uint8Array): Promise<number>;
  /**
   * Settles when there is something to read, or never will be again; missing where that is always
   * so. The waiting ends, at the latest, with the signal.
   */
  readReady?(file: Node, ended: AbortSignal): Promise<void>;
  /** Settles when the file takes something, likewise. */
  writeReady?(file: Node, ended: AbortSignal): Promise<void>;
  truncate(file: Node, sizeBytes: number): Promise<void>;
  readLink(symlink: Node): Promise<string>;

  /** The node of a name, held. */
  lookup(directory: Node, name: string): Promise<Node>;
  /** At most `entriesMax` entries from `cursor` on: 0, or a `nextCursor`. */
  list(directory: Node, cursor: number, entriesMax: number): Promise<BackendListing>;
  /** The new node, held. Without `what` mode and owner are the backend's choice. */
  createFile(directory: Node, name: string, what?: BackendNewNode): Promise<Node>;
  createDirectory(directory: Node, name: string, what?: BackendNewNode): Promise<Node>;
  /** A symbolic link has no mode of its own. */
  createSymlink(directory: Node, name: string, target: string, what?: BackendNewNode): Promise<Node>;
  /** Refuses directories as targets, but names that exist first, as POSIX systems do. */
  link(directory: Node, name: string, target: Node): Promise<void>;
  /** Removes the name of anything but a directory. */
  unlink(directory: Node, name: string): Promise<void>;
  /** Removes an empty directory. */
  removeDirectory(directory: Node, name: string): Promise<void>;
  /** `replace`: what has the new name goes as in POSIX; otherwise the new name must be free. */
  rename(directory: Node, name: string, toDirectory: Node, toName: string, replace: boolean): Promise<void>;

  /** Settles when everything acknowledged before is on stable storage. */
  sync(): Promise<void>;
  space(): BackendSpace | Promise<BackendSpace>;
  /** The code for an error that the backend threw; undefined if it did not mean to. */
  errorCode(error: unknown): FileSystemErrorCode | undefined;
}
