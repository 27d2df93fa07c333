/** A mounted file system as the File_system server library wants it. */
import type {
  AttributeChangeData,
  BackendListing,
  BackendNewNode,
  BackendSpace,
  FileSystemBackend,
  FileSystemErrorCode,
  BackendStatus,
} from '@ginit/core/file_system';
import { FsError, type FsErrorCode, type Mount, type NewNode, type Vnode } from '../library.ts';

/** The error codes of the interface for the errors of the file systems. */
const CODES: Readonly<Record<FsErrorCode, FileSystemErrorCode>> = {
  NotFound: 'Lookup_failed',
  Exists: 'Node_already_exists',
  NotDirectory: 'Not_a_directory',
  IsDirectory: 'Is_a_directory',
  NotEmpty: 'Not_empty',
  NoSpace: 'No_space',
  ReadOnly: 'Permission_denied',
  NotPermitted: 'Permission_denied',
  NameTooLong: 'Name_too_long',
  PathTooLong: 'Name_too_long',
  InvalidName: 'Invalid_name',
  InvalidArgument: 'Invalid_argument',
  TooManyLinks: 'Too_many_links',
  FileTooLarge: 'Size_limit_reached',
  SymlinkLoop: 'Too_many_symlinks',
  Corrupt: 'Corrupt',
  InputOutput: 'Input_output',
  NotSupported: 'Unsupported',
  NoFileSystem: 'Corrupt',
  NoMemory: 'Out_of_ram',
  Busy: 'Busy',
};

/** Serves a mount. `changed` is called with every change. */
export class MountBackend implements FileSystemBackend<Vnode> {
  readonly root: Vnode;
  readonly #mount: Mount;
  readonly #changed: () => void;

  constructor(mount: Mount, changed: () => void) {
    this.#mount = mount;
    this.#changed = changed;
    this.root = mount.root;
  }

  get writeable(): boolean {
    return this.#mount.writeable;
  }

  hold(vnode: Vnode): void {
    this.#mount.hold(vnode);
  }

  release(vnode: Vnode): Promise<void> {
    return this.#mount.release(vnode);
  }

  status(vnode: Vnode): BackendStatus {
    const { id, permissions, ...same } = this.#mount.attributes(vnode);
    return { ...same, type: vnode.type, inode: id, mode: permissions };
  }

  setAttributes(vnode: Vnode, change: Omit<AttributeChangeData, 'sizeBytes'>): Promise<void> {
    this.#changed();
    const { mode, uid, gid, accessedMs, modifiedMs } = change;
    return this.#mount.setAttributes(vnode, {
      ...(mode === undefined ? {} : { permissions: mode & 0o7777 }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(accessedMs === undefined ? {} : { accessedMs }),
      ...(modifiedMs === undefined ? {} : { modifiedMs }),
    });
  }

  read(vnode: Vnode, position: number, into: Uint8Array): Promise<number> {
    return this.#mount.read(vnode, position, into);
  }

  write(vnode: Vnode, position: number, from: Uint8Array): Promise<number> {
    this.#changed();
    return this.#mount.write(vnode, position, from);
  }

  append(vnode: Vnode, from: Uint8Array): Promise<number> {
    this.#changed();
    return this.#mount.append(vnode, from);
  }

  truncate(vnode: Vnode, sizeBytes: number): Promise<void> {
    this.#changed();
    return this.#mount.truncate(vnode, sizeBytes);
  }

  readLink(vnode: Vnode): Promise<string> {
    return this.#mount.readLink(vnode);
  }

  lookup(vnode: Vnode, name: string): Promise<Vnode> {
    return this.#mount.lookup(vnode, name);
  }

  list(vnode: Vnode, cursor: number, entriesMax: number): Promise<BackendListing> {
    return this.#mount.list(vnode, cursor, entriesMax);
  }

  createFile(vnode: Vnode, name: string, what?: BackendNewNode): Promise<Vnode> {
    this.#changed();
    return this.#mount.createFile(vnode, name, newNode(what));
  }

  createDirectory(vnode: Vnode, name: string, what?: BackendNewNode): Promise<Vnode> {
    this.#changed();
    return this.#mount.createDirectory(vnode, name, newNode(what));
  }

  createSymlink(vnode: Vnode, name: string, target: string, what?: BackendNewNode): Promise<Vnode> {
    this.#changed();
    return this.#mount.createSymlink(vnode, name, target, newNode(what));
  }

  link(vnode: Vnode, name: string, target: Vnode): Promise<void> {
    this.#changed();
    return this.#mount.link(vnode, name, target);
  }

  unlink(vnode: Vnode, name: string): Promise<void> {
    this.#changed();
    return this.#mount.unlink(vnode, name);
  }

  removeDirectory(vnode: Vnode, name: string): Promise<void> {
    this.#changed();
    return this.#mount.removeDirectory(vnode, name);
  }

  rename(vnode: Vnode, name: string, toDirectory: Vnode, toName: string, replace: boolean): Promise<void> {
    this.#changed();
    return this.#mount.rename(vnode, name, toDirectory, toName, replace);
  }

  sync(): Promise<void> {
    return this.#mount.sync();
  }

  space(): BackendSpace | Promise<BackendSpace> {
    const { blockSizeBytes, blocks, blocksFree, nodes, nodesFree, nameBytesMax } = this.#mount.statistics();
    return {
      blockBytes: blockSizeBytes,
      nameBytesMax,
      totalBytes: blocks * blockSizeBytes,
      freeBytes: blocksFree * blockSizeBytes,
      totalNodes: nodes,
      freeNodes: nodesFree,
    };
  }

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    return error instanceof FsError ? CODES[error.code] : undefined;
  }
}

/** Without a wish the mount chooses mode and owner. */
function newNode(what: BackendNewNode | undefined): NewNode | undefined {
  return what && { permissions: what.mode, uid: what.uid, gid: what.gid };
}
