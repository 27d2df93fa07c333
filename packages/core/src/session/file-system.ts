/**
 * File_system: directories, files and symbolic links by handles. Names are resolved by calls, data moves in packets.
 * (Reference: Genode's File_system session; `link` and `space` are ours.)
 *
 * Paths are absolute and relative to the root that the server's policy gives the session; `..` never leaves it. A
 * handle outlives a rename; a handle whose node was unlinked answers `Unavailable`.
 *
 * Session arguments: `tx_buf_size`, `root` (a directory below the policy's), `writeable` (default yes).
 *
 * Packets: `handle`, `position` = byte offset (`SEEK_TAIL`: relative to the end when it is dequeued), payload. READ:
 * `length` bytes wanted, answered with the bytes read, 0 at the end; on a directory it returns whole entries of
 * `DIRECTORY_ENTRY_BYTES`, `position` = index * that. On a symbolic link it returns the target. WRITE: `length` bytes;
 * answered with the bytes written. WRITE_TIMESTAMP: `position` = modification time in ms. SYNC: settles when all
 * acknowledged writes of the session are on stable storage. `status`: `packetStatus.ok`, or an error (`fileSystemStatus`).
 */
import { rpc, session } from '../interface/interface.ts';
import { boolean, nothing, oneOf, record, type ShapeType, text, u32, u53 } from '../interface/shapes.ts';
import { packetStream } from '../interface/stream.ts';
import { type Packet, packetStatus } from '../packet_stream/index.ts';

/** What a packet asks for. */
export const fileSystemOperation = {
  read: 1,
  write: 2,
  writeTimestamp: 3,
  /** From the server, unasked: what a watch handle watches has changed. */
  contentChanged: 4,
  /** Answered when the handle has something to read. */
  readReady: 5,
  sync: 6,
} as const;

/** Every error of the interface. */
export const FILE_SYSTEM_ERRORS = [
  'Invalid_handle',
  'Invalid_name',
  'Lookup_failed',
  'Node_already_exists',
  'Not_empty',
  'Not_a_directory',
  'Is_a_directory',
  'No_space',
  'Permission_denied',
  'Unavailable',
  'Unsupported',
  'Too_many_links',
  'Size_limit_reached',
  'Out_of_node_handles',
  'Out_of_ram',
  'Out_of_caps',
  'Input_output',
  'Corrupt',
] as const;
export type FileSystemErrorCode = (typeof FILE_SYSTEM_ERRORS)[number];

/** The status of a packet that failed with `code`. */
export function fileSystemStatus(code: FileSystemErrorCode): number {
  return packetStatus.firstCode + FILE_SYSTEM_ERRORS.indexOf(code);
}

/** The error behind a packet's status; `undefined` if it succeeded. */
export function fileSystemError(status: number): FileSystemErrorCode | undefined {
  if (status === packetStatus.ok) return undefined;
  return FILE_SYSTEM_ERRORS[status - packetStatus.firstCode] ?? 'Input_output';
}

/** Longest name of a directory entry, in bytes of UTF-8, and longest path. */
export const NAME_BYTES_MAX = 255;
export const PATH_BYTES_MAX = 1024;

/** In `position`: relative to the end of the file at the time the packet is dequeued. */
export const SEEK_TAIL = Number.MAX_SAFE_INTEGER;

/** Kinds of nodes. */
export const NODE_TYPES = ['directory', 'symlink', 'file'] as const;
export type NodeType = (typeof NODE_TYPES)[number];

/** How a file is opened. */
export const OPEN_MODES = ['stat-only', 'read-only', 'write-only', 'read-write'] as const;
export type OpenMode = (typeof OPEN_MODES)[number];

/**
 * A directory entry in the bulk buffer, little endian: u64 inode, u64 size, u8 type (index in `NODE_TYPES`), u8 bytes of
 * the name, name in UTF-8, zeros up to `DIRECTORY_ENTRY_BYTES`.
 */
export const DIRECTORY_ENTRY_BYTES = 280;

/** What is known of a node. */
const nodeStatus = record({
  type: oneOf(NODE_TYPES),
  sizeBytes: u53,
  inode: u53,
  links: u32,
  /** Permission bits as in POSIX. */
  mode: u32,
  /** Modification time in ms since 1970. */
  modifiedMs: u53,
});
export type NodeStatus = ShapeType<typeof nodeStatus>;

/** Space of the file system, in bytes and nodes. */
const fileSystemSpace = record({ totalBytes: u53, freeBytes: u53, totalNodes: u53, freeNodes: u53 });
export type FileSystemSpace = ShapeType<typeof fileSystemSpace>;

const handle = u32;
const name = text(NAME_BYTES_MAX);
const path = text(PATH_BYTES_MAX);

/** The File_system session. */
export const FileSystem = session(
  'File_system',
  {
    /** Opens a directory; with `create` it must not exist yet, its parent must. */
    dir: rpc<(path: string, create: boolean) => number>({ args: [path, boolean], result: handle }),
    /** Opens a file of a directory; with `create` it must not exist yet. */
    file: rpc<(directory: number, name: string, mode: OpenMode, create: boolean) => number>({
      args: [handle, name, oneOf(OPEN_MODES), boolean],
      result: handle,
    }),
    /** Opens a symbolic link to read its target, or, with `create`, to write it once. */
    symlink: rpc<(directory: number, name: string, create: boolean) => number>({
      args: [handle, name, boolean],
      result: handle,
    }),
    /** Opens any node, for `status` only; a symbolic link is not followed. */
    node: rpc<(path: string) => number>({ args: [path], result: handle }),
    close: rpc<(handle: number) => void>({ args: [handle], result: nothing }),
    status: rpc<(handle: number) => NodeStatus>({ args: [handle], result: nodeStatus }),
    /** Removes a file, a symbolic link or an empty directory. */
    unlink: rpc<(directory: number, name: string) => void>({ args: [handle, name], result: nothing }),
    truncate: rpc<(file: number, sizeBytes: number) => void>({ args: [handle, u53], result: nothing }),
    /** Renames; an existing target is replaced as in POSIX. */
    move: rpc<(fromDirectory: number, fromName: string, toDirectory: number, toName: string) => void>({
      args: [handle, name, handle, name],
      result: nothing,
    }),
    /** One more name for the node of an open file. */
    link: rpc<(node: number, directory: number, name: string) => void>({
      args: [handle, handle, name],
      result: nothing,
    }),
    numEntries: rpc<(directory: number) => number>({ args: [handle], result: u53 }),
    space: rpc<() => FileSystemSpace>({ args: [], result: fileSystemSpace }),
    tx: packetStream('tx', {
      queueSlots: 32,
      defaultBulkBytes: 256 * 1024,
      alignLog2: 3,
      payloadDirection: {
        submitBytes: (packet: Packet) => (packet.operation === fileSystemOperation.write ? packet.length : 0),
        acknowledgeBytes: (packet: Packet) =>
          packet.operation === fileSystemOperation.read ? packet.length : 0,
      },
    }),
  },
  { errors: FILE_SYSTEM_ERRORS },
);
