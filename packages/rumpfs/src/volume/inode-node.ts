import { ReadAhead, type ReadAheadRequest } from '../buffer/read-ahead.ts';
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
import { DIRECTORY_LINKS_MIN, type NameChanges, type NewInode } from './name-changes.ts';
import type { OpenInode } from './open-inode.ts';
import type { VolumeInode } from './volume-inode.ts';

/** An inode as the vnode layer sees it. What a format does in its own way is abstract. */
export abstract class InodeNode<Inode extends VolumeInode, Place, Open extends OpenInode<Inode, Place>>
  implements FileSystemNode
{
  readonly id: number;
  readonly type: NodeType;
  /** Used by the other nodes of the mount. */
  readonly open: Open;
  readonly #names: NameChanges<Inode, Place, Open>;
  readonly #readAhead = new ReadAhead();
  readonly #prefetch: ReadAheadRequest;

  constructor(open: Open, names: NameChanges<Inode, Place, Open>, prefetch: ReadAheadRequest) {
    this.id = open.inode.id;
    this.type = open.inode.type;
    this.open = open;
    this.#names = names;
    this.#prefetch = prefetch;
  }

  /** Throws `NotPermitted` for a file that is marked as immutable or append-only. */
  protected abstract requireMutable(appending: boolean): void;
  /** Writes the inode. */
  protected abstract store(): Promise<void>;
  protected abstract readBytes(offset: number, into: Uint8Array): Promise<number>;
  /** Writes within one change; resolves to the number of bytes. */
  protected abstract writeBytes(offset: number, from: Uint8Array, nowMs: number): Promise<number>;
  /** The most bytes of one change; undefined where there is no log that has to hold them. */
  protected abstract get changeBytesMax(): number | undefined;
  /** Another node of the mount, of that inode. */
  protected abstract nodeOf(inode: Inode): FileSystemNode;
  /** The type of a node by its inode. */
  protected abstract loadType(id: number): Promise<NodeType>;
  /** Puts the first entries into a new directory. */
  protected abstract fillDirectory(inode: Inode): Promise<void>;
  /** Throws `NameTooLong` for a target that is too long. */
  protected abstract requireTargetFits(target: Uint8Array): void;
  protected abstract fillSymlink(inode: Inode, target: Uint8Array, nowMs: number): Promise<void>;
  abstract truncate(sizeBytes: number, nowMs: number): Promise<void>;
  abstract readLink(): Promise<string>;
  abstract deactivate(): void;
  abstract destroy(nowMs: number): Promise<void>;

  get links(): number {
    return this.open.inode.linkCount;
  }

  attributes(): Attributes {
    const { inode } = this.open;
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
      bornMs: inode.bornMs,
      allocatedBytes: inode.sectors * 512,
    };
  }

  setAttributes(change: AttributeChange, nowMs: number): Promise<void> {
    const { inode } = this.open;
    return this.change(async () => {
      this.requireMutable(false);
      if (change.permissions !== undefined)
        inode.mode = (inode.mode & 0xf000) | (change.permissions & 0o7777);
      inode.uid = change.uid ?? inode.uid;
      inode.gid = change.gid ?? inode.gid;
      inode.accessedMs = change.accessedMs ?? inode.accessedMs;
      inode.modifiedMs = change.modifiedMs ?? inode.modifiedMs;
      inode.changedMs = nowMs;
      await this.store();
    });
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const { inode, parts } = this.open;
    const length = await this.readBytes(offset, into);
    this.#readAhead.advance(parts.volume.cache, inode.sizeBytes, offset, length, this.#prefetch);
    return length;
  }

  async write(offset: number, from: Uint8Array, nowMs: number): Promise<number> {
    this.requireMutable(offset >= this.open.inode.sizeBytes);
    const pieceBytes = this.changeBytesMax;
    if (pieceBytes === undefined) return this.change(() => this.writeBytes(offset, from, nowMs));
    let done = 0;
    try {
      do {
        const piece = from.subarray(done, done + pieceBytes);
        const position = offset + done;
        // Where the space has ended, what was freed before may be used by the next piece.
        done += await this.change(() => this.writeBytes(position, piece, nowMs));
      } while (done < from.length);
    } catch (error) {
      const shortened = error instanceof FsError && error.code === 'NoSpace' && done > 0;
      if (!shortened) throw error;
    }
    return done;
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    const { directory } = this.open;
    const place = await directory.find(name.bytes);
    return place === undefined ? undefined : directory.targetAt(place);
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const { directory } = this.open;
    const entries: DirectoryEntry[] = [];
    let next: number | undefined = cursor;
    while (next !== undefined && entries.length < entriesMax) {
      const piece = await directory.list(next, entriesMax - entries.length);
      for (const { id, name, type } of piece.entries)
        entries.push({ id, name, type: type ?? (await this.#typeOf(id)) });
      next = piece.nextCursor;
    }
    return { entries, nextCursor: next };
  }

  parent(): Promise<number> {
    return this.open.directory.parent();
  }

  createFile(name: EntryName, what: NewNode, nowMs: number): Promise<FileSystemNode> {
    return this.#create({ name, type: 'file', what }, nowMs, () => Promise.resolve());
  }

  async createDirectory(name: EntryName, what: NewNode, nowMs: number): Promise<FileSystemNode> {
    this.#names.requireRoomForDirectory(this.open);
    return this.#create({ name, type: 'directory', what }, nowMs, async (inode) => {
      inode.linkCount = DIRECTORY_LINKS_MIN;
      await this.fillDirectory(inode);
    });
  }

  async createSymlink(
    name: EntryName,
    target: Uint8Array,
    what: NewNode,
    nowMs: number,
  ): Promise<FileSystemNode> {
    this.requireTargetFits(target);
    return this.#create({ name, type: 'symlink', what }, nowMs, (inode) =>
      this.fillSymlink(inode, target, nowMs),
    );
  }

  link(name: EntryName, target: FileSystemNode, nowMs: number): Promise<void> {
    return this.change(() => this.#names.link(this.open, name, this.#own(target), nowMs));
  }

  unlink(name: EntryName, target: FileSystemNode, inUse: boolean, nowMs: number): Promise<void> {
    return this.change(() => this.#names.unlink(this.open, name, this.#own(target), inUse, nowMs));
  }

  removeDirectory(name: EntryName, target: FileSystemNode, inUse: boolean, nowMs: number): Promise<void> {
    return this.change(() => this.#names.unlinkDirectory(this.open, name, this.#own(target), inUse, nowMs));
  }

  rename(move: Rename, nowMs: number): Promise<void> {
    const moved = {
      source: this.#own(move.source),
      from: this.open,
      fromName: move.name,
      to: this.#own(move.toDirectory),
      toName: move.toName,
      replaced: move.replaced === undefined ? undefined : this.#own(move.replaced),
      replacedInUse: move.replacedInUse,
    };
    return this.change(() => this.#names.rename(moved, nowMs));
  }

  reclaim(): void {
    this.open.directory.dropIndex();
  }

  protected change<Result>(action: () => Promise<Result>): Promise<Result> {
    return this.open.parts.volume.change(action);
  }

  async #create(
    made: NewInode,
    nowMs: number,
    fill: (inode: Inode) => Promise<void>,
  ): Promise<FileSystemNode> {
    return this.nodeOf(await this.change(() => this.#names.create(this.open, made, nowMs, fill)));
  }

  /** A node that cannot be read is listed nevertheless, and fails when it is used. */
  async #typeOf(id: number): Promise<NodeType> {
    try {
      return await this.loadType(id);
    } catch (error) {
      if (error instanceof FsError) return 'file';
      throw error;
    }
  }

  /** The vnode layer hands back only nodes that this file system has given it. */
  #own(node: FileSystemNode): Open {
    if (!(node instanceof InodeNode) || node.constructor !== this.constructor)
      throw new Error('rumpfs: broken invariant: a node of another file system');
    return node.open;
  }
}
