/**
 * A file system in memory, behind the interface of File_system backends: what the library is tested
 * on. Its operations take turns at random, so that packets are acknowledged out of order; it counts
 * who holds its nodes.
 */
import { RpcError } from '@ginit/core';
import {
  type AttributeChangeData,
  type BackendListing,
  type BackendNewNode,
  type BackendSpace,
  type FileSystemBackend,
  type FileSystemErrorCode,
  type BackendStatus,
  type NodeType,
} from '@ginit/core/file_system';

/** The backend's own kind of error, which it has to translate. */
export class MemoryError extends Error {
  readonly why: FileSystemErrorCode;

  constructor(why: FileSystemErrorCode) {
    super(`memory: ${why}`);
    this.why = why;
  }
}

interface Entry {
  readonly order: number;
  readonly node: MemoryNode;
}

export class MemoryNode {
  readonly id: number;
  readonly type: NodeType;
  readonly entries = new Map<string, Entry>();
  readonly target: string;
  parent: MemoryNode | undefined;
  data = new Uint8Array(0);
  sizeBytes = 0;
  links = 0;
  held = 0;
  modifiedMs = 0;
  accessedMs = 0;
  changedMs = 0;
  mode: number;
  uid = 0;
  gid = 0;

  constructor(id: number, type: NodeType, target = '') {
    this.id = id;
    this.type = type;
    this.mode = type === 'directory' ? 0o755 : 0o644;
    this.target = target;
  }
}

/** The faults that can be injected. */
export interface MemoryFaults {
  /** Called before each operation; what it throws the operation fails with. */
  before?: (operation: string) => void | Promise<void>;
  /** Bytes that all files together may have. */
  capacityBytes?: number;
}

export class MemoryFileSystem implements FileSystemBackend<MemoryNode> {
  readonly writeable: boolean;
  readonly root: MemoryNode;
  readonly faults: MemoryFaults;
  syncs = 0;
  writes = 0;
  underWay = 0;
  underWayMost = 0;
  #nextId = 2;
  #nextOrder = 1;
  #held = 0;
  #bytes = 0;
  #random: number;

  constructor(options: { writeable?: boolean; faults?: MemoryFaults; seed?: number } = {}) {
    this.writeable = options.writeable ?? true;
    this.faults = options.faults ?? {};
    this.#random = options.seed ?? 1;
    this.root = new MemoryNode(1, 'directory');
    this.root.links = 2;
    this.root.parent = this.root;
  }

  /** Holds of nodes that nobody has given back. */
  get held(): number {
    return this.#held;
  }

  hold(node: MemoryNode): void {
    node.held++;
    this.#held++;
  }

  async release(node: MemoryNode): Promise<void> {
    if (node.held <= 0) throw new Error('released more often than held');
    node.held--;
    this.#held--;
  }

  errorCode(error: unknown): FileSystemErrorCode | undefined {
    return error instanceof MemoryError ? error.why : undefined;
  }

  async status(node: MemoryNode): Promise<BackendStatus> {
    await this.#turn('status');
    const sizeBytes = node.type === 'symlink' ? new TextEncoder().encode(node.target).length : node.sizeBytes;
    const { type, id, links, mode, uid, gid, modifiedMs, accessedMs, changedMs } = node;
    const times = { modifiedMs, accessedMs, changedMs };
    return { type, sizeBytes, allocatedBytes: sizeBytes, inode: id, links, mode, uid, gid, ...times };
  }

  async setAttributes(node: MemoryNode, change: Omit<AttributeChangeData, 'sizeBytes'>): Promise<void> {
    await this.#turn('setAttributes');
    node.mode = change.mode ?? node.mode;
    node.uid = change.uid ?? node.uid;
    node.gid = change.gid ?? node.gid;
    node.modifiedMs = change.modifiedMs ?? node.modifiedMs;
    node.accessedMs = change.accessedMs ?? node.accessedMs;
  }

  async read(file: MemoryNode, position: number, into: Uint8Array): Promise<number> {
    await this.#turn('read');
    const end = Math.min(file.sizeBytes, position + into.length);
    if (position >= end) return 0;
    into.set(file.data.subarray(position, end));
    return end - position;
  }

  async write(file: MemoryNode, position: number, from: Uint8Array): Promise<number> {
    await this.#turn('write');
    return this.#write(file, position, from);
  }

  async append(file: MemoryNode, from: Uint8Array): Promise<number> {
    await this.#turn('append');
    return this.#write(file, file.sizeBytes, from);
  }

  async truncate(file: MemoryNode, sizeBytes: number): Promise<void> {
    await this.#turn('truncate');
    this.#resize(file, sizeBytes);
    file.data.fill(0, file.sizeBytes);
  }

  async readLink(symlink: MemoryNode): Promise<string> {
    await this.#turn('readLink');
    return symlink.target;
  }

  async lookup(directory: MemoryNode, name: string): Promise<MemoryNode> {
    await this.#turn('lookup');
    return this.#holding(this.#find(directory, name));
  }

  async list(directory: MemoryNode, cursor: number, entriesMax: number): Promise<BackendListing> {
    await this.#turn('list');
    const entries: { name: string; id: number; type: NodeType }[] = [];
    // Every third piece is short, as those of a real directory are at the end of a block.
    const most = this.#next() % 3 === 0 ? Math.ceil(entriesMax / 2) : entriesMax;
    let last = cursor;
    for (const [name, { order, node }] of directory.entries) {
      if (order <= cursor) continue;
      if (entries.length === most) return { entries, nextCursor: last };
      entries.push({ name, id: node.id, type: node.type });
      last = order;
    }
    return { entries, nextCursor: undefined };
  }

  async createFile(directory: MemoryNode, name: string, what?: BackendNewNode): Promise<MemoryNode> {
    await this.#turn('createFile');
    return owned(this.#create(directory, name, 'file'), what);
  }

  async createDirectory(directory: MemoryNode, name: string, what?: BackendNewNode): Promise<MemoryNode> {
    await this.#turn('createDirectory');
    const made = owned(this.#create(directory, name, 'directory'), what);
    made.links++;
    made.parent = directory;
    directory.links++;
    return made;
  }

  async createSymlink(directory: MemoryNode, name: string, target: string): Promise<MemoryNode> {
    await this.#turn('createSymlink');
    return this.#create(directory, name, 'symlink', target);
  }

  async link(directory: MemoryNode, name: string, target: MemoryNode): Promise<void> {
    await this.#turn('link');
    if (target.links === 0) throw new MemoryError('Lookup_failed');
    if (directory.entries.has(name)) throw new MemoryError('Node_already_exists');
    if (target.type === 'directory') throw new MemoryError('Is_a_directory');
    this.#enter(directory, name, target);
  }

  async unlink(directory: MemoryNode, name: string): Promise<void> {
    await this.#turn('unlink');
    const node = this.#find(directory, name);
    if (node.type === 'directory') throw new MemoryError('Is_a_directory');
    directory.entries.delete(name);
    node.links--;
  }

  async removeDirectory(directory: MemoryNode, name: string): Promise<void> {
    await this.#turn('removeDirectory');
    const node = this.#find(directory, name);
    if (node.type !== 'directory') throw new MemoryError('Not_a_directory');
    if (node.entries.size > 0) throw new MemoryError('Not_empty');
    this.#removeDirectory(directory, name, node);
  }

  async rename(
    from: MemoryNode,
    name: string,
    to: MemoryNode,
    toName: string,
    replaces: boolean,
  ): Promise<void> {
    await this.#turn('rename');
    const node = this.#find(from, name);
    if (to.links === 0) throw new MemoryError('Lookup_failed');
    if (node.type === 'directory' && this.#isBelow(to, node)) throw new MemoryError('Invalid_argument');
    const replaced = to.entries.get(toName)?.node;
    if (replaced !== undefined && !replaces) throw new MemoryError('Node_already_exists');
    if (replaced === node) return;
    if (replaced !== undefined) this.#replace(node, replaced, to, toName);
    from.entries.delete(name);
    to.entries.set(toName, { order: this.#nextOrder++, node });
    if (node.type !== 'directory') return;
    from.links--;
    to.links++;
    node.parent = to;
  }

  async sync(): Promise<void> {
    await this.#turn('sync');
    this.syncs++;
  }

  async space(): Promise<BackendSpace> {
    await this.#turn('space');
    const totalBytes = this.faults.capacityBytes ?? 2 ** 30;
    const freeBytes = totalBytes - this.#bytes;
    return { totalBytes, freeBytes, totalNodes: 1000, freeNodes: 999, blockBytes: 512, nameBytesMax: 255 };
  }

  #replace(node: MemoryNode, replaced: MemoryNode, to: MemoryNode, toName: string): void {
    if (node.type !== 'directory') {
      if (replaced.type === 'directory') throw new MemoryError('Is_a_directory');
      to.entries.delete(toName);
      replaced.links--;
      return;
    }
    if (replaced.type !== 'directory') throw new MemoryError('Not_a_directory');
    if (replaced.entries.size > 0) throw new MemoryError('Not_empty');
    this.#removeDirectory(to, toName, replaced);
  }

  #isBelow(node: MemoryNode, ancestor: MemoryNode): boolean {
    for (let at = node; ; at = at.parent ?? this.root) {
      if (at === ancestor) return true;
      if (at === this.root) return false;
    }
  }

  #removeDirectory(directory: MemoryNode, name: string, node: MemoryNode): void {
    directory.entries.delete(name);
    directory.links--;
    node.links = 0;
  }

  #find(directory: MemoryNode, name: string): MemoryNode {
    this.#requireDirectory(directory);
    const entry = directory.entries.get(name);
    if (entry === undefined) throw new MemoryError('Lookup_failed');
    return entry.node;
  }

  #requireDirectory(directory: MemoryNode): void {
    if (directory.type !== 'directory') throw new RpcError('Not_a_directory');
    if (directory.links === 0) throw new MemoryError('Lookup_failed');
  }

  #create(directory: MemoryNode, name: string, type: NodeType, target = ''): MemoryNode {
    const node = new MemoryNode(this.#nextId++, type, target);
    this.#enter(directory, name, node);
    return this.#holding(node);
  }

  #enter(directory: MemoryNode, name: string, node: MemoryNode): void {
    this.#requireDirectory(directory);
    if (directory.entries.has(name)) throw new MemoryError('Node_already_exists');
    directory.entries.set(name, { order: this.#nextOrder++, node });
    node.links++;
  }

  #holding(node: MemoryNode): MemoryNode {
    this.hold(node);
    return node;
  }

  #write(file: MemoryNode, position: number, from: Uint8Array): number {
    this.writes++;
    const room =
      (this.faults.capacityBytes ?? Infinity) - this.#bytes + Math.max(0, file.sizeBytes - position);
    if (room <= 0) throw new MemoryError('No_space');
    const part = from.subarray(0, Math.min(from.length, room));
    if (position + part.length > file.sizeBytes) this.#resize(file, position + part.length);
    file.data.set(part, position);
    return part.length;
  }

  #resize(file: MemoryNode, sizeBytes: number): void {
    if (sizeBytes > 2 ** 28) throw new MemoryError('Size_limit_reached');
    this.#bytes += sizeBytes - file.sizeBytes;
    if (sizeBytes > file.data.length) {
      const data = new Uint8Array(Math.max(sizeBytes, 2 * file.data.length));
      data.set(file.data.subarray(0, file.sizeBytes));
      file.data = data;
    }
    file.sizeBytes = sizeBytes;
  }

  async #turn(operation: string): Promise<void> {
    this.underWay++;
    this.underWayMost = Math.max(this.underWayMost, this.underWay);
    try {
      await this.faults.before?.(operation);
      for (let turns = this.#next() % 4; turns > 0; turns--) await Promise.resolve();
      if (this.#next() % 16 === 0) await new Promise(setImmediate);
    } finally {
      this.underWay--;
    }
  }

  #next(): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) >>> 0;
    return this.#random >>> 16;
  }
}

function owned(node: MemoryNode, what: BackendNewNode | undefined): MemoryNode {
  if (what) Object.assign(node, what);
  return node;
}
