import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { readAround } from '../buffer/read-around.ts';
import { FsError } from '../errors.ts';
import { ClusterRun } from '../fat/cluster-run.ts';
import { writeEmptyCluster } from '../fat/empty-cluster.ts';
import { blockOfCluster } from '../fat/layout.ts';
import type { Chain } from './chain.ts';
import { ENTRY_BYTES } from './entry-types.ts';
import type { Volume } from './volume.ts';

/** The most bytes of a directory. */
export const DIRECTORY_BYTES_MAX = 256 * 1024 * 1024;
/** So far the chain of a directory is followed, to read on. */
const AHEAD_CLUSTERS = 32;

/** What a directory asks of the node that it belongs to; the root has none of it. */
export interface DirectoryOwner {
  /** The bytes of the directory, as its own entry says; undefined for the root. */
  sizeBytes(): number | undefined;
  /** The directory has more clusters now: its entry must say so. */
  grown(): Promise<void>;
}

/** The place of an entry in a buffer. */
export interface EntryPlace {
  readonly bytes: Uint8Array;
  readonly within: number;
}

/** The slots of one directory: where they are on the device, and how they are changed. */
export class DirectorySlots {
  readonly perBlock: number;
  readonly #volume: Volume;
  readonly #chain: Chain;
  readonly #name: string;
  readonly #owner: DirectoryOwner;
  readonly #run = new ClusterRun();
  /** The block that was missing when `peek` failed; -1 for one of the FAT. */
  #missing = -1;

  /** @param name how the directory is called in messages */
  constructor(volume: Volume, chain: Chain, name: string, owner: DirectoryOwner) {
    this.#volume = volume;
    this.#chain = chain;
    this.#name = name;
    this.#owner = owner;
    this.perBlock = volume.layout.blockBytes / ENTRY_BYTES;
  }

  /** The number of slots that the directory has room for. */
  async count(): Promise<number> {
    const { clusterBytes } = this.#volume.geometry;
    const size = this.#owner.sizeBytes() ?? (await this.#chain.follow()) * clusterBytes;
    return Math.floor(size / ENTRY_BYTES);
  }

  /** Gives the directory one more cluster. */
  async grow(): Promise<void> {
    const volume = this.#volume;
    const chain = this.#chain;
    const index = volume.clustersFor((await this.count()) * ENTRY_BYTES);
    const run = new ClusterRun();
    await chain.map(index, 1, run);
    // A power failure may have left a cluster that the size does not have.
    const linked = run.count > 0;
    if (!linked) await volume.allocate(chain.last === 0 ? 0 : chain.last + 1, 1, run);
    try {
      await writeEmptyCluster(volume, run.cluster);
      if (!linked) await chain.append(run.cluster, 1);
    } catch (error) {
      if (!linked) volume.giveUp(run);
      throw error;
    }
    await this.#owner.grown();
  }

  /** The block where a slot is; -1 behind the end of the directory. */
  async blockOf(slot: number): Promise<number> {
    for (;;) {
      const block = this.#tryBlockAt(Math.floor(slot / this.perBlock));
      if (block >= -1) return block;
      await this.#volume.readFat();
    }
  }

  /** The blocks of slots. */
  async blocksOf(slot: number, end: number): Promise<number[]> {
    const blocks: number[] = [];
    const first = slot - (slot % this.perBlock);
    for (let at = first; at < end; at += this.perBlock) blocks.push(await this.blockOf(at));
    return blocks;
  }

  /** Reads the block where a slot is, and what lies behind it on the device as in the directory. */
  readOn(slot: number, block: number): Promise<BlockBuffer> {
    const { cache } = this.#volume;
    readAround(cache, block, block, block + this.#blocksSideBySide(Math.floor(slot / this.perBlock)));
    return cache.read(block);
  }

  /** The byte of the device where a slot is, divided by the size of an entry. */
  async positionOf(slot: number): Promise<number> {
    return (await this.blockOf(slot)) * this.perBlock + (slot % this.perBlock);
  }

  /** The buffers of slots, if all of them are in memory; else `bringIn` brings in what is not. */
  peek(slot: number, count: number): BlockBuffer[] | undefined {
    const buffers: BlockBuffer[] = [];
    const first = Math.floor(slot / this.perBlock);
    for (let logical = first; logical * this.perBlock < slot + count; logical += 1) {
      const block = this.#tryBlockAt(logical);
      if (block === -1) throw this.#volume.corrupt(`${this.#name}: it has no block ${logical}`);
      this.#missing = block < 0 ? -1 : block;
      const buffer = block < 0 ? undefined : this.#volume.cache.peek(block);
      if (buffer === undefined) return undefined;
      buffers.push(buffer);
    }
    return buffers;
  }

  /** Brings in what was missing for `peek` or `tryChange`. */
  async bringIn(): Promise<void> {
    if (this.#missing < 0) await this.#volume.readFat();
    else await this.#volume.cache.read(this.#missing);
  }

  /** Changes slots, all of them in one turn, if they are in memory. */
  tryChange(slot: number, count: number, change: (entry: (slot: number) => EntryPlace) => void): boolean {
    const buffers = this.peek(slot, count);
    if (buffers === undefined) return false;
    const base = Math.floor(slot / this.perBlock);
    change((at) => {
      const buffer = buffers[Math.floor(at / this.perBlock) - base];
      if (buffer === undefined || at < slot || at >= slot + count)
        throw new Error('rumpfs: broken invariant: a slot outside of those that are changed');
      return { bytes: buffer.bytes, within: (at % this.perBlock) * ENTRY_BYTES };
    });
    for (const buffer of buffers) this.#volume.cache.markDirty(buffer, buffer.block, 'name');
    return true;
  }

  /** Changes slots, all of them in one turn. */
  async change(
    slot: number,
    count: number,
    change: (entry: (slot: number) => EntryPlace) => void,
  ): Promise<void> {
    while (!this.tryChange(slot, count, change)) await this.bringIn();
  }

  /** The number of blocks from one on that lie side by side, as far as the FAT in memory tells. */
  #blocksSideBySide(logical: number): number {
    const { blocksPerCluster } = this.#volume.layout;
    const within = logical % blocksPerCluster;
    const run = new ClusterRun();
    try {
      this.#chain.tryMap((logical - within) / blocksPerCluster, AHEAD_CLUSTERS, run);
    } catch (error) {
      // A chain that goes wrong later on is told of when the walk comes there.
      if (!(error instanceof FsError)) throw error;
    }
    return Math.max(1, run.count) * blocksPerCluster - within;
  }

  /** The device's block of a block of the directory; -1 behind its end, -2 without the FAT. */
  #tryBlockAt(logical: number): number {
    const { layout } = this.#volume;
    const size = this.#owner.sizeBytes();
    if (size !== undefined && logical * layout.blockBytes >= size) return -1;
    if (logical * layout.blockBytes >= DIRECTORY_BYTES_MAX) return -1;
    const run = this.#run;
    if (!this.#chain.tryMap(Math.floor(logical / layout.blocksPerCluster), 1, run)) return -2;
    if (run.count === 0) {
      if (size === undefined) return -1;
      throw this.#volume.corrupt(`${this.#name}: ${size} bytes, but only ${this.#chain.known} clusters`);
    }
    return blockOfCluster(layout, run.cluster) + (logical % layout.blocksPerCluster);
  }
}
