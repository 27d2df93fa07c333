/**
 * File_system: directories, files and symbolic links by handles. Names are resolved by calls, data
 * moves in packets. (Reference: Genode's File_system session. `subdir`, `stat`, `lookup`, `make`,
 * `open`, `setAttributes`, `changes`, `rmdir`, `link`, `readlink` and `space` are ours, and so is
 * that a symbolic link is made in one step.)
 *
 * Paths are absolute and relative to the root that the server's policy gives the session. Symbolic
 * links on the way are followed within that root (an absolute one starts there again), and `..`
 * stops there. An operation on a directory's handle and a name follows nothing: a name is one
 * component, neither empty nor `.` nor `..`. Text is UTF-8; a name, path or target whose bytes are
 * not valid UTF-8 travels as bytes (`NameData`).
 *
 * A handle belongs to a node, not to a name: it outlives a rename, and a file without names lives,
 * as in POSIX, until its last handle is closed (`links` is 0 then). Handles end with the session.
 * What a server cannot keep alive answers `Unavailable`. A handle from `lookup` or `make` serves
 * all that a node is asked for: of a directory, the names in it and its entries; of a file, READ
 * and WRITE.
 *
 * Session arguments: `tx_buf_size`, `root` (a directory below the policy's), `writeable` (default
 * yes). A session is writeable if this, the policy and the file system all say so; otherwise
 * changes end with `Permission_denied`.
 *
 * Packets: `handle`, `position` = byte offset, payload. They may be carried out and acknowledged
 * in any order. READ: `length` bytes wanted, answered with the bytes read, fewer only at the end;
 * at `SEEK_TAIL` it reads the file's last `length` bytes. WRITE: `length` bytes, answered with the
 * bytes written, fewer only where the space ended; at `SEEK_TAIL` it appends, atomically. READ of
 * a directory: whole entries of `DIRECTORY_ENTRY_BYTES`, without `.` and `..`, in the directory's
 * order, as many as are at hand, none at the end; `position` = index * that. Reading on where the
 * handle's last READ ended meets every entry once that stays in the directory, whatever comes and
 * goes meanwhile; any other position is counted from the beginning. READ_STATUS of a directory
 * does the same with entries of `STATUS_ENTRY_BYTES`, which hold a status each. WRITE_TIMESTAMP:
 * `position` = modification time in ms. SYNC (no handle): acknowledged when every write of the
 * session that was acknowledged before is on stable storage. `status` of an acknowledgement:
 * `PACKET_STATUS.ok`, or an error (`fileSystemStatus`) and then a `length` of 0.
 *
 * A file may be `unsized`: a terminal, an endless source. Its size says nothing. READ gives what is
 * at hand, nothing if that is nothing; READ_READY of its handle is acknowledged once there is
 * something to read, or nothing will ever come any more: a READ after that gives nothing at the end
 * only. A WRITE waits until something of it can be taken. Few packets of a session may wait so at a
 * time: more are `Busy`. A packet that waits ends with `Unavailable` when its handle is closed. Of
 * any other file READ_READY is acknowledged at once.
 *
 * `watch` opens a node in order to hear of its changes, whichever session makes them: the server
 * sends CONTENT_CHANGED packets with its handle, which answer no request. Several changes may
 * become one packet, none is lost. A file changes for its watchers when a handle by which it was
 * written, cut or dated is closed, or with the next SYNC of that session, so that nobody reads what
 * is half written; a directory when an entry comes, goes or is renamed. Removing or replacing a
 * file tells its own watchers, too. `changes` opens a handle that hears of the changes of all nodes
 * which *other* sessions of the server make, those of attributes too: `position` is then the inode,
 * or 0 if so many have changed that any may have.
 */
import { rpc, session } from '../../interface/interface.ts';
import {
  anyOf,
  boolean,
  bytes,
  nothing,
  oneOf,
  optional,
  record,
  type Shape,
  type ShapeType,
  text,
  u32,
  u53,
} from '../../interface/shapes.ts';
import { packetStream } from '../../interface/stream.ts';
import { type Packet, PACKET_STATUS } from '../../packet-stream/index.ts';

/** The operations of packets. */
export const FILE_SYSTEM_OPERATION = {
  read: 1,
  write: 2,
  writeTimestamp: 3,
  /** Sent by the server without a request: the content that a watch handle watches has changed. */
  contentChanged: 4,
  /** Acknowledged when the file has something to read. */
  readReady: 5,
  sync: 6,
  /** Reads a directory's entries with the status of each. */
  readStatus: 7,
} as const;

/** Every error of the interface. */
export const FILE_SYSTEM_ERRORS = [
  /** No such handle, or it was opened for something else. */
  'Invalid_handle',
  /** No name of one component, or no absolute path. */
  'Invalid_name',
  'Lookup_failed',
  'Node_already_exists',
  'Not_empty',
  'Not_a_directory',
  'Is_a_directory',
  'No_space',
  'Permission_denied',
  /** The node has vanished. */
  'Unavailable',
  /** The file system, or this server, does not have that. */
  'Unsupported',
  'Too_many_links',
  /** A file larger than the format allows. */
  'Size_limit_reached',
  'Out_of_node_handles',
  'Out_of_ram',
  'Out_of_caps',
  /** The device failed. */
  'Input_output',
  /** The content of the device contradicts its format. */
  'Corrupt',
  'Name_too_long',
  'Invalid_argument',
  /** A symbolic link where none is followed: the client resolves it. */
  'Is_a_symlink',
  /** Symbolic links that lead round in circles. */
  'Too_many_symlinks',
  /** In use in a way that forbids it. */
  'Busy',
  /** A rename or link from one part of a file system that is put together to another. */
  'Cross_device',
] as const;
/** One of `FILE_SYSTEM_ERRORS`. */
export type FileSystemErrorCode = (typeof FILE_SYSTEM_ERRORS)[number];

/** The status of a packet that failed with `code`. */
export function fileSystemStatus(code: FileSystemErrorCode): number {
  return PACKET_STATUS.firstCode + FILE_SYSTEM_ERRORS.indexOf(code);
}

/** The error behind a packet's status; `undefined` if it succeeded. */
export function fileSystemError(status: number): FileSystemErrorCode | undefined {
  if (status === PACKET_STATUS.ok) return undefined;
  return FILE_SYSTEM_ERRORS[status - PACKET_STATUS.firstCode] ?? 'Input_output';
}

/** The longest name of a directory entry in bytes of UTF-8. */
export const NAME_BYTES_MAX = 255;
/** The longest path in bytes of UTF-8. */
export const PATH_BYTES_MAX = 4095;

/** As `position`: the end of the file at the moment when the packet is carried out. */
export const SEEK_TAIL = Number.MAX_SAFE_INTEGER;

/** Kinds of nodes. Nodes of the last four kinds have a status and names only. */
export const NODE_TYPES = [
  'directory',
  'symlink',
  'file',
  'character-device',
  'block-device',
  'fifo',
  'socket',
] as const;
/** One of `NODE_TYPES`. */
export type NodeType = (typeof NODE_TYPES)[number];

/** How a file is opened. */
export const OPEN_MODES = ['stat-only', 'read-only', 'write-only', 'read-write'] as const;
/** One of `OPEN_MODES`. */
export type OpenMode = (typeof OPEN_MODES)[number];

/**
 * A directory entry in the bulk buffer, little endian: u64 inode, u8 type (index in `NODE_TYPES`),
 * u8 bytes of the name, name, zeros up to `DIRECTORY_ENTRY_BYTES`.
 */
export const DIRECTORY_ENTRY_BYTES = 272;

/**
 * A directory entry with its status, which follows it: u64 size, u64 allocated bytes, u64 times of
 * access, modification and change in ms, u32 links, u32 mode, u32 uid, u32 gid, u32 1 if it is
 * unsized, u32 0. Its links are 0 if the entry had gone before its status could be had.
 */
export const STATUS_ENTRY_BYTES = DIRECTORY_ENTRY_BYTES + 64;

/** A name, path or target: text, or bytes where these are not valid UTF-8. */
export type NameData = string | Uint8Array;

function nameData(bytesMax: number): Shape<NameData> {
  return anyOf<NameData>(`text or bytes, at most ${bytesMax}`, text(bytesMax), bytes(bytesMax));
}

const handle = u32;
const name = nameData(NAME_BYTES_MAX);
const path = nameData(PATH_BYTES_MAX);

/** The status of a node. */
const nodeStatus = record({
  type: oneOf(NODE_TYPES),
  sizeBytes: u53,
  inode: u53,
  /** Names of the node; 0 once it lives by its handles only. */
  links: u32,
  /** Permission bits as in POSIX. */
  mode: u32,
  /** The owner and group; 0 where the file system has none. */
  uid: u32,
  gid: u32,
  /** Modification time in ms since 1970. */
  modifiedMs: u53,
  /** The times of the last access, and of the last change of content or status, likewise. */
  accessedMs: u53,
  changedMs: u53,
  /** The bytes that it occupies. */
  allocatedBytes: u53,
  /** Whether the size says nothing, and reading ends where nothing more comes. */
  unsized: boolean,
});
/**
 * The status of a node: its type, size in bytes, inode number, number of names, permission bits,
 * owner, times in ms since 1970, the bytes that it occupies, and whether its size says nothing.
 */
export type NodeStatus = ShapeType<typeof nodeStatus>;

/** A node with its handle. */
const openedNode = record({ handle, status: nodeStatus });
/** A node with its handle. */
export type OpenedNode = ShapeType<typeof openedNode>;

/** Kinds of nodes that can be made. */
export const NEW_NODE_TYPES = ['file', 'directory', 'symlink'] as const;

/** What a new node is to be. */
const newNode = record({
  type: oneOf(NEW_NODE_TYPES),
  /** The lower twelve bits of a Unix mode; a symbolic link has its own. */
  mode: u32,
  uid: u32,
  gid: u32,
  /** Of a symbolic link, and only of that. */
  target: optional(path),
});
/** What a new node is to be: its type, mode, owner, and the target of a symbolic link. */
export type NewNodeData = ShapeType<typeof newNode>;

/** Attributes to be set; those that are missing stay. */
const attributeChange = record({
  mode: optional(u32),
  uid: optional(u32),
  gid: optional(u32),
  sizeBytes: optional(u53),
  accessedMs: optional(u53),
  modifiedMs: optional(u53),
});
/** Attributes to be set: mode, owner, size and times; those that are missing stay. */
export type AttributeChangeData = ShapeType<typeof attributeChange>;

/**
 * How `move` treats what has the new name: it is `replace`d as in POSIX, the move fails
 * (`Node_already_exists`, `new`), or the two names change places (`exchange`).
 */
export const MOVE_MODES = ['replace', 'new', 'exchange'] as const;
/** One of `MOVE_MODES`. */
export type MoveMode = (typeof MOVE_MODES)[number];

/** What a file system has, in bytes and nodes, and what it takes. */
const fileSystemSpace = record({
  totalBytes: u53,
  freeBytes: u53,
  totalNodes: u53,
  freeNodes: u53,
  /** The unit in which it gives space to files. */
  blockBytes: u32,
  /** The longest name of an entry. */
  nameBytesMax: u32,
  /** Whether this session may change anything. */
  writeable: boolean,
});
/**
 * The space of a file system: bytes and nodes, in all and free; its unit, the longest name, and
 * whether the session may write.
 */
export type FileSystemSpace = ShapeType<typeof fileSystemSpace>;

/** The File_system session. */
export const FileSystem = session(
  'File_system',
  {
    /** Opens a directory; with `create` it must not exist yet, its parent must. */
    dir: rpc<(path: NameData, create: boolean) => number>({ args: [path, boolean], result: handle }),
    /** Opens a directory of an open directory, likewise. */
    subdir: rpc<(directory: number, name: NameData, create: boolean) => number>({
      args: [handle, name, boolean],
      result: handle,
    }),
    /**
     * Opens a file of a directory; with `create` it must not exist yet. A symbolic link is
     * `Is_a_symlink`.
     */
    file: rpc<(directory: number, name: NameData, mode: OpenMode, create: boolean) => number>({
      args: [handle, name, oneOf(OPEN_MODES), boolean],
      result: handle,
    }),
    /**
     * Opens any node, for `status` and `link` only. `follow`: of a symbolic link at the path's end,
     * its target.
     */
    node: rpc<(path: NameData, follow: boolean) => number>({ args: [path, boolean], result: handle }),
    /**
     * Opens any node in order to hear of its changes, by CONTENT_CHANGED. Symbolic links are
     * followed.
     */
    watch: rpc<(path: NameData) => number>({ args: [path], result: handle }),
    close: rpc<(handle: number) => void>({ args: [handle], result: nothing }),
    status: rpc<(handle: number) => NodeStatus>({ args: [handle], result: nodeStatus }),
    /** The status of an entry of an open directory, without a handle of its own. */
    stat: rpc<(directory: number, name: NameData) => NodeStatus>({
      args: [handle, name],
      result: nodeStatus,
    }),
    /** Opens the node of a name, whatever it is; a symbolic link is not followed. */
    lookup: rpc<(directory: number, name: NameData) => OpenedNode>({
      args: [handle, name],
      result: openedNode,
    }),
    /**
     * Makes a node and opens it. In a directory with the bit 02000 of a mode the new node has the
     * directory's group, and a new directory that bit too.
     */
    make: rpc<(directory: number, name: NameData, what: NewNodeData) => OpenedNode>({
      args: [handle, name, newNode],
      result: openedNode,
    }),
    /** Opens the file of a handle once more, in any mode; or a directory, for reading. */
    open: rpc<(node: number, mode: OpenMode) => number>({
      args: [handle, oneOf(OPEN_MODES)],
      result: handle,
    }),
    /** Sets attributes of the node of any handle, the size first. */
    setAttributes: rpc<(node: number, change: AttributeChangeData) => NodeStatus>({
      args: [handle, attributeChange],
      result: nodeStatus,
    }),
    /** The target of the symbolic link of a handle; of anything else `Invalid_argument`. */
    target: rpc<(node: number) => NameData>({ args: [handle], result: path }),
    /** Opens a handle that hears of what other sessions change, by CONTENT_CHANGED. */
    changes: rpc<() => number>({ args: [], result: handle }),
    /** Makes a symbolic link. */
    symlink: rpc<(directory: number, name: NameData, target: NameData) => void>({
      args: [handle, name, path],
      result: nothing,
    }),
    /** The target of a symbolic link; of anything else `Invalid_argument`. */
    readlink: rpc<(directory: number, name: NameData) => NameData>({ args: [handle, name], result: path }),
    /** Removes anything but a directory. */
    unlink: rpc<(directory: number, name: NameData) => void>({ args: [handle, name], result: nothing }),
    /** Removes an empty directory. */
    rmdir: rpc<(directory: number, name: NameData) => void>({ args: [handle, name], result: nothing }),
    truncate: rpc<(file: number, sizeBytes: number) => void>({ args: [handle, u53], result: nothing }),
    /** Renames. A server that cannot exchange names says `Unsupported`. */
    move: rpc<
      (
        fromDirectory: number,
        fromName: NameData,
        toDirectory: number,
        toName: NameData,
        how: MoveMode,
      ) => void
    >({ args: [handle, name, handle, name, oneOf(MOVE_MODES)], result: nothing }),
    /** One more name for a node that is no directory. */
    link: rpc<(node: number, directory: number, name: NameData) => void>({
      args: [handle, handle, name],
      result: nothing,
    }),
    /** Entries of a directory, without `.` and `..`. */
    numEntries: rpc<(directory: number) => number>({ args: [handle], result: u53 }),
    space: rpc<() => FileSystemSpace>({ args: [], result: fileSystemSpace }),
    tx: packetStream('tx', {
      queueSlots: 32,
      defaultBulkBytes: 256 * 1024,
      alignLog2: 3,
      payloadDirection: {
        submitBytes: (packet: Packet) =>
          packet.operation === FILE_SYSTEM_OPERATION.write ? packet.length : 0,
        acknowledgeBytes: (packet: Packet) =>
          packet.operation === FILE_SYSTEM_OPERATION.read ||
          packet.operation === FILE_SYSTEM_OPERATION.readStatus
            ? packet.length
            : 0,
      },
    }),
  },
  { errors: FILE_SYSTEM_ERRORS },
);
