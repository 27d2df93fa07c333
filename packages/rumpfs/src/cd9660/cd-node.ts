import { settleAll } from '@ginit/core/async';
import { bytesOfText } from '@ginit/core/file_system';
import { readRange } from '../buffer/range-io.ts';
import { ReadAhead } from '../buffer/read-ahead.ts';
import { FsError } from '../errors.ts';
import type { Attributes, DirectoryEntry, DirectoryListing, NodeType } from '../vnode/attributes.ts';
import type { FileSystemNode } from '../vnode/file-system.ts';
import type { EntryName } from '../vnode/names.ts';
import { DirectoryNames } from './directory-names.ts';
import { type Disc, SECTOR_BYTES } from './disc.ts';
import { dotRecords, type CdEntry, entryAt, type Extent, nextEntry, requireDirectory } from './entries.ts';
import type { CdRecord } from './record.ts';
import type { SystemUse } from './system-use.ts';
import { ZisofsFile } from './zisofs.ts';

const PERMISSIONS = { directory: 0o555, other: 0o444 } as const;

/** The parts of a node that are read when it is loaded. */
interface Loaded {
  readonly id: number;
  readonly type: NodeType;
  readonly record: CdRecord;
  readonly use: SystemUse;
  readonly extents: readonly Extent[];
}

/** A file or directory of a disc as the vnode layer sees it. Nothing of it ever changes. */
export class CdNode implements FileSystemNode {
  readonly id: number;
  readonly type: NodeType;
  readonly #disc: Disc;
  readonly #loaded: Loaded;
  readonly #readAhead = new ReadAhead();
  readonly #packed: ZisofsFile | undefined;
  #names: DirectoryNames | undefined;
  #building: Promise<void> | undefined;
  #tooLarge = false;

  private constructor(disc: Disc, loaded: Loaded, packed: ZisofsFile | undefined) {
    this.id = loaded.id;
    this.type = loaded.type;
    this.#disc = disc;
    this.#loaded = loaded;
    this.#packed = packed;
  }

  /** The directory that begins at a byte of the device. */
  static async directory(disc: Disc, start: number): Promise<CdNode> {
    const { self } = await dotRecords(disc, start);
    const place = { start, sizeBytes: self.record.sizeBytes };
    requireDirectory(disc, place);
    return new CdNode(disc, { id: start, type: 'directory', ...self, extents: [place] }, undefined);
  }

  /** The file whose record is at a byte of the device. */
  static async file(disc: Disc, position: number): Promise<CdNode> {
    const entry = await entryAt(disc, position);
    const { type, record, use, extents } = entry;
    const owner = `record at byte ${position}`;
    for (const [index, { start, sizeBytes }] of extents.entries()) {
      if (type === 'file' && sizeBytes > 0) disc.requireBytes(start, sizeBytes, owner);
      if (index < extents.length - 1 && sizeBytes % SECTOR_BYTES !== 0)
        throw disc.corrupt(`${owner}: extent ${index} of ${sizeBytes} bytes`);
    }
    const loaded = { id: position + 1, type, record, use, extents };
    const plain = new CdNode(disc, loaded, undefined);
    if (use.unpackedBytes === undefined || type !== 'file') return plain;
    const read = async (offset: number, into: Uint8Array): Promise<void> => {
      if (offset + into.length > plain.#storedBytes)
        throw disc.corrupt(`${owner}: zisofs leads behind its end`);
      await plain.#readStored(offset, into);
    };
    return new CdNode(disc, loaded, await ZisofsFile.open(disc, owner, plain.#storedBytes, read));
  }

  get links(): number {
    return Math.max(1, this.#loaded.use.links);
  }

  attributes(): Attributes {
    const { record, use } = this.#loaded;
    const modifiedMs = use.modifiedMs ?? record.modifiedMs;
    return {
      id: this.id,
      type: this.type,
      sizeBytes: this.#sizeBytes,
      links: this.links,
      permissions: use.permissions ?? (this.type === 'directory' ? PERMISSIONS.directory : PERMISSIONS.other),
      uid: use.uid,
      gid: use.gid,
      accessedMs: use.accessedMs ?? modifiedMs,
      modifiedMs,
      changedMs: use.changedMs ?? modifiedMs,
      allocatedBytes: Math.ceil(this.#storedBytes / SECTOR_BYTES) * SECTOR_BYTES,
    };
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    const length = Math.max(0, Math.min(into.length, this.#sizeBytes - offset));
    const target = into.subarray(0, length);
    if (this.#packed !== undefined) await this.#packed.read(offset, target);
    else await this.#readStored(offset, target);
    this.#readAhead.advance(this.#disc.cache, this.#storedBytes, offset, length, this.#prefetch);
    return length;
  }

  readLink(): Promise<string> {
    const { target } = this.#loaded.use;
    return target === undefined
      ? Promise.reject(this.#disc.corrupt(`node ${this.id}: a link without a target`))
      : Promise.resolve(target);
  }

  async lookup(name: EntryName): Promise<number | undefined> {
    const names = await this.#usableNames();
    if (names !== undefined) {
      const at = names.find(name.text);
      if (at !== undefined) return (await nextEntry(this.#disc, this.#place, at))?.id;
      if (names.usable) return undefined;
    }
    for (let entry = await this.#next(0); entry !== undefined; entry = await this.#next(entry.next)) {
      if (entry.name === name.text) return entry.id;
    }
    return undefined;
  }

  async list(cursor: number, entriesMax: number): Promise<DirectoryListing> {
    const entries: DirectoryEntry[] = [];
    let nextCursor: number | undefined;
    for (let entry = await this.#next(cursor); entry !== undefined; entry = await this.#next(entry.next)) {
      if (!isShowable(entry.name)) continue;
      entries.push({ name: entry.name, id: entry.id, type: entry.type });
      if (entries.length < entriesMax) continue;
      nextCursor = entry.next;
      break;
    }
    return { entries, nextCursor };
  }

  async parent(): Promise<number> {
    const { above } = await dotRecords(this.#disc, this.id);
    if (above === undefined) throw this.#disc.corrupt(`directory at byte ${this.id}: has none above it`);
    const { parentBlock } = above.use;
    return parentBlock === undefined ? above.record.start : parentBlock * this.#disc.blockBytes;
  }

  deactivate(): void {
    // Nothing serves an open file only.
  }

  reclaim(): void {
    if (this.#names?.usable === true) this.#names.drop();
    this.#names = undefined;
  }

  setAttributes(): Promise<void> {
    return readOnly();
  }

  write(): Promise<number> {
    return readOnly();
  }

  truncate(): Promise<void> {
    return readOnly();
  }

  createFile(): Promise<FileSystemNode> {
    return readOnly();
  }

  createDirectory(): Promise<FileSystemNode> {
    return readOnly();
  }

  createSymlink(): Promise<FileSystemNode> {
    return readOnly();
  }

  link(): Promise<void> {
    return readOnly();
  }

  unlink(): Promise<void> {
    return readOnly();
  }

  removeDirectory(): Promise<void> {
    return readOnly();
  }

  rename(): Promise<void> {
    return readOnly();
  }

  destroy(): Promise<void> {
    return readOnly();
  }

  get #place(): Extent {
    return this.#loaded.extents[0] ?? { start: 0, sizeBytes: 0 };
  }

  /** The size as it is read. */
  get #sizeBytes(): number {
    if (this.type === 'symlink') return bytesOfText(this.#loaded.use.target ?? '')?.length ?? 0;
    return this.#packed?.sizeBytes ?? this.#storedBytes;
  }

  /** The size on the disc. */
  get #storedBytes(): number {
    if (this.type !== 'file' && this.type !== 'directory') return 0;
    let sum = 0;
    for (const { sizeBytes } of this.#loaded.extents) sum += sizeBytes;
    return sum;
  }

  #next(from: number): Promise<CdEntry | undefined> {
    return nextEntry(this.#disc, this.#place, from);
  }

  async #readStored(offset: number, into: Uint8Array): Promise<void> {
    const requests: Promise<void>[] = [];
    let first = 0;
    for (const { start, sizeBytes } of this.#loaded.extents) {
      const from = Math.max(offset, first);
      const end = Math.min(offset + into.length, first + sizeBytes);
      if (end > from) {
        const byte = start + from - first;
        const target = into.subarray(from - offset, end - offset);
        const request = readRange(
          this.#disc.cache,
          Math.floor(byte / SECTOR_BYTES),
          byte % SECTOR_BYTES,
          target,
        );
        if (request !== undefined) requests.push(request);
      }
      first += sizeBytes;
    }
    if (requests.length > 0) await settleAll(requests);
  }

  readonly #prefetch = (from: number, end: number): number => {
    const { start } = this.#place;
    if (this.#loaded.extents.length === 1 && start % SECTOR_BYTES === 0 && end > from) {
      this.#disc.cache.prefetch(start / SECTOR_BYTES + from, end - from);
    }
    return end;
  };

  async #usableNames(): Promise<DirectoryNames | undefined> {
    if (this.#names?.usable === true || this.#tooLarge) return this.#names;
    this.#building ??= this.#build().finally(() => {
      this.#building = undefined;
    });
    await this.#building;
    return this.#names;
  }

  async #build(): Promise<void> {
    const names = new DirectoryNames(this.#disc.indexes);
    this.#names = undefined;
    let from = 0;
    try {
      for (let entry = await this.#next(0); entry !== undefined; entry = await this.#next(entry.next)) {
        if (!names.add(entry.name, from)) {
          this.#tooLarge = true;
          return;
        }
        from = entry.next;
      }
    } catch (error) {
      names.drop();
      throw error;
    }
    names.complete();
    this.#names = names;
  }
}

function isShowable(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !name.includes('/') && !name.includes('\0');
}

function readOnly(): Promise<never> {
  return Promise.reject(new FsError('ReadOnly', 'a disc cannot be changed'));
}
