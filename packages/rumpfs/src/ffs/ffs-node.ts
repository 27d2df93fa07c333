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
import { linkInode, type Move, renameInode, unlinkDirectory, unlinkInode } from './change-names.ts';
import { createInode, type NewInode } from './create-inode.ts';
import { cutInSteps } from './cut-in-steps.ts';
import { destroyUnnamed } from './destroy-inode.ts';
import { Directory } from './directory.ts';
import { prefetchFile, readFile } from './file-read.ts';
import { fillLast } from './file-tail.ts';
import { tolerateFull, truncateFile, writeFile } from './file-write.ts';
import { type Inode, requireMutable } from './inode.ts';
import { loadInode, storeInode } from './inode-table.ts';
import { DIRECTORY_LINKS_MIN, requireLinkLeft } from './link-counts.ts';
import type { OpenInode } from './open-inode.ts';
import type { Parts } from './parts.ts';
import { readSymlink, requireTargetFits, writeSymlink } from './symlink.ts';

/** An inode as the vnode layer sees it. */
export class FfsNode implements FileSystemNode {
  readonly id: number;
  readonly type: NodeType;
  /** Used by the other nodes of the mount. */
  readonly open: OpenInode;
  readonly #readAhead = new ReadAhead();
  readonly #prefetch: ReadAheadRequest;

  constructor(parts: Parts, inode: Inode) {
    this.id = inode.id;
    this.type = inode.type;
    this.open = { parts, inode, directory: new Directory(parts, inode) };
    this.#prefetch = prefetchFile(parts.volume, inode);
  }

  get links(): number {
    return this.open.inode.linkCount;
  }

  attributes(): Attributes {
    const { inode, parts } = this.open;
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
      bornMs: parts.volume.superblock.revision === 2 ? inode.bornMs : undefined,
      allocatedBytes: inode.sectors * 512,
    };
  }

  setAttributes(change: AttributeChange, nowMs: number): Promise<void> {
    const { inode, parts } = this.open;
    return this.#change(async () => {
      requireMutable(inode);
      if (change.permissions !== undefined)
        inode.mode = (inode.mode & 0xf000) | (change.permissions & 0o7777);
      inode.uid = change.uid ?? inode.uid;
      inode.gid = change.gid ?? inode.gid;
      inode.accessedMs = change.accessedMs ?? inode.accessedMs;
      inode.modifiedMs = change.modifiedMs ?? inode.modifiedMs;
      inode.changedMs = nowMs;
      await storeInode(parts.volume, inode);
    });
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const { inode, parts } = this.open;
    const length = await readFile(parts.volume, inode, offset, into);
    this.#readAhead.advance(parts.volume.cache, inode.sizeBytes, offset, length, this.#prefetch);
    return length;
  }

  async write(offset: number, from: Uint8Array, nowMs: number): Promise<number> {
    const { inode, parts } = this.open;
    const { journalling, superblock } = parts.volume;
    requireMutable(inode, offset >= inode.sizeBytes);
    if (journalling === undefined) return this.#change(() => writeFile(parts, inode, offset, from, nowMs));
    const pieceBytes = journalling.blocksOfStep * superblock.blockSizeBytes;
    let done = 0;
    try {
      do {
        const piece = from.subarray(done, done + pieceBytes);
        const position = offset + done;
        // Where the space has ended, what was freed before may be used by the next piece.
        done += await this.#change(() => writeFile(parts, inode, position, piece, nowMs));
      } while (done < from.length);
    } catch (error) {
      const shortened = error instanceof FsError && error.code === 'NoSpace' && done > 0;
      if (!shortened) throw error;
    }
    return done;
  }

  async truncate(sizeBytes: number, nowMs: number): Promise<void> {
    const { inode, parts } = this.open;
    requireMutable(inode);
    await cutInSteps(parts, inode, sizeBytes);
    const filled = await this.#change(() => truncateFile(parts, inode, sizeBytes, nowMs));
    if (filled || !parts.volume.journalled) return;
    // What was freed can be used after a commit, which waits for the operation that frees it.
    await tolerateFull(() =>
      this.#change(async () => {
        await fillLast(parts, inode);
        await storeInode(parts.volume, inode);
      }),
    );
  }

  readLink(): Promise<string> {
    return readSymlink(this.open.parts.volume, this.open.inode);
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    const { directory } = this.open;
    const place = await directory.find(name.bytes);
    return place === undefined ? undefined : directory.targetAt(place);
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const { directory, parts } = this.open;
    const entries: DirectoryEntry[] = [];
    let next: number | undefined = cursor;
    while (next !== undefined && entries.length < entriesMax) {
      const piece = await directory.list(next, entriesMax - entries.length);
      for (const { id, name, type } of piece.entries)
        entries.push({ id, name, type: type ?? (await typeOf(parts, id)) });
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
    requireLinkLeft(this.open.inode);
    return this.#create({ name, type: 'directory', what }, nowMs, async (inode) => {
      inode.linkCount = DIRECTORY_LINKS_MIN;
      await new Directory(this.open.parts, inode).initialise(this.id);
    });
  }

  async createSymlink(
    name: EntryName,
    target: Uint8Array,
    what: NewNode,
    nowMs: number,
  ): Promise<FileSystemNode> {
    const { parts } = this.open;
    requireTargetFits(parts.volume, target);
    return this.#create({ name, type: 'symlink', what }, nowMs, (inode) =>
      writeSymlink(parts, inode, target, nowMs),
    );
  }

  link(name: EntryName, target: FileSystemNode, nowMs: number): Promise<void> {
    return this.#change(() => linkInode(this.open, name, own(target), nowMs));
  }

  unlink(name: EntryName, target: FileSystemNode, _inUse: boolean, nowMs: number): Promise<void> {
    return this.#change(() => unlinkInode(this.open, name, own(target), nowMs));
  }

  removeDirectory(name: EntryName, target: FileSystemNode, _inUse: boolean, nowMs: number): Promise<void> {
    return this.#change(() => unlinkDirectory(this.open, name, own(target), nowMs));
  }

  rename(move: Rename, nowMs: number): Promise<void> {
    const moved: Move = {
      source: own(move.source),
      from: this.open,
      fromName: move.name,
      to: own(move.toDirectory),
      toName: move.toName,
      replaced: move.replaced === undefined ? undefined : own(move.replaced),
    };
    return this.#change(() => renameInode(moved, nowMs));
  }

  deactivate(): void {
    // Nothing is held for an open file alone.
  }

  async destroy(nowMs: number): Promise<void> {
    const { inode, parts } = this.open;
    if (!parts.volume.departures.abandon(inode, nowMs)) await destroyUnnamed(parts, inode);
  }

  reclaim(): void {
    this.open.directory.dropIndex();
  }

  async #create(
    made: NewInode,
    nowMs: number,
    fill: (inode: Inode) => Promise<void>,
  ): Promise<FileSystemNode> {
    const inode = await this.#change(() => createInode(this.open, made, nowMs, fill));
    return new FfsNode(this.open.parts, inode);
  }

  #change<Result>(action: () => Promise<Result>): Promise<Result> {
    return this.open.parts.volume.change(action);
  }
}

/**
 * The type of a node by its inode. A node that cannot be read is listed nevertheless, and fails
 * when it is used.
 */
async function typeOf({ volume }: Parts, id: number): Promise<NodeType> {
  try {
    return (await loadInode(volume, id)).type;
  } catch (error) {
    if (error instanceof FsError) return 'file';
    throw error;
  }
}

/**
 * The OpenInode of a node. The vnode layer hands back only nodes that this file system has given
 * it.
 */
function own(node: FileSystemNode): OpenInode {
  if (!(node instanceof FfsNode)) throw new Error('rumpfs: broken invariant: a node of another file system');
  return node.open;
}
