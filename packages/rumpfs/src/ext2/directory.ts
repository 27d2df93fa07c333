import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { FsError } from '../errors.ts';
import type { NodeType } from '../vnode/attributes.ts';
import { decodeText } from '../vnode/names.ts';
import type { BlockAllocator } from './block-allocator.ts';
import { Run, mapRun, tryMap } from './block-map.ts';
import { assignRun } from './block-map-grow.ts';
import { freeBlocksFrom } from './block-map-shrink.ts';
import { DirectoryIndex, hashName } from './directory-index.ts';
import {
  bytesFor,
  DirectoryRecord,
  readRecord,
  recordHeaderBytes,
  setRecordLength,
  setRecordTarget,
  writeRecord,
} from './directory-record.ts';
import type { IndexStore } from './index-store.ts';
import { type Inode, inodeFlag, storeInode } from './inode.ts';
import type { Volume } from './volume.ts';

const noName = new Uint8Array(0);
const dot = new Uint8Array([0x2e]);
const dotDot = new Uint8Array([0x2e, 0x2e]);
const directoryBytesMax = 0x7fff_0000;

/** Where a record is. */
export interface RecordPlace {
  readonly logical: number;
  readonly offset: number;
}

/** An entry as the directory has it; the type is missing on file systems whose entries do not tell. */
export interface RawEntry {
  readonly id: number;
  readonly name: string;
  readonly type: NodeType | undefined;
  /** Where the next one may start, for going on after this one. */
  readonly nextCursor: number;
}

/**
 * The entries of one directory. A directory of one block is searched as it is; a larger one gets an index of its names
 * when it is first used, and a table of how much room its blocks have, so that neither looking up nor adding slows
 * down as it grows. Without memory for the index everything works, block by block.
 *
 * The vnode layer holds the directory's lock: shared to look, exclusive to change.
 */
export class Directory {
  /** When the index was last used, in ticks of the store. */
  indexUsed = 0;
  readonly #volume: Volume;
  readonly #blocks: BlockAllocator;
  readonly #inode: Inode;
  readonly #store: IndexStore;
  readonly #run = new Run();
  readonly #record = new DirectoryRecord();
  #index: DirectoryIndex | undefined = undefined;
  #building: Promise<void> | undefined = undefined;
  #tooLarge = false;
  /** The largest room in each block; empty while there is no index. */
  #room: number[] = [];
  /** The block where the last entry found room. */
  #roomHint = 0;

  constructor(volume: Volume, blocks: BlockAllocator, inode: Inode, store: IndexStore) {
    this.#volume = volume;
    this.#blocks = blocks;
    this.#inode = inode;
    this.#store = store;
  }

  get hasIndex(): boolean {
    return this.#index !== undefined;
  }

  /** The place of a name; undefined where there is no such entry. */
  async find(name: Uint8Array): Promise<RecordPlace | undefined> {
    await this.#ensureIndex();
    if (this.#index !== undefined) return this.#findIndexed(this.#index, name);
    for (let logical = 0; logical < this.#blockCount; logical += 1) {
      const block = await this.#blockAt(logical);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      const offset = this.#findInBlock(buffer, logical, name);
      if (offset >= 0) return { logical, offset };
    }
    return undefined;
  }

  /** The inode number at a place that `find` gave. */
  async targetAt(place: RecordPlace): Promise<number> {
    const block = await this.#blockAt(place.logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    return buffer.view.getUint32(place.offset, true);
  }

  /** Entries from byte `cursor` of the directory on, of one block at most; empty with no `end` means: go on. */
  async list(
    cursor: number,
    entriesMax: number,
  ): Promise<{ readonly entries: RawEntry[]; readonly nextCursor: number | undefined }> {
    const blockSize = this.#volume.blockSizeBytes;
    const logical = Math.floor(cursor / blockSize);
    if (logical >= this.#blockCount) return { entries: [], nextCursor: undefined };
    const block = await this.#blockAt(logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const entries: RawEntry[] = [];
    const record = this.#record;
    for (let offset = 0; offset < blockSize; offset += record.length) {
      this.#read(buffer, logical, offset);
      if (record.inode === 0 || logical * blockSize + offset < cursor) continue;
      const start = offset + recordHeaderBytes;
      const name = decodeText(buffer.bytes.subarray(start, start + record.nameLength));
      if (name === '.' || name === '..') continue;
      const nextCursor = logical * blockSize + offset + record.length;
      entries.push({ id: record.inode, name, type: record.type, nextCursor });
      if (entries.length === entriesMax) return { entries, nextCursor };
    }
    const last = logical + 1 >= this.#blockCount;
    return { entries, nextCursor: last ? undefined : (logical + 1) * blockSize };
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

  /** The directory above, as `..` says. */
  async parent(): Promise<number> {
    return this.targetAt(await this.#dotDot());
  }

  async setParent(id: number): Promise<void> {
    await this.setTarget(await this.#dotDot(), id, 'directory');
  }

  /** Points the entry at a place that `find` gave to another node. */
  async setTarget(place: RecordPlace, id: number, type: NodeType): Promise<void> {
    const block = await this.#blockAt(place.logical);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    setRecordTarget(this.#volume, buffer.view, place.offset, id, type);
    this.#volume.cache.markDirty(buffer, block, 'name');
  }

  /** Fills the first block of a new directory. */
  async initialise(parentId: number): Promise<void> {
    const block = await this.#append();
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const first = bytesFor(1);
    const rest = this.#volume.blockSizeBytes - first;
    const type = 'directory';
    writeRecord(this.#volume, buffer.bytes, 0, first, { inode: this.#inode.id, name: dot, type });
    writeRecord(this.#volume, buffer.bytes, first, rest, { inode: parentId, name: dotDot, type });
    this.#volume.cache.markDirty(buffer, block, 'name');
  }

  /** A place with room for an entry of that name, for `insert`; the directory grows if it must. */
  async makeRoom(name: Uint8Array): Promise<RecordPlace> {
    const needed = bytesFor(name.length);
    await this.#ensureIndex();
    const count = this.#blockCount;
    for (let step = 0; step < count; step += 1) {
      const logical = (this.#roomHint + step) % count;
      if ((this.#room[logical] ?? needed) < needed) continue;
      const block = await this.#blockAt(logical);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      const offset = this.#findRoom(buffer, logical, needed);
      if (offset < 0) continue;
      this.#roomHint = logical;
      return { logical, offset };
    }
    await this.#append();
    this.#roomHint = count;
    return { logical: count, offset: 0 };
  }

  /** Enters a name at a place that `makeRoom` gave, with no other change in between. */
  async insert(place: RecordPlace, name: Uint8Array, id: number, type: NodeType): Promise<void> {
    const { cache } = this.#volume;
    const { logical } = place;
    const block = await this.#blockAt(logical);
    const buffer = cache.peek(block) ?? (await cache.read(block));
    const record = this.#read(buffer, logical, place.offset);
    const { used, room } = record;
    if (room < bytesFor(name.length))
      throw this.#volume.corrupt(`${this.#inode.name}: directory block ${logical}`);
    if (used > 0) setRecordLength(this.#volume, buffer.view, place.offset, used);
    const offset = place.offset + used;
    writeRecord(this.#volume, buffer.bytes, offset, room, { inode: id, name, type });
    cache.markDirty(buffer, block, 'name');
    // What a hash tree keeps in seemingly free records is overwritten by now.
    this.#inode.flags &= ~inodeFlag.directoryIndex;
    if (this.#index === undefined) return;
    this.#room[logical] = this.#largestRoom(buffer, logical);
    this.#enter(this.#index, this.#hash(name), this.#position(logical, offset));
  }

  /** Takes the entry at a place that `find` gave out. */
  async remove(place: RecordPlace, name: Uint8Array): Promise<void> {
    const { cache, blockSizeBytes } = this.#volume;
    const block = await this.#blockAt(place.logical);
    const buffer = cache.peek(block) ?? (await cache.read(block));
    const record = this.#record;
    let before = -1;
    for (let offset = 0; offset < place.offset; offset += record.length) {
      this.#read(buffer, place.logical, offset);
      before = offset;
    }
    const { length } = this.#read(buffer, place.logical, place.offset);
    buffer.view.setUint32(place.offset, 0, true);
    if (before >= 0) {
      const merged = place.offset + length - before;
      if (merged > blockSizeBytes) throw this.#volume.corrupt(`${this.#inode.name}: overlapping records`);
      setRecordLength(this.#volume, buffer.view, before, merged);
    }
    cache.markDirty(buffer, block, 'name');
    if (this.#index === undefined) return;
    this.#room[place.logical] = this.#largestRoom(buffer, place.logical);
    this.#index.remove(this.#hash(name), this.#position(place.logical, place.offset));
  }

  dropIndex(): void {
    if (this.#index === undefined) return;
    this.#store.giveBack(this, this.#index.bytes);
    this.#index = undefined;
    this.#room = [];
  }

  get #blockCount(): number {
    return this.#inode.sizeBytes / this.#volume.blockSizeBytes;
  }

  async #dotDot(): Promise<RecordPlace> {
    const block = await this.#blockAt(0);
    const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
    const offset = this.#findInBlock(buffer, 0, dotDot);
    if (offset < 0) throw this.#volume.corrupt(`${this.#inode.name}: directory without ".."`);
    return { logical: 0, offset };
  }

  async #blockAt(logical: number): Promise<number> {
    const run = this.#run;
    if (tryMap(this.#volume, this.#inode, logical, 1, run) !== 0) {
      const own = new Run();
      await mapRun(this.#volume, this.#inode, logical, 1, own);
      run.block = own.block;
    }
    if (run.block === 0)
      throw this.#volume.corrupt(`${this.#inode.name}: directory block ${logical} is missing`);
    return run.block;
  }

  /** Adds a block that holds nothing; returns its number. */
  async #append(): Promise<number> {
    const { cache, blockSizeBytes } = this.#volume;
    const inode = this.#inode;
    const logical = this.#blockCount;
    if (inode.sizeBytes + blockSizeBytes > directoryBytesMax) {
      throw new FsError('FileTooLarge', `${inode.name}: the directory is full`);
    }
    const run = new Run();
    let buffer: BlockBuffer;
    try {
      await assignRun(this.#volume, this.#blocks, inode, logical, 1, run);
      buffer = cache.tryFresh(run.block) ?? (await cache.fresh(run.block));
    } catch (error) {
      await freeBlocksFrom(this.#volume, this.#blocks, inode, logical);
      await storeInode(this.#volume, inode);
      throw error;
    }
    buffer.bytes.fill(0);
    const free = { inode: 0, name: noName, type: undefined };
    writeRecord(this.#volume, buffer.bytes, 0, blockSizeBytes, free);
    cache.markDirty(buffer, run.block, 'name');
    inode.sizeBytes += blockSizeBytes;
    if (this.#index !== undefined) this.#room[logical] = blockSizeBytes;
    await storeInode(this.#volume, inode);
    return run.block;
  }

  async #ensureIndex(): Promise<void> {
    this.indexUsed = this.#store.tick();
    if (this.#index !== undefined || this.#tooLarge || this.#blockCount < 2) return;
    this.#building ??= this.#buildIndex();
    try {
      await this.#building;
    } finally {
      this.#building = undefined;
    }
  }

  async #buildIndex(): Promise<void> {
    const index = new DirectoryIndex();
    const room: number[] = [];
    let granted = 0;
    const grant = (bytes: number): boolean => {
      if (bytes <= granted) return true;
      if (!this.#store.grant(this, bytes - granted)) return false;
      granted = bytes;
      return true;
    };
    let complete = false;
    try {
      complete = grant(index.bytes);
      for (let logical = 0; complete && logical < this.#blockCount; logical += 1) {
        const block = await this.#blockAt(logical);
        const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
        complete = this.#indexBlock(buffer, logical, index, grant);
        room.push(this.#largestRoom(buffer, logical));
      }
    } finally {
      if (!complete) this.#store.giveBack(this, granted);
    }
    this.#tooLarge = !complete;
    if (!complete) return;
    this.#index = index;
    this.#room = room;
  }

  #indexBlock(
    buffer: BlockBuffer,
    logical: number,
    index: DirectoryIndex,
    grant: (bytes: number) => boolean,
  ): boolean {
    const record = this.#record;
    for (let offset = 0; offset < this.#volume.blockSizeBytes; offset += record.length) {
      this.#read(buffer, logical, offset);
      if (record.inode === 0) continue;
      if (!grant(index.bytesWithOneMore)) return false;
      const start = offset + recordHeaderBytes;
      const hash = hashName(buffer.bytes, start, start + record.nameLength, this.#store.seed);
      index.add(hash, this.#position(logical, offset));
    }
    return true;
  }

  /** Adds to a complete index, or gives it up when it may not grow. */
  #enter(index: DirectoryIndex, hash: number, position: number): void {
    const more = index.bytesWithOneMore - index.bytes;
    if (more === 0 || this.#store.grant(this, more)) {
      index.add(hash, position);
      return;
    }
    this.dropIndex();
    this.#tooLarge = true;
  }

  async #findIndexed(index: DirectoryIndex, name: Uint8Array): Promise<RecordPlace | undefined> {
    const hash = this.#hash(name);
    const cursor = { probes: 0 };
    const blockSize = this.#volume.blockSizeBytes;
    for (;;) {
      const position = index.find(hash, cursor);
      if (position < 0) return undefined;
      const logical = Math.floor((position * 4) / blockSize);
      const offset = (position * 4) % blockSize;
      const block = await this.#blockAt(logical);
      const buffer = this.#volume.cache.peek(block) ?? (await this.#volume.cache.read(block));
      const record = this.#read(buffer, logical, offset);
      if (hasName(buffer.bytes, record, name)) return { logical, offset };
    }
  }

  #findInBlock(buffer: BlockBuffer, logical: number, name: Uint8Array): number {
    const record = this.#record;
    for (let offset = 0; offset < this.#volume.blockSizeBytes; offset += record.length) {
      this.#read(buffer, logical, offset);
      if (hasName(buffer.bytes, record, name)) return offset;
    }
    return -1;
  }

  #findRoom(buffer: BlockBuffer, logical: number, needed: number): number {
    const record = this.#record;
    for (let offset = 0; offset < this.#volume.blockSizeBytes; offset += record.length) {
      this.#read(buffer, logical, offset);
      if (record.room >= needed) return offset;
    }
    return -1;
  }

  #largestRoom(buffer: BlockBuffer, logical: number): number {
    const record = this.#record;
    let largest = 0;
    for (let offset = 0; offset < this.#volume.blockSizeBytes; offset += record.length) {
      this.#read(buffer, logical, offset);
      largest = Math.max(largest, record.room);
    }
    return largest;
  }

  /** Reads a record into the one object that all of this directory's scans use, each within one turn. */
  #read(buffer: BlockBuffer, logical: number, offset: number): DirectoryRecord {
    readRecord(this.#volume, buffer.view, offset, this.#record, this.#inode.name, logical);
    return this.#record;
  }

  #position(logical: number, offset: number): number {
    return (logical * this.#volume.blockSizeBytes + offset) / 4;
  }

  #hash(name: Uint8Array): number {
    return hashName(name, 0, name.length, this.#store.seed);
  }
}

function hasName(bytes: Uint8Array, record: DirectoryRecord, name: Uint8Array): boolean {
  if (record.inode === 0 || record.nameLength !== name.length) return false;
  const start = record.offset + recordHeaderBytes;
  for (let index = 0; index < name.length; index += 1) {
    if (bytes[start + index] !== name[index]) return false;
  }
  return true;
}
