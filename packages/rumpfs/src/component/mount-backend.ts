/** A mounted file system as the File_system server library wants it. */
import type {
  BackendListing,
  FileSystemBackend,
  FileSystemErrorCode,
  FileSystemSpace,
  NodeStatus,
  NodeType,
} from '@ginit/core';
import { FsError, type FsErrorCode, type Mount, type Vnode } from '../library.ts';

/** A node that the server holds: the vnode, and what the interface calls its type. */
export interface MountNode {
  readonly vnode: Vnode;
  readonly type: NodeType;
}

/** What the interface calls an error of the file systems. */
const CODES: Readonly<Record<FsErrorCode, FileSystemErrorCode>> = {
  NotFound: 'Lookup_failed',
  Exists: 'Node_already_exists',
  NotDirectory: 'Not_a_directory',
  IsDirectory: 'Is_a_directory',
  NotEmpty: 'Not_empty',
  NoSpace: 'No_space',
  ReadOnly: 'Permission_denied',
  NotPermitted: 'Permission_denied',
  NameTooLong: 'Invalid_name',
  PathTooLong: 'Invalid_name',
  InvalidName: 'Invalid_name',
  InvalidArgument: 'Unsupported',
  TooManyLinks: 'Too_many_links',
  FileTooLarge: 'Size_limit_reached',
  SymlinkLoop: 'Lookup_failed',
  Corrupt: 'Corrupt',
  InputOutput: 'Input_output',
  NotSupported: 'Unsupported',
  NoFileSystem: 'Corrupt',
  NoMemory: 'Out_of_ram',
  Busy: 'Unavailable',
};

/** Serves a mount. `changed` is called with every change. */
export class MountBackend implements FileSystemBackend<MountNode> {
  readonly root: MountNode;
  readonly #mount: Mount;
  readonly #changed: () => void;
  /** One object per vnode, as the server wants it. */
  readonly #nodes = new WeakMap<Vnode, MountNode>();

  constructor(mount: Mount, changed: () => void) {
    this.#mount = mount;
    this.#changed = changed;
    this.root = this.#node(mount.root);
  }

  get writeable(): boolean {
    return this.#mount.writeable;
  }

  hold({ vnode }: MountNode): void {
    this.#mount.hold(vnode);
  }

  release({ vnode }: MountNode): Promise<void> {
    return this.#mount.release(vnode);
  }

  status({ vnode, type }: MountNode): NodeStatus {
    const { sizeBytes, id, links, permissions, modifiedMs } = this.#mount.attributes(vnode);
    // Times before 1970 exist on disks, but not in the interface.
    return { type, sizeBytes, inode: id, links, mode: permissions, modifiedMs: Math.max(0, modifiedMs) };
  }

  setModified({ vnode }: MountNode, modifiedMs: number): Promise<void> {
    this.#changed();
    return this.#mount.setAttributes(vnode, { modifiedMs });
  }

  read({ vnode }: MountNode, position: number, into: Uint8Array): Promise<number> {
    return this.#mount.read(vnode, position, into);
  }

  write({ vnode }: MountNode, position: number, from: Uint8Array): Promise<number> {
    this.#changed();
    return this.#mount.write(vnode, position, from);
  }

  append({ vnode }: MountNode, from: Uint8Array): Promise<number> {
    this.#changed();
    return this.#mount.append(vnode, from);
  }

  truncate({ vnode }: MountNode, sizeBytes: number): Promise<void> {
    this.#changed();
    return this.#mount.truncate(vnode, sizeBytes);
  }

  readLink({ vnode }: MountNode): Promise<string> {
    return this.#mount.readLink(vnode);
  }

  async lookup({ vnode }: MountNode, name: string): Promise<MountNode> {
    return this.#node(await this.#mount.lookup(vnode, name));
  }

  async list({ vnode }: MountNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    const { entries, nextCursor } = await this.#mount.list(vnode, cursor, entriesMax);
    return { entries: entries.map(({ name, id, type }) => ({ name, id, type: nodeType(type) })), nextCursor };
  }

  async createFile({ vnode }: MountNode, name: string): Promise<MountNode> {
    this.#changed();
    return this.#node(await this.#mount.createFile(vnode, name));
  }

  async createDirectory({ vnode }: MountNode, name: string): Promise<MountNode> {
    this.#changed();
    return this.#node(await this.#mount.createDirectory(vnode, name));
  }

  async createSymlink({ vnode }: MountNode, name: string, target: string): Promise<MountNode> {
    this.#changed();
    return this.#node(await this.#mount.createSymlink(vnode, name, target));
  }

  link({ vnode }: MountNode, name: string, target: MountNode): Promise<void> {
    this.#changed();
    return this.#mount.link(vnode, name, target.vnode);
  }

  unlink({ vnode }: MountNode, name: string): Promise<void> {
    this.#changed();
    return this.#mount.unlink(vnode, name);
  }

  removeDirectory({ vnode }: MountNode, name: string): Promise<void> {
    this.#changed();
    return this.#mount.removeDirectory(vnode, name);
  }

  rename({ vnode }: MountNode, name: string, toDirectory: MountNode, toName: string): Promise<void> {
    this.#changed();
    return this.#mount.rename(vnode, name, toDirectory.vnode, toName);
  }

  sync(): Promise<void> {
    return this.#mount.sync();
  }

  space(): FileSystemSpace {
    const { blockSizeBytes, blocks, blocksFree, nodes, nodesFree } = this.#mount.statistics();
    return {
      totalBytes: blocks * blockSizeBytes,
      freeBytes: blocksFree * blockSizeBytes,
      totalNodes: nodes,
      freeNodes: nodesFree,
    };
  }

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    return error instanceof FsError ? CODES[error.code] : undefined;
  }

  #node(vnode: Vnode): MountNode {
    const known = this.#nodes.get(vnode);
    if (known) return known;
    const node = { vnode, type: nodeType(vnode.type) };
    this.#nodes.set(vnode, node);
    return node;
  }
}

/** Devices, pipes and sockets are shown as files; reading one answers `Unsupported`. */
function nodeType(type: Vnode['type']): NodeType {
  return type === 'directory' || type === 'symlink' ? type : 'file';
}
