import type { Session } from '../../interface/interface.ts';
import { copyInto } from '../../memory/copy-into.ts';
import type { SessionOpening } from '../session-opening.ts';
import { Connection } from './connection.ts';
import {
  type AttributeChangeData,
  FileSystem,
  type FileSystemSpace,
  type MoveMode,
  type NewNodeData,
  type NodeStatus,
  type OpenedNode,
  type OpenMode,
  STATUS_ENTRY_BYTES,
} from './declaration.ts';
import { decodeStatusEntries, type StatusEntry } from './directory-entry.ts';
import { fromNameData, toNameData } from './names.ts';

const STATUS_ENTRIES_BYTES_MAX = 64 * 1024;

/** Word of a change that another session has made: of one inode, or of any of them. */
export type NodeChange = { readonly inode: number } | 'any';

/** How a session for nodes is asked for. */
export interface ConnectNodesOptions {
  readonly label: string;
  /** Bulk buffer: what is under way at a time. */
  readonly bufferBytes: number;
  readonly writeable: boolean;
}

/**
 * A file system by nodes and the names in them, as a kernel's cache of nodes uses it: paths are
 * walked by the caller, and every node is one handle, which the caller closes. Errors are those of
 * the File_system interface, or `PeerGone`.
 */
export class NodesClient {
  readonly session: Session<typeof FileSystem>;
  readonly #connection: Connection;

  constructor(session: Session<typeof FileSystem>) {
    this.session = session;
    this.#connection = new Connection(session);
  }

  /** Opens a session. Rejects with `SessionError`. */
  static async connect(env: SessionOpening, options: ConnectNodesOptions): Promise<NodesClient> {
    const { label, bufferBytes, writeable } = options;
    const session = await env.connect(FileSystem, { label, args: { tx_buf_size: bufferBytes, writeable } });
    return new NodesClient(session);
  }

  /** The most that one packet reads or writes. */
  get packetBytes(): number {
    return this.#connection.packetBytes;
  }

  /** The root as a directory. */
  root(): Promise<number> {
    return this.session.dir('/', false);
  }

  lookup(directory: number, name: string): Promise<OpenedNode> {
    return this.session.lookup(directory, toNameData(name));
  }

  /** The status of an entry, without a handle. */
  stat(directory: number, name: string): Promise<NodeStatus> {
    return this.session.stat(directory, toNameData(name));
  }

  status(node: number): Promise<NodeStatus> {
    return this.session.status(node);
  }

  make(directory: number, name: string, what: Omit<NewNodeData, 'target'>): Promise<OpenedNode> {
    return this.session.make(directory, toNameData(name), { ...what, target: undefined });
  }

  makeSymlink(
    directory: number,
    name: string,
    target: string,
    owner: { readonly uid: number; readonly gid: number },
  ): Promise<OpenedNode> {
    const what = { type: 'symlink', mode: 0o777, ...owner, target: toNameData(target) } as const;
    return this.session.make(directory, toNameData(name), what);
  }

  open(node: number, mode: OpenMode): Promise<number> {
    return this.session.open(node, mode);
  }

  close(handle: number): Promise<void> {
    return this.session.close(handle);
  }

  setAttributes(node: number, change: Partial<AttributeChangeData>): Promise<NodeStatus> {
    const { mode, uid, gid, sizeBytes, accessedMs, modifiedMs } = change;
    return this.session.setAttributes(node, { mode, uid, gid, sizeBytes, accessedMs, modifiedMs });
  }

  async target(symlink: number): Promise<string> {
    return fromNameData(await this.session.target(symlink));
  }

  unlink(directory: number, name: string): Promise<void> {
    return this.session.unlink(directory, toNameData(name));
  }

  rmdir(directory: number, name: string): Promise<void> {
    return this.session.rmdir(directory, toNameData(name));
  }

  link(node: number, directory: number, name: string): Promise<void> {
    return this.session.link(node, directory, toNameData(name));
  }

  move(directory: number, name: string, toDirectory: number, toName: string, how: MoveMode): Promise<void> {
    return this.session.move(directory, toNameData(name), toDirectory, toNameData(toName), how);
  }

  /**
   * Reads at `position` with one packet, at most `packetBytes`. Resolves to the bytes read: fewer
   * than there is room for at the end, or where the server had no more at hand.
   */
  read(handle: number, position: number, into: Uint8Array): Promise<number> {
    return this.#connection.read(handle, position, into.length, (bytes) => {
      copyInto(into, bytes);
      return bytes.length;
    });
  }

  /** Writes with one packet; resolves to the bytes written. */
  write(handle: number, position: number, from: Uint8Array): Promise<number> {
    return this.#connection.write(handle, position, from);
  }

  /** Settles when the file has something to read, or never will have again. */
  ready(file: number): Promise<void> {
    return this.#connection.readReady(file);
  }

  /** Some entries with their statuses from number `index` on; none at the end. */
  entriesFrom(directory: number, index: number, entriesMax: number): Promise<StatusEntry[]> {
    const room = Math.min(this.packetBytes, STATUS_ENTRIES_BYTES_MAX, entriesMax * STATUS_ENTRY_BYTES);
    const length = Math.floor(room / STATUS_ENTRY_BYTES) * STATUS_ENTRY_BYTES;
    return this.#connection.readStatus(directory, index * STATUS_ENTRY_BYTES, length, decodeStatusEntries);
  }

  /** Settles when every write that was acknowledged is on stable storage. */
  sync(): Promise<void> {
    return this.#connection.sync();
  }

  space(): Promise<FileSystemSpace> {
    return this.session.space();
  }

  /** From now on `changed` is called with every change that another session makes. */
  async onChange(changed: (change: NodeChange) => void): Promise<void> {
    const handle = await this.session.changes();
    this.#connection.watch(handle, (inode) => changed(inode === 0 ? 'any' : { inode }));
    changed('any');
  }
}
