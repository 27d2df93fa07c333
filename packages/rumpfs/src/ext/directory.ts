import { textOfBytes } from '@ginit/core/file_system';
import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { FsError } from '../errors.ts';
import { LazyIndex } from '../index/lazy-index.ts';
import { RecordIndex } from '../index/record-index.ts';
import type { NodeType } from '../vnode/attributes.ts';
import type { InodeDirectory, RawEntry } from '../volume/open-inode.ts';
import { mapRun, tryMap } from './block-map.ts';
import { Run } from './run.ts';
import { assignRun } from './block-map-grow.ts';
import { freeBlocksFrom } from './block-map-shrink.ts';
import { DirectoryBlocks, hasName } from './directory-block.ts';
import { entryBytes, sealIndex, sealLeaf } from './directory-checksum.ts';
import {
  bytesFor,
  RECORD_HEADER_BYTES,
  type RecordPlace,
  setRecordLength,
  setRecordTarget,
  writeRecord,
} from './directory-record.ts';
import { indexStart } from './hash-node.ts';
import { HashTree } from './hash-tree.ts';
import { findInline, inlineEntries, inlineTarget } from './inline-directory.ts';
import { moveDirectoryOut } from './inline-removal.ts';
import { type Inode, INODE_FLAG } from './inode.ts';
import { storeInode } from './inode-table.ts';
import { HASH_VERSIONS } from './name-hash.ts';
import type { Parts } from './parts.ts';
import { VERIFIED } from './verified.ts';
import type { Volume } from './volume.ts';

const noName = new Uint8Array(0);
const DOT = new Uint8Array([0x2e]);
const DOT_DOT = new Uint8Array([0x2e, 0x2e]);
const DIRECTORY_BYTES_MAX = 0x7fff_0000;

/**
 * The entries of one directory. A directory of one block is searched as it is; a larger one by its
 * hash tree, or, without one, by an index that is made when it is first used. Without memory for
 * the index everything works, block by block.
 *
 * The vnode layer holds the directory's lock: shared to look, exclusive to change.
 */
export class Directory implements InodeDirectory<RecordPlace> {
  readonly #parts: Parts;
  readonly #volume: Volume;
  readonly #inode: Inode;
  readonly #blocks: DirectoryBlocks;
  readonly #run = new Run();
  readonly #tree: HashTree;
  readonly #seal = (bytes: Uint8Array): void => sealLeaf(this.#volume, this.#inode, bytes);
  readonly #index: LazyIndex<RecordIndex>;
  /** The block where the last entry found room. */
  #roomHint = 0;

  constructor(parts: Parts, inode: Inode) {
    this.#parts = parts;
    this.#volume = parts.volume;
    this.#inode = inode;
    this.#blocks = new DirectoryBlocks(parts.volume, inode);
    this.#index = new LazyIndex(
      () => new RecordIndex(parts.indexes, parts.volume.blockSizeBytes),
      (index) => this.#fill(index),
    );
    this.#tree = new HashTree({
      volume: parts.volume,
      inode,
      blocks: this.#blocks,
      blockAt: (logical) => this.#blockAt(logical),
      append: async () => {
        await this.#append();
        return this.#blockCount - 1;
      },
    });
  }

  /** The place of a name; undefined where there is no such entry. */
  async find(name: Uint8Array): Promise<RecordPlace | undefined> {
    if (this.#inode.inlineContent !== undefined) {
      const offset = findInline(this.#volume, this.#inode, name);
      return offset < 0 ? undefined : { logical: 0, offset };
    }
    if (this.#tree.used) {
      const place = await this.#tree.find(name);
      if (place !== 'unusable') return place;
    }
    const index = await this.#usableIndex();
    if (index !== undefined) {
      const place = await this.#findIndexed(index, name);
      // Another directory may have taken the index's memory during an await: then the index has not
      // reported every place.
      if (place !== undefined || index.usable) return place;
    }
    for (let logical = 0; logical < this.#blockCount; logical += 1) {
      const block = await this.#blockAt(logical);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      const offset = this.#blocks.find(buffer, logical, name);
      if (offset >= 0) return { logical, offset };
    }
    return undefined;
  }

  /** The device's block that contains a place. */
  blockOf(place: RecordPlace): Promise<number> {
    return this.#blockAt(place.logical);
  }

  /** The inode number at a place that `find` gave. */
  async targetAt(place: RecordPlace): Promise<number> {
    if (this.#inode.inlineContent !== undefined) return inlineTarget(this.#inode, place.offset);
    const block = await this.#blockAt(place.logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    return buffer.view.getUint32(place.offset, true);
  }

  /**
   * Entries from byte `cursor` of the directory on, at most those of one block; go on at
   * `nextCursor`.
   */
  async list(
    cursor: number,
    entriesMax: number,
  ): Promise<{ readonly entries: RawEntry[]; readonly nextCursor: number | undefined }> {
    if (this.#inode.inlineContent !== undefined) return this.#listInline(cursor, entriesMax);
    const logical = Math.floor(cursor / this.#volume.blockSizeBytes);
    if (logical >= this.#blockCount) return { entries: [], nextCursor: undefined };
    const block = await this.#blockAt(logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const start = logical * this.#volume.blockSizeBytes;
    const end = start + this.#volume.blockSizeBytes;
    let nextCursor: number | undefined = end < this.#inode.sizeBytes ? end : undefined;
    const entries: RawEntry[] = [];
    this.#blocks.walk(buffer, logical, (record) => {
      if (record.inode === 0 || start + record.offset < cursor) return false;
      const nameStart = record.offset + RECORD_HEADER_BYTES;
      const name = textOfBytes(buffer.bytes.subarray(nameStart, nameStart + record.nameLength));
      if (name === '.' || name === '..') return false;
      entries.push({ id: record.inode, name, type: record.type });
      if (entries.length < entriesMax) return false;
      nextCursor = start + record.offset + record.length;
      return true;
    });
    return { entries, nextCursor };
  }

  #listInline(
    cursor: number,
    entriesMax: number,
  ): { readonly entries: RawEntry[]; readonly nextCursor: number | undefined } {
    const left = inlineEntries(this.#volume, this.#inode).filter(({ offset }) => offset >= cursor);
    return { entries: left.slice(0, entriesMax), nextCursor: left[entriesMax]?.offset };
  }

  /** Whether there is nothing but `.` and `..`. */
  async isEmpty(): Promise<boolean> {
    for (let cursor: number | undefined = 0; cursor !== undefined; ) {
      const { entries, nextCursor } = await this.list(cursor, 1);
      if (entries.length > 0) return false;
      cursor = nextCursor;
    }
    return true;
  }

  /** The directory above, by the entry `..`. */
  async parent(): Promise<number> {
    if (this.#inode.inlineContent !== undefined) return inlineTarget(this.#inode, 0);
    return this.targetAt(await this.#dotDot());
  }

  async setParent(id: number): Promise<void> {
    await this.setTarget(await this.#dotDot(), id, 'directory');
  }

  /** Points the entry at a place that `find` gave to another node. */
  async setTarget(place: RecordPlace, id: number, type: NodeType): Promise<void> {
    const block = await this.#blockAt(place.logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    this.#blocks.read(buffer, place.logical, place.offset);
    setRecordTarget(this.#volume, buffer.view, place.offset, id, type);
    this.#markDirty(buffer, block, place.logical);
  }

  /** Makes a directory that stands in its inode ready to be changed, if it does. */
  moveOut(): Promise<void> | undefined {
    if (this.#inode.inlineContent === undefined) return undefined;
    return moveDirectoryOut(this.#volume, this.#parts.blocks, this.#inode);
  }

  /** Fills the first block of a new directory. */
  async initialise(parentId: number): Promise<void> {
    const block = await this.#append();
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const first = bytesFor(1);
    const rest = entryBytes(this.#volume) - first;
    const type = 'directory';
    writeRecord(this.#volume, buffer.bytes, 0, first, { inode: this.#inode.id, name: DOT, type });
    writeRecord(this.#volume, buffer.bytes, first, rest, { inode: parentId, name: DOT_DOT, type });
    this.#volume.cache.markDirty(buffer, block, 'name', this.#seal);
  }

  /** A place with room for an entry of that name, for `insert`; the directory grows if it must. */
  async makeRoom(name: Uint8Array): Promise<RecordPlace> {
    const needed = bytesFor(name.length);
    if (this.#tree.used) {
      const place = await this.#tree.makeRoom(name, needed);
      if (place !== undefined) return place;
      this.#giveTreeUp();
    }
    const index = await this.#usableIndex();
    const count = this.#blockCount;
    for (let step = 0; step < count; step += 1) {
      const logical = (this.#roomHint + step) % count;
      if (index !== undefined && index.roomAt(logical * this.#volume.blockSizeBytes) < needed) continue;
      const block = await this.#blockAt(logical);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      const offset = this.#blocks.findRoom(buffer, logical, needed);
      if (offset < 0) continue;
      this.#roomHint = logical;
      return { logical, offset };
    }
    if (count === 1 && this.#mayPlant) {
      await this.#tree.plant();
      return this.makeRoom(name);
    }
    await this.#append();
    this.#roomHint = count;
    return { logical: count, offset: 0 };
  }

  /** A tree is made where a journal lets all blocks change together. */
  get #mayPlant(): boolean {
    const { superblock, journalled } = this.#volume;
    return journalled && superblock.indexesDirectories && superblock.hashVersion < HASH_VERSIONS;
  }

  /** Goes on without a hash tree: its blocks become free records. */
  #giveTreeUp(): void {
    if (this.#volume.superblock.checksums)
      throw this.#volume.corrupt(
        `${this.#inode.name}: the root of its hash tree, in directory block 0, is wrong`,
      );
    this.#inode.flags &= ~INODE_FLAG.directoryIndex;
  }

  /** Enters a name at a place that `makeRoom` gave, with no other change in between. */
  async insert(place: RecordPlace, name: Uint8Array, id: number, type: NodeType): Promise<void> {
    const { logical } = place;
    const block = await this.#blockAt(logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const { used, room } = this.#blocks.read(buffer, logical, place.offset);
    if (room < bytesFor(name.length)) throw this.#changedMeanwhile(logical);
    if (used > 0) setRecordLength(this.#volume, buffer.view, place.offset, used);
    const offset = place.offset + used;
    writeRecord(this.#volume, buffer.bytes, offset, room, { inode: id, name, type });
    this.#markDirty(buffer, block, logical);
    this.#noteRoom(buffer, logical);
    this.#index.made?.add(name, this.#byteOf({ logical, offset }));
  }

  /** Takes out the entry at a place that `find` gave. */
  async remove(place: RecordPlace, name: Uint8Array): Promise<void> {
    const { logical } = place;
    const block = await this.#blockAt(logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    let before = -1;
    this.#blocks.walk(buffer, logical, (record) => {
      if (record.offset < place.offset) before = record.offset;
      return record.offset >= place.offset;
    });
    const end = place.offset + this.#blocks.read(buffer, logical, place.offset).length;
    buffer.view.setUint32(place.offset, 0, true);
    if (before >= 0) setRecordLength(this.#volume, buffer.view, before, end - before);
    this.#markDirty(buffer, block, logical);
    this.#noteRoom(buffer, logical);
    this.#index.made?.remove(name, this.#byteOf(place));
  }

  dropIndex(): void {
    this.#index.drop();
  }

  get #blockCount(): number {
    return this.#inode.sizeBytes / this.#volume.blockSizeBytes;
  }

  /**
   * The error for a directory that has changed between two steps. That happens only where one of
   * its blocks belongs to another file as well.
   */
  #changedMeanwhile(logical: number): FsError {
    return this.#volume.corrupt(`${this.#inode.name}: directory block ${logical} changed while in use`);
  }

  async #dotDot(): Promise<RecordPlace> {
    const block = await this.#blockAt(0);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const offset = this.#blocks.find(buffer, 0, DOT_DOT);
    if (offset < 0) throw this.#volume.corrupt(`${this.#inode.name}: directory without ".."`);
    return { logical: 0, offset };
  }

  /** Marks a block as changed, which may be the root of a hash tree: that has "..", too. */
  #markDirty(buffer: BlockBuffer, block: number, logical: number): void {
    const start = this.#tree.used ? indexStart(this.#volume, buffer.view, logical) : 0;
    const seal =
      start > 0
        ? (bytes: Uint8Array): void => sealIndex(this.#volume, this.#inode, bytes, start)
        : this.#seal;
    this.#volume.cache.markDirty(buffer, block, 'name', seal);
    // On a damaged device it may be a node of extents as well, which has to be looked at again.
    if (buffer.verifiedAs === VERIFIED.extents) buffer.verifiedAs = 0;
  }

  async #blockAt(logical: number): Promise<number> {
    let run = this.#run;
    if (tryMap(this.#volume, this.#inode, logical, 1, run) !== 0) {
      run = new Run();
      await mapRun(this.#volume, this.#inode, logical, 1, run);
    }
    if (run.block === 0) {
      throw this.#volume.corrupt(`${this.#inode.name}: directory block ${logical} is missing`);
    }
    return run.block;
  }

  /** Adds a block without names, also on the device. Returns its number. */
  async #append(): Promise<number> {
    const { cache, blockSizeBytes } = this.#volume;
    const inode = this.#inode;
    const logical = this.#blockCount;
    if (inode.sizeBytes + blockSizeBytes > DIRECTORY_BYTES_MAX) {
      throw new FsError('FileTooLarge', `${inode.name}: the directory is full`);
    }
    const run = new Run();
    const empty = new Uint8Array(blockSizeBytes);
    const room = entryBytes(this.#volume);
    writeRecord(this.#volume, empty, 0, room, { inode: 0, name: noName, type: undefined });
    this.#seal(empty);
    let buffer: BlockBuffer;
    try {
      await assignRun(this.#volume, this.#parts.blocks, inode, logical, 1, run, ({ block }) =>
        this.#volume.writeFirst(block, empty, VERIFIED.directory, this.#seal),
      );
      buffer = cache.peek(run.block) ?? (await cache.read(run.block));
    } catch (error) {
      await freeBlocksFrom(this.#volume, this.#parts.blocks, inode, logical);
      await storeInode(this.#volume, inode);
      throw error;
    }
    inode.sizeBytes += blockSizeBytes;
    this.#noteRoom(buffer, logical);
    await storeInode(this.#volume, inode);
    return run.block;
  }

  /** The index of a directory that is large enough for one, if there is memory for it. */
  #usableIndex(): Promise<RecordIndex | undefined> | undefined {
    if (this.#inode.inlineContent !== undefined || this.#blockCount <= 1) return undefined;
    return this.#index.use();
  }

  /** Adds all of the directory to its index. */
  async #fill(index: RecordIndex): Promise<boolean> {
    const { blockSizeBytes } = this.#volume;
    for (let logical = 0; logical < this.#blockCount; logical += 1) {
      const block = await this.#blockAt(logical);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      const start = logical * blockSizeBytes;
      const stopped = this.#blocks.walk(buffer, logical, (record) => {
        if (record.inode === 0) return false;
        const from = record.offset + RECORD_HEADER_BYTES;
        return !index.addFrom(buffer, from, from + record.nameLength, start + record.offset);
      });
      if (stopped >= 0) return false;
      index.setRoom(start, this.#blocks.largestRoom(buffer, logical));
    }
    return true;
  }

  #noteRoom(buffer: BlockBuffer, logical: number): void {
    const start = logical * this.#volume.blockSizeBytes;
    this.#index.made?.setRoom(start, this.#blocks.largestRoom(buffer, logical));
  }

  /** The byte of the directory at which a record begins. */
  #byteOf({ logical, offset }: RecordPlace): number {
    return logical * this.#volume.blockSizeBytes + offset;
  }

  async #findIndexed(index: RecordIndex, name: Uint8Array): Promise<RecordPlace | undefined> {
    const { blockSizeBytes } = this.#volume;
    const cursor = { probes: 0 };
    for (;;) {
      const byte = index.candidate(name, cursor);
      if (byte < 0) return undefined;
      const place = { logical: Math.floor(byte / blockSizeBytes), offset: byte % blockSizeBytes };
      const block = await this.#blockAt(place.logical);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      if (hasName(buffer.bytes, this.#blocks.read(buffer, place.logical, place.offset), name)) return place;
    }
  }
}
