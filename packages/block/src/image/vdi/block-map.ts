/**
 * The map of a VDI image, as the next commit will write it. A commit writes the map to the place
 * that is not in use, and then the header, which names that place and counts the blocks: one
 * sector, so that the image is never between two states.
 */
import { type ByteDevice, readPadded } from '../byte-device.ts';
import { malformed } from '../image-error.ts';
import { updateVdiSector, VDI_DISCARDED, VDI_SECTOR_BYTES, type VdiHeader, vdiMapBytes } from './header.ts';

const ENTRIES_PER_SECTOR = VDI_SECTOR_BYTES / 4;
/** The most of the map that is written at a time. */
const WRITE_BYTES = 1024 * 1024;

/** The map. */
export class BlockMap {
  readonly #device: ByteDevice;
  readonly #sector: Uint8Array;
  header: VdiHeader;
  /** The index of each block in the file, or why it has none. */
  entries: Uint32Array;
  /**
   * Sectors of the map that a place does not have as they are now; a place that is missing has
   * none.
   */
  readonly #stale = new Map<number, Set<number>>();
  #changed = false;
  #end: number;

  /** Reads the map. Rejects with `ImageError` if it lies outside the file. */
  static async read(device: ByteDevice, sector: Uint8Array, header: VdiHeader): Promise<BlockMap> {
    const bytes = new Uint8Array(vdiMapBytes(header.blocks));
    if (header.mapOffset + header.blocks * 4 > device.sizeBytes) {
      throw malformed(`the map at ${header.mapOffset} goes beyond the ${device.sizeBytes} bytes of the file`);
    }
    await readPadded(device, bytes, header.mapOffset);
    const view = new DataView(bytes.buffer);
    const entries = Uint32Array.from({ length: header.blocks }, (_, index) =>
      view.getUint32(index * 4, true),
    );
    return new BlockMap(device, sector, header, entries);
  }

  private constructor(device: ByteDevice, sector: Uint8Array, header: VdiHeader, entries: Uint32Array) {
    this.#device = device;
    this.#sector = sector;
    this.header = header;
    this.entries = entries;
    this.#end = endOf(entries);
    this.#stale.set(header.mapOffset, new Set());
  }

  /** The index of a block in the file; `undefined` if it has none. */
  index(block: number): number | undefined {
    const entry = this.entries[block] ?? VDI_DISCARDED;
    return entry >= VDI_DISCARDED ? undefined : entry;
  }

  /** The first index that no block has, nor any behind it. */
  get end(): number {
    return this.#end;
  }

  /** Indexes before the end that no block has, the first one last. */
  gaps(): number[] {
    const used = new Uint8Array(this.#end);
    for (const entry of this.entries) if (entry < this.#end) used[entry] = 1;
    const gaps: number[] = [];
    for (let index = this.#end - 1; index >= 0; index--) if (used[index] === 0) gaps.push(index);
    return gaps;
  }

  /** Where the block with an index is in the file. */
  position(index: number): number {
    return this.header.dataOffset + index * this.header.blockBytes;
  }

  /** Gives a block that has none an index. */
  allocate(block: number, index: number): void {
    this.entries[block] = index;
    this.#end = Math.max(this.#end, index + 1);
    this.#changed = true;
    for (const stale of this.#stale.values()) stale.add(Math.floor(block / ENTRIES_PER_SECTOR));
  }

  /** Takes another map in the place of this one. */
  replace(entries: Uint32Array, header: VdiHeader): void {
    this.entries = entries;
    this.header = header;
    this.#end = endOf(entries);
    this.#stale.clear();
    this.#changed = true;
  }

  /** Whether there is something to commit. */
  get isChanged(): boolean {
    return this.#changed;
  }

  /** Whether the file has room for a map of so many blocks beside the one in use. */
  hasRoomFor(blocks: number): boolean {
    return this.#freePlace(vdiMapBytes(blocks)) !== undefined;
  }

  /** A place before the blocks that does not touch the map in use. */
  #freePlace(bytes: number): number | undefined {
    const { mapOffset, dataOffset, blocks } = this.header;
    const inUseEnd = mapOffset + Math.max(bytes, vdiMapBytes(blocks));
    for (let at = VDI_SECTOR_BYTES; at + bytes <= dataOffset; at += bytes) {
      if (at + bytes <= mapOffset || at >= inUseEnd) return at;
    }
    return undefined;
  }

  /**
   * Takes the map to stable storage, and everything that was written before. The map is that of the
   * moment of the call.
   */
  async commit(place = this.#freePlace(vdiMapBytes(this.header.blocks))): Promise<void> {
    if (place === undefined) throw malformed('there is no room for a second map');
    const stale = this.#stale.get(place);
    const sectors = stale ? [...stale].toSorted((one, other) => one - other) : allSectors(this.header.blocks);
    // Programs take this number for the next free index, so it is the end, even if there are gaps.
    const header = { ...this.header, mapOffset: place, allocated: this.#end };
    const pieces = this.#pieces(sectors);
    this.#changed = false;
    const written = new Set<number>();
    this.#stale.set(place, written);
    try {
      for (const { at, bytes } of pieces) await this.#device.write(bytes, place + at);
      await this.#device.sync();
      await this.#device.write(updateVdiSector(this.#sector, header), 0);
      await this.#device.sync();
    } catch (error) {
      this.#changed = true;
      this.#stale.delete(place);
      throw error;
    }
    // What has changed meanwhile is in memory only.
    this.header = { ...this.header, mapOffset: place, allocated: header.allocated };
  }

  /** Sectors of the map as they are now, those that follow each other in one piece. */
  #pieces(sectors: readonly number[]): { readonly at: number; readonly bytes: Uint8Array }[] {
    const pieces: { at: number; bytes: Uint8Array }[] = [];
    for (let next = 0; next < sectors.length; ) {
      const first = sectors[next] ?? 0;
      let count = 1;
      while (sectors[next + count] === first + count && count * VDI_SECTOR_BYTES < WRITE_BYTES) count++;
      const bytes = new Uint8Array(count * VDI_SECTOR_BYTES);
      const view = new DataView(bytes.buffer);
      const from = first * ENTRIES_PER_SECTOR;
      for (const [index, entry] of this.entries.subarray(from, from + count * ENTRIES_PER_SECTOR).entries())
        view.setUint32(index * 4, entry, true);
      pieces.push({ at: first * VDI_SECTOR_BYTES, bytes });
      next += count;
    }
    return pieces;
  }
}

function endOf(entries: Uint32Array): number {
  let end = 0;
  for (const entry of entries) if (entry < VDI_DISCARDED && entry >= end) end = entry + 1;
  return end;
}

function allSectors(blocks: number): number[] {
  return Array.from({ length: vdiMapBytes(blocks) / VDI_SECTOR_BYTES }, (_, sector) => sector);
}
