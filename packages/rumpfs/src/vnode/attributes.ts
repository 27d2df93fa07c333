export type NodeType =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'fifo'
  | 'socket';

/** The attributes of a node. Times are milliseconds since 1970. */
export interface Attributes {
  readonly id: number;
  readonly type: NodeType;
  readonly sizeBytes: number;
  readonly links: number;
  /** The lower twelve bits of a Unix mode. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  readonly accessedMs: number;
  readonly modifiedMs: number;
  /** The time of the last change of these attributes. */
  readonly changedMs: number;
  /** The time when the node was made; undefined where the format has none. */
  readonly bornMs?: number | undefined;
  /** The bytes that the node occupies on the device, including its own structures. */
  readonly allocatedBytes: number;
}

/** The attributes that can be set by themselves; a missing one stays as it is. */
export interface AttributeChange {
  readonly permissions?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly accessedMs?: number;
  readonly modifiedMs?: number;
}

/** The properties of a new node. */
export interface NewNode {
  /** The lower twelve bits of a Unix mode. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
}

/** New nodes of whoever has no wish. */
export const DEFAULT_FILE: NewNode = { permissions: 0o644, uid: 0, gid: 0 };
export const DEFAULT_DIRECTORY: NewNode = { permissions: 0o755, uid: 0, gid: 0 };
/** A symbolic link has no permissions of its own. */
export const SYMLINK_NODE: NewNode = { permissions: 0o777, uid: 0, gid: 0 };

export interface DirectoryEntry {
  readonly name: string;
  readonly id: number;
  readonly type: NodeType;
}

/** A piece of a directory, without `.` and `..`. */
export interface DirectoryListing {
  readonly entries: readonly DirectoryEntry[];
  /** The cursor for the next piece; undefined at the end. */
  readonly nextCursor: number | undefined;
}

export interface FileSystemStatistics {
  readonly type: string;
  readonly label: string;
  readonly blockSizeBytes: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly nodes: number;
  readonly nodesFree: number;
  readonly nameBytesMax: number;
}
