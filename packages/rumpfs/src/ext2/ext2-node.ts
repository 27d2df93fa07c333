import { FsError } from '../errors.ts';
import type {
  AttributeChange,
  Attributes,
  DirectoryEntry,
  DirectoryListing,
  NewNode,
  NodeType,
} from '../vnode/attributes.ts';
import type { FileSystemNode, Rename } from '../vnode/file-system.ts';
import type { EntryName } from '../vnode/names.ts';
import { destroyInode } from './destroy-inode.ts';
import { Directory, type RecordPlace } from './directory.ts';
import { readFile } from './file-read.ts';
import { truncateFile, writeFile } from './file-write.ts';
import { type Inode, loadInode, requireMutable, storeInode, storeNewInode } from './inode.ts';
import type { Parts } from './parts.ts';
import { ReadAhead } from './read-ahead.ts';
import { readSymlink, requireTargetFits, writeSymlink } from './symlink.ts';

const modeOfType = { file: 0x8000, directory: 0x4000, symlink: 0xa000 } as const;
const linksMax = 32_000;
/** A directory has its name, its `.` and the `..` of each directory in it. */
const directoryLinksMin = 2;

/** What the vnode layer sees of an ext2 inode. */
export class Ext2Node implements FileSystemNode {
  readonly id: number;
  readonly type: NodeType;
  readonly #parts: Parts;
  readonly #inode: Inode;
  readonly #directory: Directory;
  readonly #readAhead = new ReadAhead();

  constructor(parts: Parts, inode: Inode) {
    this.id = inode.id;
    this.type = inode.type;
    this.#parts = parts;
    this.#inode = inode;
    this.#directory = new Directory(parts.volume, parts.blocks, inode, parts.indexes);
  }

  get links(): number {
    return this.#inode.linkCount;
  }

  attributes(): Attributes {
    const inode = this.#inode;
    return {
      id: this.id,
      type: this.type,
      sizeBytes: inode.sizeBytes,
      links: inode.linkCount,
      permissions: inode.mode & 0o7777,
      uid: inode.uid,
      gid: inode.gid,
      accessedMs: inode.accessedMs,
      modifiedMs: inode.modifiedMs,
      changedMs: inode.changedMs,
      allocatedBytes: inode.sectors * 512,
    };
  }

  async setAttributes(change: AttributeChange, nowMs: number): Promise<void> {
    const inode = this.#inode;
    await this.#begin();
    requireMutable(inode);
    if (change.permissions !== undefined) inode.mode = (inode.mode & 0xf000) | (change.permissions & 0o7777);
    inode.uid = change.uid ?? inode.uid;
    inode.gid = change.gid ?? inode.gid;
    inode.accessedMs = change.accessedMs ?? inode.accessedMs;
    inode.modifiedMs = change.modifiedMs ?? inode.modifiedMs;
    inode.changedMs = nowMs;
    await storeInode(this.#parts.volume, inode);
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const length = await readFile(this.#parts.volume, this.#inode, offset, into);
    this.#readAhead.advance(this.#parts.volume, this.#inode, offset, length);
    return length;
  }

  async write(offset: number, from: Uint8Array, nowMs: number): Promise<number> {
    requireMutable(this.#inode, offset >= this.#inode.sizeBytes);
    await this.#begin();
    return writeFile(this.#parts.volume, this.#parts.blocks, this.#inode, offset, from, nowMs);
  }

  async truncate(sizeBytes: number, nowMs: number): Promise<void> {
    requireMutable(this.#inode);
    await this.#begin();
    await truncateFile(this.#parts.volume, this.#parts.blocks, this.#inode, sizeBytes, nowMs);
  }

  readLink(): Promise<string> {
    return readSymlink(this.#parts.volume, this.#inode);
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    const place = await this.#directory.find(name.bytes);
    return place === undefined ? undefined : this.#directory.targetAt(place);
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const entries: DirectoryEntry[] = [];
    let next: number | undefined = cursor;
    while (next !== undefined && entries.length < entriesMax) {
      const piece = await this.#directory.list(next, entriesMax - entries.length);
      for (const { id, name, type } of piece.entries) {
        const known = type ?? (await loadInode(this.#parts.volume, id)).type;
        entries.push({ id, name, type: known });
      }
      next = piece.nextCursor;
    }
    return { entries, nextCursor: next };
  }

  parent(): Promise<number> {
    return this.#directory.parent();
  }

  createFile(name: EntryName, what: NewNode, nowMs: number): Promise<FileSystemNode> {
    return this.#create(name, 'file', what, nowMs, () => Promise.resolve());
  }

  async createDirectory(name: EntryName, what: NewNode, nowMs: number): Promise<FileSystemNode> {
    if (this.#inode.linkCount >= linksMax) throw tooManyLinks(this.#inode);
    return this.#create(name, 'directory', what, nowMs, async (inode) => {
      inode.linkCount = directoryLinksMin;
      await new Directory(this.#parts.volume, this.#parts.blocks, inode, this.#parts.indexes).initialise(
        this.id,
      );
    });
  }

  async createSymlink(
    name: EntryName,
    target: Uint8Array,
    what: NewNode,
    nowMs: number,
  ): Promise<FileSystemNode> {
    requireTargetFits(this.#parts.volume, target);
    return this.#create(name, 'symlink', what, nowMs, (inode) =>
      writeSymlink(this.#parts.volume, this.#parts.blocks, inode, target, nowMs),
    );
  }

  async link(name: EntryName, target: FileSystemNode, nowMs: number): Promise<void> {
    const { inode } = own(target);
    if (inode.linkCount >= linksMax) throw tooManyLinks(inode);
    requireMutable(inode);
    await this.#beginNames();
    const place = await this.#directory.makeRoom(name.bytes);
    await this.#changeLinks(inode, 1, nowMs);
    try {
      await this.#directory.insert(place, name.bytes, inode.id, inode.type);
    } catch (error) {
      await this.#changeLinks(inode, -1, nowMs);
      throw error;
    }
    await this.#touch(nowMs);
  }

  async unlink(name: EntryName, target: FileSystemNode, inUse: boolean, nowMs: number): Promise<void> {
    const { inode } = own(target);
    requireMutable(this.#inode);
    requireMutable(inode);
    await this.#begin();
    await this.#directory.remove(await this.#placeOf(name, inode), name.bytes);
    await this.#dropLinks(inode, 1, inUse, nowMs);
    await this.#touch(nowMs);
  }

  async removeDirectory(
    name: EntryName,
    target: FileSystemNode,
    inUse: boolean,
    nowMs: number,
  ): Promise<void> {
    const { inode, directory } = own(target);
    requireMutable(this.#inode);
    requireMutable(inode);
    if (!(await directory.isEmpty())) throw new FsError('NotEmpty', `"${name.text}" is not empty`);
    await this.#begin();
    await this.#directory.remove(await this.#placeOf(name, inode), name.bytes);
    await this.#dropLinks(inode, inode.linkCount, inUse, nowMs);
    this.#inode.linkCount = Math.max(directoryLinksMin, this.#inode.linkCount - 1);
    await this.#touch(nowMs);
  }

  async rename(move: Rename, nowMs: number): Promise<void> {
    const { inode: source, directory: sourceDirectory } = own(move.source);
    const to = own(move.toDirectory);
    const replaced = move.replaced === undefined ? undefined : own(move.replaced);
    const movesUp = source.type === 'directory' && to.inode !== this.#inode;
    requireMutable(this.#inode);
    requireMutable(source);
    if (movesUp && replaced === undefined && to.inode.linkCount >= linksMax) throw tooManyLinks(to.inode);
    if (replaced?.inode.type === 'directory' && !(await replaced.directory.isEmpty())) {
      throw new FsError('NotEmpty', `"${move.toName.text}" is not empty`);
    }
    await to.node.#beginNames();
    const place = await this.#placeOf(move.name, source);
    const toPlace =
      replaced === undefined
        ? await to.directory.makeRoom(move.toName.bytes)
        : await to.node.#placeOf(move.toName, replaced.inode);
    // With one link more there is no moment at which a crash could leave a name without its link.
    await this.#changeLinks(source, 1, nowMs);
    try {
      if (replaced !== undefined) await to.directory.setTarget(toPlace, source.id, source.type);
      else await to.directory.insert(toPlace, move.toName.bytes, source.id, source.type);
    } catch (error) {
      await this.#changeLinks(source, -1, nowMs);
      throw error;
    }
    await this.#directory.remove(place, move.name.bytes);
    await this.#changeLinks(source, -1, nowMs);
    if (movesUp) {
      await sourceDirectory.setParent(to.inode.id);
      this.#inode.linkCount = Math.max(directoryLinksMin, this.#inode.linkCount - 1);
      to.inode.linkCount += 1;
    }
    if (replaced !== undefined) await to.node.#dropReplaced(replaced.inode, move.replacedInUse, nowMs);
    await this.#touch(nowMs);
    await to.node.#touch(nowMs);
  }

  deactivate(): void {
    this.#parts.blocks.reservations.release(this.#inode);
  }

  async destroy(nowMs: number): Promise<void> {
    await this.#begin();
    this.#directory.dropIndex();
    await destroyInode(this.#parts, this.#inode, nowMs);
  }

  reclaim(): void {
    this.#directory.dropIndex();
    this.#parts.blocks.reservations.release(this.#inode);
  }

  async #begin(): Promise<void> {
    await this.#parts.volume.begin();
  }

  async #beginNames(): Promise<void> {
    requireMutable(this.#inode, true);
    await this.#parts.volume.begin();
  }

  /**
   * Makes a node: first room for its name, then its inode, which `fill` completes, and the name last, so that on the
   * device no name leads to anything unfinished.
   */
  async #create(
    name: EntryName,
    type: keyof typeof modeOfType,
    what: NewNode,
    nowMs: number,
    fill: (inode: Inode) => Promise<void>,
  ): Promise<FileSystemNode> {
    const { volume, inodes } = this.#parts;
    await this.#beginNames();
    const place = await this.#directory.makeRoom(name.bytes);
    const inode = await inodes.allocate(this.#inode, type === 'directory');
    inode.mode = modeOfType[type] | (what.permissions & 0o7777);
    inode.uid = what.uid;
    inode.gid = what.gid;
    inode.linkCount = 1;
    inode.accessedMs = nowMs;
    inode.modifiedMs = nowMs;
    inode.changedMs = nowMs;
    try {
      await storeNewInode(volume, inode);
      await fill(inode);
      await storeInode(volume, inode);
      await this.#directory.insert(place, name.bytes, inode.id, type);
    } catch (error) {
      inode.linkCount = 0;
      await destroyInode(this.#parts, inode, nowMs);
      throw error;
    }
    if (type === 'directory') this.#inode.linkCount += 1;
    await this.#touch(nowMs);
    return new Ext2Node(this.#parts, inode);
  }

  /** Where the name stands; it must lead to that inode, since the lock was held since it was looked up. */
  async #placeOf(name: EntryName, inode: Inode): Promise<RecordPlace> {
    const place = await this.#directory.find(name.bytes);
    if (place !== undefined && (await this.#directory.targetAt(place)) === inode.id) return place;
    throw this.#parts.volume.corrupt(`${this.#inode.name}: the entry of inode ${inode.id} is lost`);
  }

  async #changeLinks(inode: Inode, change: number, nowMs: number): Promise<void> {
    inode.linkCount += change;
    inode.changedMs = nowMs;
    await storeInode(this.#parts.volume, inode);
  }

  /** A node lost names; without any it lives on as an orphan while it is in use. */
  async #dropLinks(inode: Inode, count: number, inUse: boolean, nowMs: number): Promise<void> {
    inode.linkCount = Math.max(0, inode.linkCount - count);
    inode.changedMs = nowMs;
    if (inode.linkCount === 0 && inUse) await this.#parts.orphans.add(inode);
    else await storeInode(this.#parts.volume, inode);
  }

  /** What had a name in this directory lost it to another node. */
  async #dropReplaced(inode: Inode, inUse: boolean, nowMs: number): Promise<void> {
    const directory = inode.type === 'directory';
    await this.#dropLinks(inode, directory ? inode.linkCount : 1, inUse, nowMs);
    if (directory) this.#inode.linkCount = Math.max(directoryLinksMin, this.#inode.linkCount - 1);
  }

  /** The directory itself was changed. */
  async #touch(nowMs: number): Promise<void> {
    this.#inode.modifiedMs = nowMs;
    this.#inode.changedMs = nowMs;
    await storeInode(this.#parts.volume, this.#inode);
  }

  /** For nodes of the same mount. */
  static partsOf(node: Ext2Node): {
    readonly node: Ext2Node;
    readonly inode: Inode;
    readonly directory: Directory;
  } {
    return { node, inode: node.#inode, directory: node.#directory };
  }
}

/** The vnode layer hands back only what it was given. */
function own(node: FileSystemNode): ReturnType<typeof Ext2Node.partsOf> {
  if (!(node instanceof Ext2Node)) throw new Error('rumpfs: broken invariant: a node of another file system');
  return Ext2Node.partsOf(node);
}

function tooManyLinks(inode: Inode): FsError {
  return new FsError('TooManyLinks', `${inode.name} has ${inode.linkCount} links`);
}
