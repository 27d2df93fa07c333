import { textOfBytes } from '@ginit/core/file_system';
import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { FsError } from '../errors.ts';
import { LazyIndex } from '../index/lazy-index.ts';
import { RecordIndex } from '../index/record-index.ts';
import type { NodeType } from '../vnode/attributes.ts';
import type { InodeDirectory, RawEntry } from '../volume/open-inode.ts';
import { mapRun, Run, tryMap } from './block-map.ts';
import { DirectoryPieces, hasName, isEntry } from './directory-pieces.ts';
import {
  bytesFor,
  PIECE_BYTES,
  RECORD_HEADER_BYTES,
  setRecordLength,
  setRecordTarget,
  writeRecord,
} from './directory-record.ts';
import { growDirectory } from './grow-directory.ts';
import type { Inode } from './inode.ts';
import { storeInode } from './inode-table.ts';
import type { Parts } from './parts.ts';
import type { Volume } from './volume.ts';

const DOT = new Uint8Array([0x2e]);
const DOT_DOT = new Uint8Array([0x2e, 0x2e]);
const DIRECTORY_BYTES_MAX = 0x7fff_0000;

/**
 * The entries of one directory. A place is the byte of the directory at which a record begins. A
 * directory of one fragment is searched as it is; a larger one by an index that is made when it is
 * first used. Without memory for the index everything works, fragment by fragment.
 *
 * The vnode layer holds the directory's lock: shared to look, exclusive to change.
 */
export class Directory implements InodeDirectory<number> {
  readonly #parts: Parts;
  readonly #volume: Volume;
  readonly #inode: Inode;
  readonly #pieces: DirectoryPieces;
  readonly #run = new Run();
  readonly #size: number;
  readonly #index: LazyIndex<RecordIndex>;
  /** The fragment where the last entry found room, by the byte at which it begins. */
  #roomHint = 0;

  constructor(parts: Parts, inode: Inode) {
    this.#parts = parts;
    this.#volume = parts.volume;
    this.#inode = inode;
    this.#pieces = new DirectoryPieces(parts.volume, inode);
    this.#size = parts.volume.superblock.fragmentSizeBytes;
    this.#index = new LazyIndex(
      () => new RecordIndex(parts.indexes, this.#size),
      (index) => this.#fill(index),
    );
  }

  /** The place of a name; undefined where there is no such entry. */
  async find(name: Uint8Array): Promise<number | undefined> {
    const index = await this.#usableIndex();
    if (index !== undefined) {
      const place = await this.#findIndexed(index, name);
      // Another directory may have taken the index's memory during an await: then the index has not
      // reported every place.
      if (place !== undefined || index.usable) return place;
    }
    for (let start = 0; start < this.#inode.sizeBytes; start += this.#size) {
      const fragment = await this.blockOf(start);
      const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
      const offset = this.#pieces.find(buffer, start, name);
      if (offset >= 0) return start + offset;
    }
    return undefined;
  }

  /** The device's fragment, which is the block of the cache, that contains a place. */
  async blockOf(place: number): Promise<number> {
    const { blockSizeBytes } = this.#volume.superblock;
    const logical = Math.floor(place / blockSizeBytes);
    let run = this.#run;
    if (tryMap(this.#volume, this.#inode, logical, 1, run) !== 0) {
      run = new Run();
      await mapRun(this.#volume, this.#inode, logical, 1, run);
    }
    if (run.fragment === 0)
      throw this.#volume.corrupt(`${this.#inode.name}: directory block ${logical} is missing`);
    return run.fragment + Math.floor((place % blockSizeBytes) / this.#size);
  }

  /** The inode number at a place that `find` gave. */
  async targetAt(place: number): Promise<number> {
    const fragment = await this.blockOf(place);
    const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
    return this.#pieces.read(buffer, this.#startOf(place), place % this.#size).inode;
  }

  /**
   * Entries from byte `cursor` of the directory on, at most those of one fragment; go on at
   * `nextCursor`.
   */
  async list(
    cursor: number,
    entriesMax: number,
  ): Promise<{ readonly entries: RawEntry[]; readonly nextCursor: number | undefined }> {
    if (cursor >= this.#inode.sizeBytes) return { entries: [], nextCursor: undefined };
    const fragment = await this.blockOf(cursor);
    const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
    const start = this.#startOf(cursor);
    const end = start + this.#size;
    let nextCursor: number | undefined = end < this.#inode.sizeBytes ? end : undefined;
    const entries: RawEntry[] = [];
    this.#pieces.walk(buffer, start, (record) => {
      if (!isEntry(record) || start + record.offset < cursor) return false;
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
    return this.targetAt(await this.#dotDot());
  }

  async setParent(id: number): Promise<void> {
    await this.setTarget(await this.#dotDot(), id, 'directory');
  }

  /** Points the entry at a place that `find` gave to another node. */
  async setTarget(place: number, id: number, type: NodeType): Promise<void> {
    const fragment = await this.blockOf(place);
    const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
    const start = this.#startOf(place);
    const offset = place - start;
    this.#pieces.read(buffer, start, offset);
    setRecordTarget(this.#volume.superblock, buffer.view, offset, id, type);
    this.#volume.cache.markDirty(buffer, fragment, 'name');
  }

  /**
   * Makes the first piece of a new directory, which never is on the device without `.` and `..`.
   */
  async initialise(parentId: number): Promise<void> {
    const { superblock } = this.#volume;
    const used = bytesFor(DOT.length);
    const rest = PIECE_BYTES - used;
    const type = 'directory';
    await growDirectory(this.#parts, this.#inode, PIECE_BYTES, (contents) => {
      writeRecord(superblock, contents, 0, used, { inode: this.#inode.id, name: DOT, type });
      writeRecord(superblock, contents, used, rest, { inode: parentId, name: DOT_DOT, type });
    });
  }

  moveOut(): undefined {
    // It stands where it can be changed.
  }

  /** A place with room for an entry of that name, for `insert`; the directory grows if it must. */
  async makeRoom(name: Uint8Array): Promise<number> {
    const needed = bytesFor(name.length);
    const index = await this.#usableIndex();
    const count = Math.ceil(this.#inode.sizeBytes / this.#size);
    for (let step = 0; step < count; step += 1) {
      const start = ((this.#roomHint / this.#size + step) % count) * this.#size;
      if (index !== undefined && index.roomAt(start) < needed) continue;
      const fragment = await this.blockOf(start);
      const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
      const offset = this.#pieces.findRoom(buffer, start, needed);
      if (offset < 0) continue;
      this.#roomHint = start;
      return start + offset;
    }
    return this.#append();
  }

  /** Enters a name at a place that `makeRoom` gave, with no other change in between. */
  async insert(place: number, name: Uint8Array, id: number, type: NodeType): Promise<void> {
    const fragment = await this.blockOf(place);
    const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
    const start = this.#startOf(place);
    const offset = place - start;
    const { used, room } = this.#pieces.read(buffer, start, offset);
    if (room < bytesFor(name.length))
      throw this.#volume.corrupt(`${this.#inode.name}: directory byte ${place} changed while in use`);
    const { superblock } = this.#volume;
    if (used > 0) setRecordLength(superblock, buffer.view, offset, used);
    writeRecord(superblock, buffer.bytes, offset + used, room, { inode: id, name, type });
    this.#volume.cache.markDirty(buffer, fragment, 'name');
    this.#noteRoom(buffer, start);
    this.#index.made?.add(name, place + used);
  }

  /** Takes out the entry at a place that `find` gave. */
  async remove(place: number, name: Uint8Array): Promise<void> {
    const fragment = await this.blockOf(place);
    const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
    const start = this.#startOf(place);
    const offset = place - start;
    const { superblock } = this.#volume;
    let before = -1;
    const piece = offset - (offset % PIECE_BYTES);
    this.#pieces.walk(
      buffer,
      start,
      (record) => {
        if (record.offset < offset) before = record.offset;
        return record.offset >= offset;
      },
      piece,
    );
    const end = offset + this.#pieces.read(buffer, start, offset).length;
    buffer.view.setUint32(offset, 0, superblock.littleEndian);
    if (before >= 0) setRecordLength(superblock, buffer.view, before, end - before);
    this.#volume.cache.markDirty(buffer, fragment, 'name');
    this.#noteRoom(buffer, start);
    this.#index.made?.remove(name, place);
  }

  dropIndex(): void {
    this.#index.drop();
  }

  #startOf(place: number): number {
    return place - (place % this.#size);
  }

  async #dotDot(): Promise<number> {
    const fragment = await this.blockOf(0);
    const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
    const offset = this.#pieces.find(buffer, 0, DOT_DOT);
    if (offset < 0) throw this.#volume.corrupt(`${this.#inode.name}: directory without ".."`);
    return offset;
  }

  /** Adds a piece without names, also on the device. Returns its place. */
  async #append(): Promise<number> {
    const inode = this.#inode;
    const place = inode.sizeBytes;
    if (place + PIECE_BYTES > DIRECTORY_BYTES_MAX)
      throw new FsError('FileTooLarge', `${inode.name}: the directory is full`);
    const fragment = await growDirectory(this.#parts, inode, place + PIECE_BYTES);
    await storeInode(this.#volume, inode);
    const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
    this.#noteRoom(buffer, this.#startOf(place));
    this.#roomHint = this.#startOf(place);
    return place;
  }

  /** The index of a directory that is large enough for one, if there is memory for it. */
  #usableIndex(): Promise<RecordIndex | undefined> | undefined {
    return this.#inode.sizeBytes > this.#size ? this.#index.use() : undefined;
  }

  /** Adds all of the directory to its index. */
  async #fill(index: RecordIndex): Promise<boolean> {
    for (let start = 0; start < this.#inode.sizeBytes; start += this.#size) {
      const fragment = await this.blockOf(start);
      const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
      const stopped = this.#pieces.walk(buffer, start, (record) => {
        if (!isEntry(record)) return false;
        const from = record.offset + RECORD_HEADER_BYTES;
        return !index.addFrom(buffer, from, from + record.nameLength, start + record.offset);
      });
      if (stopped >= 0) return false;
      index.setRoom(start, this.#pieces.largestRoom(buffer, start));
    }
    return true;
  }

  #noteRoom(buffer: BlockBuffer, start: number): void {
    this.#index.made?.setRoom(start, this.#pieces.largestRoom(buffer, start));
  }

  async #findIndexed(index: RecordIndex, name: Uint8Array): Promise<number | undefined> {
    const cursor = { probes: 0 };
    for (;;) {
      const place = index.candidate(name, cursor);
      if (place < 0) return undefined;
      const fragment = await this.blockOf(place);
      const buffer = this.#volume.cache.peek(fragment) ?? (await this.#volume.cache.read(fragment));
      const record = this.#pieces.read(buffer, this.#startOf(place), place % this.#size);
      if (hasName(buffer.bytes, record, name)) return place;
    }
  }
}
