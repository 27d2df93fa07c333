import type { BlockBuffer } from '../buffer/block-buffer.ts';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { readAround } from '../buffer/read-around.ts';
import { FAT_BAD, FAT_END, FAT_FREE, FAT_INVALID, FAT_MISSING } from '../fat/fat-entry.ts';
import { FIRST_CLUSTER, type Layout } from '../fat/layout.ts';
import type { Geometry } from './boot-sector.ts';

/** Entry 1 has two flags in its upper bits. */
const CLEAN_BIT = { 12: 0, 16: 0x8000, 32: 0x0800_0000 } as const;

/**
 * The file allocation table: for each cluster the next one of its chain. FAT12 has 12 bits for an
 * entry, FAT32 28 bits and four that are left as they are.
 *
 * Questions are answered at once where their part of the table is in memory. Changes are
 * made in the copy that is read; `mirror` takes them over to the others.
 */
export class FatTable {
  /** The block that was missing when an answer was `FAT_MISSING`. */
  missing = 0;
  readonly #geometry: Geometry;
  readonly #layout: Layout;
  readonly #cache: BufferCache;
  readonly #start: number;
  readonly #end: number;
  readonly #mask: number;
  readonly #changed = new Set<number>();

  constructor(geometry: Geometry, layout: Layout, cache: BufferCache) {
    this.#geometry = geometry;
    this.#layout = layout;
    this.#cache = cache;
    this.#start = geometry.fatStart + geometry.activeFat * geometry.fatBytes - layout.baseBytes;
    this.#end = geometry.clusterCount + FIRST_CLUSTER;
    this.#mask = geometry.bits === 12 ? 0xfff : geometry.bits === 16 ? 0xffff : 0x0fff_ffff;
  }

  /** One more than the number of the last cluster. */
  get end(): number {
    return this.#end;
  }

  /** The meaning of a cluster's entry, if that is in memory. */
  get(cluster: number): number {
    const raw = this.#raw(cluster);
    if (raw === FAT_MISSING || raw === FAT_FREE) return raw;
    if (raw >= FIRST_CLUSTER && raw < this.#end) return raw;
    // From all bits but the lowest three set on it is the end.
    if (raw >= this.#mask - 7) return FAT_END;
    return raw === this.#mask - 8 ? FAT_BAD : FAT_INVALID;
  }

  /** Reads the part that was missing, with what is around it. Rejects with `InputOutput`. */
  async readMissing(): Promise<void> {
    const { blockBytes } = this.#layout;
    const first = Math.floor(this.#start / blockBytes);
    const end = Math.ceil((this.#start + this.#geometry.fatBytes) / blockBytes);
    readAround(this.#cache, this.missing, first, end);
    await this.#cache.read(this.missing);
  }

  /** The meaning of a cluster's entry. Rejects with `InputOutput`. */
  async read(cluster: number): Promise<number> {
    for (let said = this.get(cluster); ; said = this.get(cluster)) {
      if (said !== FAT_MISSING) return said;
      await this.readMissing();
    }
  }

  /**
   * Changes an entry to the next cluster, `FAT_FREE` or `FAT_END`. False if it is not in memory.
   */
  trySet(cluster: number, next: number): boolean {
    return this.#setRaw(cluster, next === FAT_END ? this.#mask : next);
  }

  /** `trySet`, with the table read as needed. Rejects with `InputOutput`. */
  async set(cluster: number, next: number): Promise<void> {
    while (!this.trySet(cluster, next)) await this.readMissing();
  }

  /**
   * The first free cluster from `from` on, as far as one block of the table tells; `searchedTo`
   * says how far that is if the answer is 0.
   */
  findFree(from: number): { readonly cluster: number; readonly searchedTo: number } {
    const { bits } = this.#geometry;
    if (bits === 12) {
      const said = this.get(from);
      return {
        cluster: said === FAT_FREE ? from : said === FAT_MISSING ? FAT_MISSING : 0,
        searchedTo: from + 1,
      };
    }
    const entryBytes = bits / 8;
    const byte = this.#start + from * entryBytes;
    const buffer = this.#at(byte);
    if (buffer === undefined) return { cluster: FAT_MISSING, searchedTo: from };
    const { blockBytes } = this.#layout;
    const first = byte % blockBytes;
    const stop = Math.min(blockBytes, first + (this.#end - from) * entryBytes);
    const { view } = buffer;
    for (let offset = first; offset < stop; offset += entryBytes) {
      const raw = bits === 16 ? view.getUint16(offset, true) : view.getUint32(offset, true) & 0x0fff_ffff;
      if (raw === 0) return { cluster: from + (offset - first) / entryBytes, searchedTo: 0 };
    }
    return { cluster: 0, searchedTo: from + (stop - first) / entryBytes };
  }

  /** Whether the table says that the volume was left clean. FAT12 does not say that. */
  async isClean(): Promise<boolean> {
    const bit = CLEAN_BIT[this.#geometry.bits];
    if (bit === 0) return true;
    return ((await this.#readRaw(1)) & bit) !== 0;
  }

  /** Says in the table that the volume is clean, or that it is in use. */
  async setClean(clean: boolean): Promise<void> {
    const bit = CLEAN_BIT[this.#geometry.bits];
    if (bit === 0) return;
    for (;;) {
      const raw = await this.#readRaw(1);
      if (this.#setRaw(1, clean ? raw | bit : raw & ~bit)) return;
    }
  }

  /** Takes changes over to the other copies. They are in the cache then, as structures. */
  async mirror(): Promise<void> {
    const { fatCount, fatBytes, mirrored } = this.#geometry;
    const { blockBytes } = this.#layout;
    const changed = [...this.#changed].toSorted((one, other) => one - other);
    this.#changed.clear();
    if (!mirrored || fatCount === 1) return;
    try {
      for (const block of changed) {
        const from = Math.max(block * blockBytes, this.#start);
        const end = Math.min((block + 1) * blockBytes, this.#start + fatBytes);
        const buffer = this.#cache.peek(block) ?? (await this.#cache.read(block));
        const bytes = buffer.bytes.slice(from - block * blockBytes, end - block * blockBytes);
        for (let copy = 1; copy < fatCount; copy += 1) await this.#write(from + copy * fatBytes, bytes);
      }
    } catch (error) {
      for (const block of changed) this.#changed.add(block);
      throw error;
    }
  }

  async #write(at: number, bytes: Uint8Array): Promise<void> {
    const { blockBytes } = this.#layout;
    for (let done = 0; done < bytes.length; ) {
      const block = Math.floor((at + done) / blockBytes);
      const within = (at + done) % blockBytes;
      const length = Math.min(blockBytes - within, bytes.length - done);
      const buffer =
        length === blockBytes
          ? (this.#cache.tryFresh(block) ?? (await this.#cache.fresh(block)))
          : (this.#cache.peek(block) ?? (await this.#cache.read(block)));
      buffer.bytes.set(bytes.subarray(done, done + length), within);
      this.#cache.markDirty(buffer, block, 'structure');
      done += length;
    }
  }

  async #readRaw(cluster: number): Promise<number> {
    for (let raw = this.#raw(cluster); ; raw = this.#raw(cluster)) {
      if (raw !== FAT_MISSING) return raw;
      await this.readMissing();
    }
  }

  /** The bits of an entry. */
  #raw(cluster: number): number {
    const { bits } = this.#geometry;
    if (bits === 12) return this.#rawOf12(cluster);
    const byte = this.#start + cluster * (bits / 8);
    const buffer = this.#at(byte);
    if (buffer === undefined) return FAT_MISSING;
    const offset = byte % this.#layout.blockBytes;
    return bits === 16
      ? buffer.view.getUint16(offset, true)
      : buffer.view.getUint32(offset, true) & this.#mask;
  }

  #rawOf12(cluster: number): number {
    const byte = this.#start + cluster + (cluster >>> 1);
    const low = this.#at(byte);
    const high = this.#at(byte + 1);
    if (low === undefined || high === undefined) return FAT_MISSING;
    const { blockBytes } = this.#layout;
    const both = low.view.getUint8(byte % blockBytes) | (high.view.getUint8((byte + 1) % blockBytes) << 8);
    return cluster % 2 === 0 ? both & 0xfff : both >>> 4;
  }

  #setRaw(cluster: number, value: number): boolean {
    const { bits } = this.#geometry;
    if (bits === 12) return this.#setRawOf12(cluster, value);
    const byte = this.#start + cluster * (bits / 8);
    const buffer = this.#at(byte);
    if (buffer === undefined) return false;
    const offset = byte % this.#layout.blockBytes;
    if (bits === 16) {
      buffer.view.setUint16(offset, value, true);
    } else {
      const kept = buffer.view.getUint32(offset, true) & ~this.#mask;
      buffer.view.setUint32(offset, (kept | value) >>> 0, true);
    }
    this.#mark(buffer, byte);
    return true;
  }

  #setRawOf12(cluster: number, value: number): boolean {
    const byte = this.#start + cluster + (cluster >>> 1);
    const low = this.#at(byte);
    const high = this.#at(byte + 1);
    if (low === undefined || high === undefined) return false;
    const { blockBytes } = this.#layout;
    const lowOffset = byte % blockBytes;
    const highOffset = (byte + 1) % blockBytes;
    if (cluster % 2 === 0) {
      low.view.setUint8(lowOffset, value & 0xff);
      high.view.setUint8(highOffset, (high.view.getUint8(highOffset) & 0xf0) | (value >>> 8));
    } else {
      low.view.setUint8(lowOffset, (low.view.getUint8(lowOffset) & 0x0f) | ((value & 0x0f) << 4));
      high.view.setUint8(highOffset, value >>> 4);
    }
    this.#mark(low, byte);
    this.#mark(high, byte + 1);
    return true;
  }

  #mark(buffer: BlockBuffer, byte: number): void {
    const block = Math.floor(byte / this.#layout.blockBytes);
    this.#cache.markDirty(buffer, block, 'structure');
    this.#changed.add(block);
  }

  #at(byte: number): BlockBuffer | undefined {
    const block = Math.floor(byte / this.#layout.blockBytes);
    const buffer = this.#cache.peek(block);
    if (buffer === undefined) this.missing = block;
    return buffer;
  }
}
