import type { BufferCache } from '../buffer/buffer-cache.ts';
import type { LoggedBlock } from '../buffer/metadata-log.ts';
import { FsError, messageOf } from '../errors.ts';
import { type CountChange, CylinderGroup } from './cylinder-group.ts';
import { Fields } from './fields.ts';
import type { Superblock, Totals } from './superblock.ts';

/** The part of the budget that cylinder groups in memory may take, and how many may in any case. */
const MEMORY_PART = 8;
const GROUPS_MIN = 4;
const COUNTS_BYTES = 16;

/** What groups are read and checked with. */
export interface GroupSources {
  readonly superblock: Superblock;
  readonly cache: BufferCache;
  corrupt(what: string): FsError;
}

/**
 * The cylinder groups: the counts of all of them, which are the summary area of the device, and as
 * many groups as the budget allows. Those that have changed stay until they are written.
 */
export class Groups {
  readonly summary: Fields;
  readonly #sources: GroupSources;
  readonly #groupsMax: number;
  readonly #resident = new Map<number, CylinderGroup>();
  readonly #loading = new Map<number, Promise<void>>();
  readonly #dirtySummary = new Set<number>();
  readonly #dirty = new Set<CylinderGroup>();
  /** Groups that are on their way to the device. */
  readonly #leaving = new Set<number>();
  #ticks = 0;
  #totals: { directories: number; freeBlocks: number; freeInodes: number; freeFragments: number };

  constructor(sources: GroupSources, memoryBytes: number) {
    const { superblock } = sources;
    this.#sources = sources;
    const groupBytes = this.fragmentsOfGroup * superblock.fragmentSizeBytes;
    this.#groupsMax = Math.max(GROUPS_MIN, Math.floor(memoryBytes / MEMORY_PART / groupBytes));
    const bytes = superblock.summaryFragments * superblock.fragmentSizeBytes;
    this.summary = new Fields(new Uint8Array(bytes), superblock.littleEndian);
    this.#totals = { ...superblock.totals };
  }

  /** The memory that the counts of all groups take. */
  static summaryBytes(superblock: Superblock): number {
    return superblock.summaryFragments * superblock.fragmentSizeBytes;
  }

  get totals(): Totals {
    return this.#totals;
  }

  /** Whether so many groups have changed that they should be written before others change. */
  get crowded(): boolean {
    return this.#resident.size >= this.#groupsMax && this.#cleanOldest() === undefined;
  }

  /** The fragments of a group's structure. */
  get fragmentsOfGroup(): number {
    const { superblock } = this.#sources;
    return Math.ceil(superblock.groupSizeBytes / superblock.fragmentSizeBytes);
  }

  /** The fragments that the changed groups will take in a transaction, with their counts. */
  get dirtyFragments(): number {
    return this.#dirty.size * (this.fragmentsOfGroup + 1);
  }

  /** Reads the counts of all groups. */
  async load(): Promise<void> {
    const { superblock, cache } = this.#sources;
    const size = superblock.fragmentSizeBytes;
    for (let index = 0; index < superblock.summaryFragments; index += 1) {
      const fragment = superblock.summaryAt + index;
      const buffer = cache.peek(fragment) ?? (await cache.read(fragment));
      this.summary.bytes.set(buffer.bytes, index * size);
      cache.forget(fragment);
    }
  }

  /**
   * Works on a group in one turn: it is read first where it has to be, and may leave memory as soon
   * as `action` returns. Rejects with `Corrupt` or `InputOutput`.
   */
  async use<Result>(index: number, action: (group: CylinderGroup) => Result): Promise<Result> {
    for (;;) {
      const group = this.#resident.get(index);
      if (group !== undefined) {
        group.usedAt = this.#ticks += 1;
        const result = action(group);
        if (group.dirty) this.#dirty.add(group);
        return result;
      }
      const loading = this.#loading.get(index) ?? this.#load(index);
      this.#loading.set(index, loading);
      try {
        await loading;
      } finally {
        this.#loading.delete(index);
      }
    }
  }

  directories(group: number): number {
    return this.summary.i32(group * COUNTS_BYTES);
  }

  freeBlocks(group: number): number {
    return this.summary.i32(group * COUNTS_BYTES + 4);
  }

  freeInodes(group: number): number {
    return this.summary.i32(group * COUNTS_BYTES + 8);
  }

  freeFragments(group: number): number {
    return this.summary.i32(group * COUNTS_BYTES + 12);
  }

  /** Carries a change of a group's bitmaps on to the counts of the group and of all. */
  countSpace(group: number, change: CountChange): void {
    this.#count(group, 1, change.freeBlocks);
    this.#count(group, 3, change.freeFragments);
    this.#totals.freeBlocks = Math.max(0, this.#totals.freeBlocks + change.freeBlocks);
    this.#totals.freeFragments = Math.max(0, this.#totals.freeFragments + change.freeFragments);
  }

  countInodes(group: number, free: number, directories: number): void {
    this.#count(group, 2, free);
    this.#count(group, 0, directories);
    this.#totals.freeInodes = Math.max(0, this.#totals.freeInodes + free);
    this.#totals.directories = Math.max(0, this.#totals.directories + directories);
  }

  /** The fragments that have changed since the last call, as they are now. */
  take(nowMs: number): LoggedBlock[] {
    const { superblock } = this.#sources;
    const size = superblock.fragmentSizeBytes;
    const blocks: LoggedBlock[] = [];
    for (const index of [...this.#dirtySummary].toSorted((one, other) => one - other)) {
      const bytes = this.summary.bytes.slice(index * size, (index + 1) * size);
      blocks.push({ block: superblock.summaryAt + index, bytes });
    }
    this.#dirtySummary.clear();
    for (const group of this.#dirty) {
      group.setTime(nowMs);
      group.dirty = false;
      this.#leaving.add(group.index);
      blocks.push({ block: superblock.groupBlock(group.index), bytes: group.fields.bytes.slice() });
    }
    this.#dirty.clear();
    return blocks;
  }

  /**
   * Says whether what `take` gave out was written. If not, it has to be taken again. What is in a
   * log, but not at its place, stays in memory.
   */
  written(blocks: readonly LoggedBlock[], done: boolean, placed: boolean): void {
    const { superblock } = this.#sources;
    if (placed || !done) this.#leaving.clear();
    if (done) return;
    for (const { block } of blocks) {
      const index = block - superblock.summaryAt;
      if (index >= 0 && index < superblock.summaryFragments) this.#dirtySummary.add(index);
      const group = this.#resident.get(superblock.groupOf(block));
      if (group === undefined || superblock.groupBlock(group.index) !== block) continue;
      group.dirty = true;
      this.#dirty.add(group);
    }
  }

  async #load(index: number): Promise<void> {
    const { superblock, cache } = this.#sources;
    const size = superblock.fragmentSizeBytes;
    const first = superblock.groupBlock(index);
    const bytes = new Uint8Array(this.fragmentsOfGroup * size);
    try {
      await cache.bio.read(cache.sectorOf(first), bytes);
    } catch (error) {
      throw new FsError('InputOutput', `fragment ${first} cannot be read: ${messageOf(error)}`);
    }
    const group = new CylinderGroup(superblock, index, bytes);
    const { mistake } = group;
    if (mistake !== undefined)
      throw this.#sources.corrupt(`cylinder group ${index} at fragment ${first}: ${mistake}`);
    if (this.#resident.size >= this.#groupsMax) {
      const victim = this.#cleanOldest();
      if (victim !== undefined) this.#resident.delete(victim.index);
    }
    group.usedAt = this.#ticks += 1;
    this.#resident.set(index, group);
  }

  #cleanOldest(): CylinderGroup | undefined {
    let oldest: CylinderGroup | undefined;
    for (const group of this.#resident.values()) {
      if (group.dirty || this.#leaving.has(group.index)) continue;
      if (oldest === undefined || group.usedAt < oldest.usedAt) oldest = group;
    }
    return oldest;
  }

  #count(group: number, index: number, change: number): void {
    if (change === 0) return;
    const offset = group * COUNTS_BYTES + index * 4;
    this.summary.setU32(offset, Math.max(0, this.summary.i32(offset) + change));
    this.#dirtySummary.add(Math.floor(offset / this.#sources.superblock.fragmentSizeBytes));
  }
}
