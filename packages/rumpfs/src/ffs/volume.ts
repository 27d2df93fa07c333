import type { BufferCache } from '../buffer/buffer-cache.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { Changes } from '../volume/changes.ts';
import { Complaints } from '../volume/complaints.ts';
import { type Departure, Departures } from '../volume/departures.ts';
import { RecentNames } from '../volume/recent-names.ts';
import type { Inode } from './inode.ts';
import { writeFirst } from './first-writes.ts';
import { Groups } from './groups.ts';
import { type Journalling, openLog } from './journalling.ts';
import { PendingFrees } from './pending-frees.ts';
import type { Recovered } from './recovery.ts';
import { Summary } from './summary.ts';
import { CLEAN_BEFORE, FLAG, type Superblock } from './superblock.ts';

/**
 * The state that every part of a mounted file system works with: the sizes, the groups, the
 * buffers (one a fragment), and the state of the whole.
 */
export class Volume {
  readonly hypercalls: Hypercalls;
  readonly superblock: Superblock;
  readonly groups: Groups;
  readonly cache: BufferCache;
  readonly frees: PendingFrees;
  readonly departures = new Departures<Inode>();
  readonly recentNames = new RecentNames();
  readonly writeable: boolean;
  /** The log; undefined where changes are made durable by the order of their writes. */
  readonly journalling: Journalling | undefined;
  readonly #summary: Summary;
  readonly #complaints: Complaints;
  readonly #changes: Changes<Inode>;

  constructor(
    hypercalls: Hypercalls,
    superblock: Superblock,
    cache: BufferCache,
    parts: { readonly writeable: boolean; readonly recovered: Pick<Recovered, 'log' | 'unnamed'> },
  ) {
    this.hypercalls = hypercalls;
    this.superblock = superblock;
    this.cache = cache;
    const { memoryBytes } = hypercalls;
    this.#complaints = new Complaints(superblock.formatName, (line) => hypercalls.console(line));
    this.groups = new Groups({ superblock, cache, corrupt: (what) => this.corrupt(what) }, memoryBytes);
    this.frees = new PendingFrees(superblock.fragmentsPerGroup);
    this.writeable = parts.writeable;
    this.journalling = parts.writeable ? openLog(this, parts.recovered) : undefined;
    const summary = new Summary(this);
    this.#summary = summary;
    const { groups, frees, departures, recentNames, journalling } = this;
    this.#changes = new Changes({
      memoryBytes,
      unitsPerGroup: superblock.fragmentsPerGroup,
      cache,
      frees,
      departures,
      recentNames,
      journalling,
      stamp: () => summary.stamp(),
      markInUse: () => this.#markInUse(),
      crowded: () => groups.crowded,
    });
  }

  /** Reads the counts of the groups, and what shares the superblock's fragments. */
  async load(): Promise<void> {
    await this.groups.load();
    await this.#summary.load();
    this.cache.own = this.#summary;
    this.cache.log = this.journalling?.log;
  }

  /** Whether a log keeps the changes of an operation together. */
  get journalled(): boolean {
    return this.journalling !== undefined;
  }

  /** The error for a structure that contradicts the format. */
  corrupt(what: string): FsError {
    return this.#complaints.corrupt(what);
  }

  /** Throws `Corrupt` unless `count` fragments from `first` on can belong to a file. */
  requireFragments(first: number, count: number, owner: string): void {
    const { superblock } = this;
    const { fragments, fragmentsPerBlock } = superblock;
    if (!Number.isSafeInteger(first) || first < 0 || first + count > fragments)
      throw this.corrupt(`${owner}: pointer to fragment ${first} beyond the ${fragments} fragments`);
    if ((first % fragmentsPerBlock) + count > fragmentsPerBlock)
      throw this.corrupt(`${owner}: pointer to fragment ${first}, where ${count} cross the end of a block`);
    const group = superblock.groupOf(first);
    const from = superblock.structuresStart(group) + superblock.superblockAt;
    const start = group === 0 ? 0 : from;
    const { summaryAt, summaryFragments } = superblock;
    const touches = (at: number, end: number): boolean => first < end && first + count > at;
    if (touches(start, superblock.dataStart(group)) || touches(summaryAt, summaryAt + summaryFragments))
      throw this.corrupt(`${owner}: pointer to fragment ${first}, a structure of group ${group}`);
  }

  /** `requireFragments` for a whole block. */
  requireBlock(first: number, owner: string): void {
    this.requireFragments(first, this.superblock.fragmentsPerBlock, owner);
  }

  /** Makes sure that a file may have that size. Throws `FileTooLarge`. */
  requireSize(sizeBytes: number): void {
    const most = this.superblock.fileBytesMax;
    if (sizeBytes > most) throw new FsError('FileTooLarge', `a file here has at most ${most} bytes`);
  }

  /**
   * Writes the first contents of fragments that nothing leads to yet: with a log into the cache
   * only, since they become durable with what leads to them.
   */
  async writeFirst(first: number, contents: Uint8Array): Promise<void> {
    const { cache } = this;
    if (!this.journalled) return writeFirst(cache, first, contents);
    const size = cache.blockSizeBytes;
    for (let index = 0; index * size < contents.length; index += 1) {
      const fragment = first + index;
      const buffer = cache.tryFresh(fragment) ?? (await cache.fresh(fragment));
      buffer.bytes.set(contents.subarray(index * size, (index + 1) * size));
      cache.markDirty(buffer, fragment, 'structure');
    }
  }

  /** Carries out an operation that modifies the file system: see `Changes`. */
  change<Result>(action: () => Promise<Result>): Promise<Result> {
    return this.#changes.carryOut(action);
  }

  /** Sets the function that handles a node once its names are durably gone. */
  onDeparture(depart: (departure: Departure<Inode>) => Promise<void>): void {
    this.#changes.onDeparture(depart);
  }

  /** Resolves when everything that was acknowledged is durable. */
  sync(): Promise<void> {
    return this.#changes.sync();
  }

  /** Makes what was freed usable: see `Changes`. */
  reclaim(): Promise<boolean> {
    return this.#changes.reclaim();
  }

  /**
   * Leaves the file system marked as clean, or as one to check if mistakes were met. What a log has
   * does not count any more.
   */
  async unmount(): Promise<void> {
    if (!this.#changes.any) return;
    await this.sync();
    await this.journalling?.log.finish();
    // From here on nothing goes through the log: it is empty and stays so.
    this.cache.log = undefined;
    const damaged = this.#complaints.any;
    const { superblock } = this;
    superblock.clean = damaged ? 0 : 1;
    const flags = superblock.flags & ~(FLAG.needsCheck | FLAG.log);
    superblock.flags = flags | (damaged ? FLAG.needsCheck : 0);
    this.#summary.mark();
    await this.cache.flushDurably();
  }

  /**
   * Without a log, soft updates would trust in their order of writes and check in the background
   * only, so a complete check is asked for, too.
   */
  async #markInUse(): Promise<void> {
    const { superblock, journalling } = this;
    if (journalling?.isNew === true) await journalling.log.format();
    superblock.clean = journalling === undefined ? 0 : CLEAN_BEFORE;
    const flags = superblock.flags & ~(FLAG.needsCheck | FLAG.log);
    superblock.flags = flags | (journalling === undefined ? FLAG.needsCheck : FLAG.log);
    this.#summary.mark();
  }
}
