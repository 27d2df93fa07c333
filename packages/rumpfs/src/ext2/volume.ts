import { Mutex } from '@ginit/core/async';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { WAITERS } from '../hypercall/waiters.ts';
import { type Departure, Departures } from './departures.ts';
import { READ_ONLY_FEATURE } from './features.ts';
import { Groups } from './groups.ts';
import { PendingFrees } from './pending-frees.ts';
import { STATE_FLAG, type Superblock, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './superblock.ts';

const CORRUPTION_LINES_MAX = 16;
/** The largest file that does not need the large_file feature. */
const SMALL_FILE_BYTES_MAX = 0x7fff_ffff;
/**
 * The budget has room for one departed node for this many bytes. When more wait for their end,
 * callers that add to them wait.
 */
const BYTES_PER_DEPARTURE = 4096;
const DEPARTURES_MIN = 64;
/**
 * The part of the budget that the bitmaps of freed blocks may take before a sync is made for them.
 */
const PENDING_PART = 16;
const PENDING_BITMAPS_MIN = 8;

/**
 * The state that every part of a mounted ext2 works with: the sizes, the groups, the buffers, and
 * the state of the whole.
 */
export class Volume {
  readonly hypercalls: Hypercalls;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly cache: BufferCache;
  readonly frees: PendingFrees;
  readonly departures = new Departures();
  readonly writeable: boolean;
  readonly blockSizeBytes: number;
  readonly pointersPerBlock: number;
  /** Whether a directory entry has a byte for the type of its node. */
  readonly entriesHaveTypes: boolean;
  readonly fileBytesMax: number;
  #stateAtMount: number;
  #modified = false;
  #modifying: Promise<void> | undefined = undefined;
  #corruptions = 0;
  readonly #oneSync = new Mutex(WAITERS);
  readonly #departuresMax: number;
  readonly #pendingBitmapsMax: number;
  #depart: ((departure: Departure) => Promise<void>) | undefined = undefined;

  constructor(
    hypercalls: Hypercalls,
    superblock: Superblock,
    cache: BufferCache,
    features: { readonly writeable: boolean; readonly entriesHaveTypes: boolean },
  ) {
    this.hypercalls = hypercalls;
    this.superblock = superblock;
    this.groups = new Groups(superblock);
    this.cache = cache;
    this.frees = new PendingFrees(superblock.blocksPerGroup);
    const { memoryBytes } = hypercalls;
    this.#departuresMax = Math.max(DEPARTURES_MIN, Math.floor(memoryBytes / BYTES_PER_DEPARTURE));
    this.#pendingBitmapsMax = Math.max(
      PENDING_BITMAPS_MIN,
      Math.floor((memoryBytes / PENDING_PART / superblock.blocksPerGroup) * 8),
    );
    this.writeable = features.writeable;
    this.entriesHaveTypes = features.entriesHaveTypes;
    this.blockSizeBytes = superblock.blockSizeBytes;
    this.pointersPerBlock = superblock.blockSizeBytes / 4;
    this.fileBytesMax = fileBytesMax(superblock);
    this.#stateAtMount = superblock.state;
  }

  /** Reads the group descriptors. */
  async load(): Promise<void> {
    for (let group = 0; group < this.superblock.groupCount; group += 1) {
      const { block, offset } = this.groups.descriptorOf(group);
      const buffer = this.cache.peek(block) ?? (await this.cache.read(block));
      this.groups.load(group, buffer.view, offset);
    }
  }

  /**
   * The error for a structure that contradicts the format; the file system is marked as having
   * errors.
   */
  corrupt(what: string): FsError {
    this.#corruptions += 1;
    const message = `ext2: ${what}`;
    if (this.#corruptions <= CORRUPTION_LINES_MAX) this.hypercalls.console(message);
    return new FsError('Corrupt', message);
  }

  /**
   * To be awaited before every modification: marks the device's file system as not clean the first
   * time, and holds the caller back while too much waits to be written.
   */
  begin(): Promise<void> | undefined {
    if (this.#modified) return this.#tooMuchPending ? this.sync() : this.cache.throttle();
    this.#modifying ??= this.#markModified();
    return this.#modifying;
  }

  /**
   * Whether `count` blocks from `first` on, all in one group, can belong to a file. Throws
   * `Corrupt` if not.
   */
  requireFileBlocks(first: number, count: number, owner: string): void {
    const { firstDataBlock, blocksCount } = this.superblock;
    if (first < firstDataBlock || first + count > blocksCount) {
      throw this.corrupt(`${owner}: block pointer ${first} beyond the device's ${blocksCount} blocks`);
    }
    if (this.groups.holdsStructures(first, count)) {
      const group = this.groups.groupOf(first);
      throw this.corrupt(`${owner}: block pointer ${first} into the structures of group ${group}`);
    }
  }

  /** Makes sure that a file may have that size. Throws `FileTooLarge`. */
  requireSize(sizeBytes: number): void {
    if (sizeBytes > this.fileBytesMax) {
      throw new FsError('FileTooLarge', `a file here has at most ${this.fileBytesMax} bytes`);
    }
    if (sizeBytes <= SMALL_FILE_BYTES_MAX) return;
    this.superblock.readOnlyCompatible |= READ_ONLY_FEATURE.largeFile;
  }

  /** Sets the function that handles a node once its names are durably gone. */
  onDeparture(depart: (departure: Departure) => Promise<void>): void {
    this.#depart = depart;
  }

  /**
   * Resolves when everything that was acknowledged is durable. Blocks that were freed before may be
   * used again then.
   */
  async sync(): Promise<void> {
    if (!this.#modified) return;
    await this.#oneSync.acquire();
    try {
      const departures = this.departures.all();
      await this.#syncOnce();
      if (departures.length === 0) return;
      for (const departure of departures) {
        this.departures.remove(departure);
        await this.#depart?.(departure);
      }
      await this.#syncOnce();
    } finally {
      this.#oneSync.release();
    }
  }

  /**
   * Makes freed blocks and inodes usable, by a sync, for callers that find no space. False if there
   * are none.
   */
  async reclaim(): Promise<boolean> {
    if (this.departures.size === 0 && !this.frees.any) return false;
    await this.sync();
    return true;
  }

  /** Leaves the file system as clean as it was found, or with errors if some were met. */
  async unmount(): Promise<void> {
    if (!this.#modified) return;
    await this.sync();
    this.superblock.state = this.#stateAtMount | (this.#corruptions > 0 ? STATE_FLAG.errors : 0);
    await this.#storeSuperblock();
    await this.cache.flushDurably();
  }

  get #tooMuchPending(): boolean {
    return this.departures.size > this.#departuresMax || this.frees.bitmaps > this.#pendingBitmapsMax;
  }

  async #syncOnce(): Promise<void> {
    this.frees.take();
    await this.#storeCounts();
    await this.cache.flushDurably();
    this.frees.release();
  }

  async #markModified(): Promise<void> {
    try {
      this.superblock.state = this.#stateAtMount & ~STATE_FLAG.valid;
      this.superblock.countMount(await this.hypercalls.now());
      await this.#storeSuperblock();
      await this.cache.flushDurably();
      this.#modified = true;
    } finally {
      this.#modifying = undefined;
    }
  }

  async #storeCounts(): Promise<void> {
    for (const group of this.groups.dirty) {
      const { block, offset } = this.groups.descriptorOf(group);
      const buffer = this.cache.peek(block) ?? (await this.cache.read(block));
      this.groups.store(group, buffer.view, offset);
      this.cache.markDirty(buffer, block, 'structure');
      this.groups.dirty.delete(group);
    }
    const { freeBlocksTotal, freeInodesTotal } = this.groups;
    const nowMs = await this.hypercalls.now();
    this.superblock.setTotals(freeBlocksTotal, freeInodesTotal, nowMs);
    if (this.#corruptions > 0) this.superblock.state |= STATE_FLAG.errors;
    await this.#storeSuperblock();
  }

  async #storeSuperblock(): Promise<void> {
    const block = Math.floor(SUPERBLOCK_OFFSET / this.blockSizeBytes);
    const buffer = this.cache.peek(block) ?? (await this.cache.read(block));
    const { view } = this.superblock;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, SUPERBLOCK_BYTES);
    buffer.bytes.set(bytes, SUPERBLOCK_OFFSET % this.blockSizeBytes);
    this.cache.markDirty(buffer, block, 'structure');
  }
}

/**
 * Bounded by the triple indirect tree and by the 32-bit count of sectors in an inode; revision 0
 * has no size_high.
 */
function fileBytesMax(superblock: Superblock): number {
  if (superblock.revision === 0) return SMALL_FILE_BYTES_MAX;
  const pointers = superblock.blockSizeBytes / 4;
  const blocks = 12 + pointers + pointers ** 2 + pointers ** 3;
  // A fully allocated file also has about one indirect block in `pointers`.
  const bySectors = Math.floor((0xffff_ffff * 512) / (1 + 2 / pointers));
  return Math.min(blocks * superblock.blockSizeBytes, bySectors);
}
