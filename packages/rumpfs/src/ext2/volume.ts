import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { readOnlyFeature } from './features.ts';
import { Groups } from './groups.ts';
import { stateFlag, type Superblock, superblockBytes, superblockOffset } from './superblock.ts';

const corruptionLinesMax = 16;
/** Above this a file needs the large_file feature. */
const smallFileBytesMax = 0x7fff_ffff;

/**
 * What every part of a mounted ext2 works with: the sizes, the groups, the buffers, and the state of the
 * whole.
 */
export class Volume {
  readonly hypercalls: Hypercalls;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly cache: BufferCache;
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

  /** The error for a structure that contradicts the format; the file system is marked as having errors. */
  corrupt(what: string): FsError {
    this.#corruptions += 1;
    const message = `ext2: ${what}`;
    if (this.#corruptions <= corruptionLinesMax) this.hypercalls.console(message);
    return new FsError('Corrupt', message);
  }

  /**
   * To be awaited before every modification: marks the device's file system as not clean the first time, and
   * holds the caller back while too much waits to be written.
   */
  begin(): Promise<void> | undefined {
    if (this.#modified) return this.cache.throttle();
    this.#modifying ??= this.#markModified();
    return this.#modifying;
  }

  /**
   * Whether `count` blocks from `first` on, all in one group, can belong to a file. Throws `Corrupt` if not.
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

  /** Makes sure that a file of that size is allowed. Throws `FileTooLarge`. */
  requireSize(sizeBytes: number): void {
    if (sizeBytes > this.fileBytesMax) {
      throw new FsError('FileTooLarge', `a file here has at most ${this.fileBytesMax} bytes`);
    }
    if (sizeBytes <= smallFileBytesMax) return;
    this.superblock.readOnlyCompatible |= readOnlyFeature.largeFile;
  }

  /** Everything acknowledged is durable when this resolves. */
  async sync(): Promise<void> {
    if (!this.#modified) return;
    await this.#storeCounts();
    await this.cache.flushDurably();
  }

  /** Leaves the file system as clean as it was found, or with errors if some were met. */
  async unmount(): Promise<void> {
    if (!this.#modified) return;
    await this.sync();
    this.superblock.state = this.#stateAtMount | (this.#corruptions > 0 ? stateFlag.errors : 0);
    await this.#storeSuperblock();
    await this.cache.flushDurably();
  }

  async #markModified(): Promise<void> {
    try {
      this.superblock.state = this.#stateAtMount & ~stateFlag.valid;
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
    if (this.#corruptions > 0) this.superblock.state |= stateFlag.errors;
    await this.#storeSuperblock();
  }

  async #storeSuperblock(): Promise<void> {
    const block = Math.floor(superblockOffset / this.blockSizeBytes);
    const buffer = this.cache.peek(block) ?? (await this.cache.read(block));
    const { view } = this.superblock;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, superblockBytes);
    buffer.bytes.set(bytes, superblockOffset % this.blockSizeBytes);
    this.cache.markDirty(buffer, block, 'structure');
  }
}

/**
 * Bounded by the triple indirect tree and by the 32-bit count of sectors in an inode; revision 0 has no
 * size_high.
 */
function fileBytesMax(superblock: Superblock): number {
  if (superblock.revision === 0) return smallFileBytesMax;
  const pointers = superblock.blockSizeBytes / 4;
  const blocks = 12 + pointers + pointers ** 2 + pointers ** 3;
  // A fully allocated file also has about one indirect block in `pointers`.
  const bySectors = Math.floor((0xffff_ffff * 512) / (1 + 2 / pointers));
  return Math.min(blocks * superblock.blockSizeBytes, bySectors);
}
