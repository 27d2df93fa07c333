import type { LoggedBlock, OwnStructures } from '../buffer/metadata-log.ts';
import { at } from '../errors.ts';
import type { BufferCache } from '../buffer/buffer-cache.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import type { Groups } from './groups.ts';
import type { PendingFrees } from './pending-frees.ts';
import { STATE_FLAG, type Superblock, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './superblock.ts';

/** What is summed up. */
interface Sources {
  readonly hypercalls: Hypercalls;
  readonly cache: BufferCache;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly frees: PendingFrees;
  readonly blockSizeBytes: number;
  readonly journalled: boolean;
  /** Whether contradictions to the format were met. */
  readonly damaged: boolean;
}

/**
 * The superblock and the group descriptors. They change with nearly every operation, and the
 * checksums of the bitmaps are in them; so they are made from what is in memory when a pass of
 * write-back begins, in the same turn in which it copies the bitmaps.
 */
export class Summary implements OwnStructures {
  readonly #volume: Sources;
  /** The block that holds the superblock, whole. */
  #block = new Uint8Array(0);
  #nowMs = 0;
  /** The groups of which `take` has given out the descriptors last. */
  #taken: readonly number[] = [];
  /** Whether it has given out anything. */
  #given = false;

  constructor(volume: Sources) {
    this.#volume = volume;
  }

  /** Reads the group descriptors, and the block that holds the superblock. */
  async load(): Promise<void> {
    const { cache, groups, superblock } = this.#volume;
    const read = async (block: number, into: Uint8Array): Promise<void> => {
      const buffer = cache.peek(block) ?? (await cache.read(block));
      into.set(buffer.bytes);
      cache.forget(block);
    };
    for (let index = 0; index < superblock.descriptorBlocks; index += 1) {
      await read(groups.descriptorBlock(index), groups.bytesOf(index));
    }
    this.#block = new Uint8Array(superblock.blockSizeBytes);
    await read(this.#superblockBlock, this.#block);
  }

  /** Sets the time that the superblock is going to have as that of its last change. */
  async stamp(): Promise<void> {
    this.#nowMs = await this.#volume.hypercalls.now();
  }

  take(): readonly LoggedBlock[] {
    const { groups, superblock, frees, journalled, damaged, blockSizeBytes } = this.#volume;
    if (journalled) frees.take();
    const dirty = [...groups.dirty];
    if (damaged) superblock.state |= STATE_FLAG.errors;
    if (dirty.length === 0 && !superblock.changed) return [];
    this.#taken = dirty;
    groups.dirty.clear();
    this.#given = true;
    superblock.changed = false;
    const indexes = new Set<number>();
    for (const group of dirty) {
      this.#sumUp(group);
      groups.encode(group);
      indexes.add(groups.descriptorIndexOf(group));
    }
    const blocks = [...indexes]
      .toSorted((one, other) => one - other)
      .map((index) => ({ block: groups.descriptorBlock(index), bytes: groups.bytesOf(index).slice() }));
    superblock.setTotals(groups.freeBlocksTotal, groups.freeInodesTotal, this.#nowMs);
    superblock.seal();
    const { view } = superblock;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, SUPERBLOCK_BYTES);
    this.#block.set(bytes, SUPERBLOCK_OFFSET % blockSizeBytes);
    return [{ block: this.#superblockBlock, bytes: this.#block.slice() }, ...blocks];
  }

  written(done: boolean): void {
    const { groups, superblock, frees, journalled } = this.#volume;
    if (done) {
      if (journalled) frees.release();
    } else if (this.#given) {
      for (const group of this.#taken) groups.dirty.add(group);
      superblock.changed = true;
    }
    this.#taken = [];
    this.#given = false;
  }

  /** Brings the checksums of a group's bitmaps up to date, as far as those were changed. */
  #sumUp(group: number): void {
    const { cache, groups, superblock } = this.#volume;
    if (!superblock.checksums) return;
    const blocks = cache.peek(at(groups.blockBitmap, group));
    if (blocks?.dirty !== undefined) groups.setBitmapChecksum(group, 'block', blocks.bytes);
    const inodes = cache.peek(at(groups.inodeBitmap, group));
    if (inodes?.dirty !== undefined) groups.setBitmapChecksum(group, 'inode', inodes.bytes);
  }

  get #superblockBlock(): number {
    return Math.floor(SUPERBLOCK_OFFSET / this.#volume.blockSizeBytes);
  }
}
