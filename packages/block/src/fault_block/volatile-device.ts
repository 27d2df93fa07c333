/**
 * A device with a cache that loses its content when the power goes: writes are answered from
 * memory, and are on the device below after a SYNC only. When the power goes, each block by itself
 * keeps what was written last or what it had on the device, and may be torn between sectors.
 *
 * Blocks lie in one arena. One batch is written to the device at a time, so that two writes of one
 * block never overtake each other. A block leaves the cache when it was written to the device and
 * has not changed meanwhile.
 */
import { blockError, type BlockInfo, writeZeroesByWriting } from '@ginit/core/block';
import { Mutex, settleAll } from '@ginit/core/async';
import { copyInto } from '@ginit/core/packet-stream';
import type { DeviceBelow } from '../lib/device-below.ts';
import type { Random } from '../lib/random.ts';
import { SECTOR_BYTES, tornBlock } from './torn.ts';

/** How many blocks of a batch are written at a time. */
const WRITES_UNDER_WAY = 16;

/** A block in the cache. */
interface Cached {
  readonly slot: number;
  /** The number of the write that it holds. */
  version: number;
}

/** What became of the blocks that were in memory. */
export interface PowerCut {
  readonly kept: number;
  readonly lost: number;
  readonly torn: number;
}

/** How blocks leave the memory besides by SYNC. */
export interface VolatileOptions {
  /** A write puts another block on the device once in so many; `undefined`: never. */
  readonly evictOneIn: number | undefined;
  readonly random: Random;
}

/** The device. */
export class VolatileDevice implements DeviceBelow {
  readonly #device: DeviceBelow;
  readonly #arena: Uint8Array;
  readonly #options: VolatileOptions;
  readonly #cached = new Map<number, Cached>();
  readonly #free: number[];
  readonly #flushing = new Mutex();
  #versions = 0;
  #off = false;

  /** `arena` holds the blocks; it has room for one at least. */
  constructor(device: DeviceBelow, arena: Uint8Array, options: VolatileOptions) {
    this.#device = device;
    this.#arena = arena;
    this.#options = options;
    const slots = Math.floor(arena.byteLength / device.info.blockSize);
    this.#free = Array.from({ length: slots }, (_, index) => slots - 1 - index);
  }

  get info(): BlockInfo {
    return this.#device.info;
  }

  /** The number of blocks that are in memory only. */
  get unsynced(): number {
    return this.#cached.size;
  }

  /** Whether the power has gone. */
  get off(): boolean {
    return this.#off;
  }

  async read(block: number, count: number, into: Uint8Array): Promise<void> {
    if (this.#off) throw blockError('Gone');
    // What leaves the cache while the device is being read is not in what the device returns.
    const before = this.#copyOf(block, count);
    await this.#device.read(block, count, into);
    const { blockSize } = this.info;
    for (const [at, bytes] of before) copyInto(into, bytes, at * blockSize);
    for (const [at, bytes] of this.#copyOf(block, count)) copyInto(into, bytes, at * blockSize);
  }

  async write(block: number, count: number, from: Uint8Array): Promise<void> {
    const { blockSize } = this.info;
    for (let at = 0; at < count; at++) {
      let cached = this.#place(block + at);
      while (!cached) {
        await this.#evictOne();
        cached = this.#place(block + at);
      }
      copyInto(this.#bytes(cached.slot), from.subarray(at * blockSize, (at + 1) * blockSize));
      cached.version = ++this.#versions;
    }
    const { evictOneIn, random } = this.#options;
    if (evictOneIn !== undefined && random.once(evictOneIn)) await this.#evictOne();
  }

  async sync(): Promise<void> {
    await this.#flush([...this.#cached.keys()]);
    await this.#device.sync();
  }

  async trim(block: number, count: number): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#off) throw blockError('Gone');
      for (let at = block; at < block + count; at++) this.#drop(at);
      await this.#device.trim(block, count);
    });
  }

  writeZeroes(block: number, count: number): Promise<void> {
    return writeZeroesByWriting(this, block, count);
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#device.onInfoChanged?.(handler) ?? (() => {});
  }

  /**
   * The power goes: a random part of what is in memory is written, and the device takes nothing any
   * more.
   */
  powerCut(torn: boolean): Promise<PowerCut> {
    this.#off = true;
    return this.#exclusively(async () => {
      const { random } = this.#options;
      const fate = { kept: 0, lost: 0, torn: 0 };
      for (const [block, { slot }] of this.#cached) {
        if (random.once(2)) {
          fate.lost++;
          continue;
        }
        const after = this.#bytes(slot).slice();
        const tears = torn && random.once(2);
        fate[tears ? 'torn' : 'kept']++;
        const sectors = random.below(after.byteLength / SECTOR_BYTES);
        await this.#device.write(
          block,
          1,
          tears ? await tornBlock(this.#device, block, after, sectors) : after,
        );
      }
      this.#cached.clear();
      await this.#device.sync();
      return fate;
    });
  }

  #copyOf(block: number, count: number): [number, Uint8Array][] {
    const found: [number, Uint8Array][] = [];
    for (let at = 0; at < count; at++) {
      const cached = this.#cached.get(block + at);
      if (cached) found.push([at, this.#bytes(cached.slot).slice()]);
    }
    return found;
  }

  /** The place of a block, made if it has none yet; `undefined` if there is no room. */
  #place(block: number): Cached | undefined {
    if (this.#off) throw blockError('Gone');
    const known = this.#cached.get(block);
    if (known) return known;
    const slot = this.#free.pop();
    if (slot === undefined) return undefined;
    const cached = { slot, version: 0 };
    this.#cached.set(block, cached);
    return cached;
  }

  async #evictOne(): Promise<void> {
    const blocks = [...this.#cached.keys()];
    const block = blocks[this.#options.random.below(blocks.length)];
    if (block !== undefined) await this.#flush([block]);
  }

  /** Writes blocks to the device as they are when their turn has come. */
  #flush(blocks: readonly number[]): Promise<void> {
    return this.#exclusively(async () => {
      if (this.#off) throw blockError('Gone');
      for (let at = 0; at < blocks.length; at += WRITES_UNDER_WAY) {
        await settleAll(blocks.slice(at, at + WRITES_UNDER_WAY).map((block) => this.#writeBack(block)));
      }
    });
  }

  async #writeBack(block: number): Promise<void> {
    const cached = this.#cached.get(block);
    if (!cached) return;
    const { version } = cached;
    await this.#device.write(block, 1, this.#bytes(cached.slot).slice());
    if (this.#cached.get(block) === cached && cached.version === version) this.#drop(block);
  }

  #drop(block: number): void {
    const cached = this.#cached.get(block);
    if (!cached) return;
    this.#cached.delete(block);
    this.#free.push(cached.slot);
  }

  #bytes(slot: number): Uint8Array {
    const { blockSize } = this.info;
    return this.#arena.subarray(slot * blockSize, (slot + 1) * blockSize);
  }

  async #exclusively<Result>(work: () => Promise<Result>): Promise<Result> {
    await this.#flushing.acquire();
    try {
      return await work();
    } finally {
      this.#flushing.release();
    }
  }
}
