/** A disk in a VDI file. */
import { type Deferred, deferred, Mutex, Rounds } from '@ginit/core/async';
import { type ByteDevice, readPadded, zeroRange } from '../byte-device.ts';
import { checkRange, checkWriteable, type DiskExtent, type DiskImage } from '../disk-image.ts';
import { RangeOrder } from '../../lib/range-order.ts';
import { ImageError, malformed } from '../image-error.ts';
import { BlockMap } from './block-map.ts';
import { examineMap } from './check.ts';
import { closeGaps } from './close-gaps.ts';
import { parseVdiHeader, VDI_NO_BLOCK, VDI_SECTOR_BYTES, vdiBlocks } from './header.ts';
import { makeRoomForMaps } from './make-room.ts';

/** An open image. */
export class VdiImage implements DiskImage {
  readonly format = 'vdi';
  readonly writeable: boolean;
  readonly map: BlockMap;
  readonly #device: ByteDevice;
  readonly #blocks = new RangeOrder();
  readonly #commits = new Mutex();
  readonly #syncs: Rounds;
  /** Indexes before the last one taken that no block has. */
  #free: number[] = [];
  /** The first index that was never taken. */
  #next: number;
  /** The first index that the file never had room for: it reads as zeros. */
  #fresh: number;
  /** Blocks that are written to a place that the map does not name yet. */
  readonly #placing = new Set<Promise<void>>();
  /** While there is one, no block gets a place. */
  #pause: Deferred<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** Opens an image. Rejects with `ImageError`. */
  static async open(device: ByteDevice, options: { readonly writeable: boolean }): Promise<VdiImage> {
    const sector = new Uint8Array(VDI_SECTOR_BYTES);
    await readPadded(device, sector, 0);
    const map = await BlockMap.read(device, sector, parseVdiHeader(sector));
    const writeable = options.writeable && device.writeable;
    if (writeable) {
      checkMap(map, device);
      if (!map.hasRoomFor(map.header.blocks)) await makeRoomForMaps(device, map, map.header.blocks);
      // A crash has left it behind the blocks, where the next block goes.
      else if (map.header.mapOffset >= map.header.dataOffset) await map.commit();
      await closeGaps(device, map).catch(unlessFull);
    }
    return new VdiImage(device, map, writeable);
  }

  private constructor(device: ByteDevice, map: BlockMap, writeable: boolean) {
    this.#device = device;
    this.map = map;
    this.writeable = writeable;
    this.#next = 0;
    this.#fresh = 0;
    this.#lookForRoom();
    this.#syncs = new Rounds(() => this.#commit());
  }

  /** Finds out which places blocks may get. */
  #lookForRoom(): void {
    const { header } = this.map;
    this.#next = this.map.end;
    this.#free = this.map.gaps();
    this.#fresh = Math.max(0, Math.ceil((this.#device.sizeBytes - header.dataOffset) / header.blockBytes));
  }

  get sizeBytes(): number {
    return this.map.header.sizeBytes;
  }

  async read(into: Uint8Array, position: number): Promise<void> {
    checkRange(this, position, into.byteLength);
    await this.#eachBlock(position, into.byteLength, async ({ block, within, from, length }) => {
      const part = into.subarray(from, from + length);
      const index = this.map.index(block);
      if (index === undefined) part.fill(0);
      else await readPadded(this.#device, part, this.map.position(index) + within);
    });
  }

  async write(from: Uint8Array, position: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, from.byteLength);
    await this.#eachBlock(position, from.byteLength, async ({ block, within, from: at, length }) => {
      const part = from.subarray(at, at + length);
      const index = this.map.index(block);
      if (index !== undefined) await this.#device.write(part, this.map.position(index) + within);
      else await this.#blocks.run(block, block + 1, true, () => this.#writeNew(block, within, part));
    });
  }

  async #writeNew(block: number, within: number, from: Uint8Array): Promise<void> {
    while (this.#pause) await this.#pause.promise;
    // Somebody may have written there meanwhile.
    const known = this.map.index(block);
    if (known !== undefined) return this.#device.write(from, this.map.position(known) + within);
    const placing = this.#place(block, within, from);
    this.#placing.add(placing);
    try {
      await placing;
    } finally {
      this.#placing.delete(placing);
    }
  }

  async #place(block: number, within: number, from: Uint8Array): Promise<void> {
    // The map may lie where the block would go.
    if (this.#failure) throw this.#failure.error;
    const index = this.#free.pop() ?? this.#next++;
    const isFresh = index >= this.#fresh;
    this.#fresh = Math.max(this.#fresh, index + 1);
    try {
      const { blockBytes } = this.map.header;
      const at = this.map.position(index);
      if (!isFresh) {
        await this.#withinFile(index, 0, blockBytes, (start, bytes) => zeroRange(this.#device, start, bytes));
      }
      await this.#device.write(from, at + within);
      // The file has all of each block.
      const behind = Math.min(VDI_SECTOR_BYTES, blockBytes - within - from.byteLength);
      if (this.#device.sizeBytes < at + blockBytes) {
        await this.#device.write(new Uint8Array(behind), at + blockBytes - behind);
      }
      this.map.allocate(block, index);
    } catch (error) {
      this.#free.push(index);
      throw error;
    }
  }

  async writeZeroes(position: number, length: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, length);
    await this.#eachBlock(position, length, async ({ block, within, length: count }) => {
      const index = this.map.index(block);
      if (index === undefined) return;
      await this.#withinFile(index, within, count, (at, bytes) => zeroRange(this.#device, at, bytes));
    });
  }

  /** Blocks keep their places, because the format has no gaps; the file gets holes. */
  async discard(position: number, length: number): Promise<void> {
    checkWriteable(this);
    checkRange(this, position, length);
    await this.#eachBlock(position, length, async ({ block, within, length: count }) => {
      const index = this.map.index(block);
      if (index === undefined) return;
      await this.#withinFile(index, within, count, (at, bytes) => this.#device.discard(at, bytes));
    });
  }

  /** Does something with the part of a block that the file has; what it has not reads as zeros. */
  async #withinFile(
    index: number,
    within: number,
    count: number,
    work: (at: number, bytes: number) => Promise<void>,
  ): Promise<void> {
    const at = this.map.position(index) + within;
    const bytes = Math.min(count, this.#device.sizeBytes - at);
    if (bytes > 0) await work(at, bytes);
  }

  async sync(): Promise<void> {
    if (this.writeable) await this.#syncs.request();
  }

  async #commit(): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    await this.#commits.acquire();
    try {
      if (!this.map.isChanged) {
        await this.#device.sync();
        return;
      }
      await this.#commitMap();
    } catch (error) {
      if (!(error instanceof ImageError && error.code === 'NoSpace')) this.#failure = { error };
      throw error;
    } finally {
      this.#commits.release();
    }
  }

  /** Commits the map of a moment at which no block is on its way to a place: it has no gap then. */
  async #commitMap(): Promise<void> {
    this.#pause = deferred();
    let committing: Promise<void>;
    try {
      await Promise.allSettled(this.#placing);
      committing = this.map.commit();
    } finally {
      this.#pause.resolve();
      this.#pause = undefined;
    }
    await committing;
  }

  async extent(position: number, lengthMax: number): Promise<DiskExtent> {
    checkRange(this, position, lengthMax);
    const { blockBytes } = this.map.header;
    const block = Math.floor(position / blockBytes);
    const has = this.map.index(block) !== undefined;
    let length = Math.min(lengthMax, blockBytes - (position % blockBytes));
    for (let next = block + 1; length < lengthMax; next++) {
      if ((this.map.index(next) !== undefined) !== has) break;
      length = Math.min(lengthMax, length + blockBytes);
    }
    return { kind: has ? 'data' : 'zero', length };
  }

  /** Makes the disk larger. Nothing else may be under way. */
  async resize(sizeBytes: number): Promise<void> {
    checkWriteable(this);
    const { header } = this.map;
    if (header.isFixed) throw new ImageError('Unsupported', 'a fixed VDI image keeps its size');
    if (sizeBytes < header.sizeBytes)
      throw new ImageError('Unsupported', 'a VDI image cannot be made smaller');
    const blocks = vdiBlocks(sizeBytes, header.blockBytes);
    await this.sync();
    if (!this.map.hasRoomFor(blocks)) {
      try {
        await makeRoomForMaps(this.#device, this.map, blocks);
      } catch (error) {
        const { mapOffset, dataOffset } = this.map.header;
        if (mapOffset >= dataOffset) this.#failure = { error };
        throw error;
      } finally {
        // Also after a failure: the file may have become longer.
        this.#lookForRoom();
      }
    }
    const entries = new Uint32Array(blocks).fill(VDI_NO_BLOCK);
    const { entries: oldEntries, header: oldHeader } = this.map;
    entries.set(oldEntries);
    this.map.replace(entries, { ...oldHeader, blocks, sizeBytes });
    try {
      await this.sync();
    } catch (error) {
      this.map.replace(oldEntries, oldHeader);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.sync();
    if (!this.writeable) return;
    // Writes that have failed leave gaps.
    await closeGaps(this.#device, this.map).catch(unlessFull);
    // A crash may have left blocks that the map does not have. A device that cannot be cut keeps
    // them, and the next writes take them.
    const end = this.map.position(this.map.end);
    if (end < this.#device.sizeBytes) await this.#device.setSize(end).catch(() => {});
  }

  async #eachBlock(
    position: number,
    total: number,
    visit: (part: BlockPart) => Promise<void>,
  ): Promise<void> {
    const { blockBytes } = this.map.header;
    for (let from = 0; from < total; ) {
      const block = Math.floor((position + from) / blockBytes);
      const within = (position + from) % blockBytes;
      const length = Math.min(total - from, blockBytes - within);
      await visit({ block, within, from, length });
      from += length;
    }
  }
}

/** The part of a request that lies within one block. */
interface BlockPart {
  readonly block: number;
  readonly within: number;
  readonly from: number;
  readonly length: number;
}

/** A lack of space leaves an image with gaps, which is as sound as one without. */
function unlessFull(error: unknown): void {
  if (!(error instanceof ImageError && error.code === 'NoSpace')) throw error;
}

/** Refuses to write to an image that a check would find fault with. */
function checkMap(map: BlockMap, device: ByteDevice): void {
  examineMap(map, device.sizeBytes, (problem) => {
    throw malformed(problem);
  });
}
