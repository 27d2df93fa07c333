import type { BufferCache } from '../buffer/buffer-cache.ts';
import type { ChangeGate } from '../buffer/change-gate.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import type { Journal } from '../jbd2/journal.ts';
import { Changes } from '../volume/changes.ts';
import { Complaints } from '../volume/complaints.ts';
import { type Departure, Departures } from '../volume/departures.ts';
import { RecentNames } from '../volume/recent-names.ts';
import { INCOMPATIBLE_FEATURE, READ_ONLY_FEATURE } from './features.ts';
import { fileBytesMax, SMALL_FILE_BYTES_MAX } from './file-size.ts';
import { Groups } from './groups.ts';
import type { Inode } from './inode.ts';
import { PendingFrees } from './pending-frees.ts';
import { Summary } from './summary.ts';
import { STATE_FLAG, type Superblock } from './superblock.ts';

/** A journal in use, and the gate through which operations enter its transactions. */
export interface Journalling {
  readonly journal: Journal;
  readonly gate: ChangeGate;
}

/**
 * The state that every part of a mounted file system works with: the sizes, the groups, the
 * buffers, and the state of the whole.
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
  readonly blockSizeBytes: number;
  readonly pointersPerBlock: number;
  /** Whether a directory entry has a byte for the type of its node. */
  readonly entriesHaveTypes: boolean;
  readonly journalling: Journalling | undefined;
  readonly #summary: Summary;
  readonly #stateAtMount: number;
  readonly #complaints: Complaints;
  readonly #changes: Changes<Inode>;

  constructor(
    hypercalls: Hypercalls,
    superblock: Superblock,
    cache: BufferCache,
    parts: { readonly writeable: boolean; readonly journalling?: Journalling | undefined },
  ) {
    this.hypercalls = hypercalls;
    this.superblock = superblock;
    this.groups = new Groups(superblock);
    this.cache = cache;
    this.frees = new PendingFrees(superblock.blocksPerGroup);
    this.writeable = parts.writeable;
    this.journalling = parts.journalling;
    this.entriesHaveTypes = superblock.has(INCOMPATIBLE_FEATURE.fileType);
    this.blockSizeBytes = superblock.blockSizeBytes;
    this.pointersPerBlock = superblock.blockSizeBytes / 4;
    this.#stateAtMount = superblock.state;
    this.#complaints = new Complaints(superblock.formatName, (line) => hypercalls.console(line));
    const summary = new Summary(this);
    this.#summary = summary;
    const { frees, departures, recentNames, journalling } = this;
    this.#changes = new Changes({
      memoryBytes: hypercalls.memoryBytes,
      unitsPerGroup: superblock.blocksPerGroup,
      cache,
      frees,
      departures,
      recentNames,
      journalling: journalling && { gate: journalling.gate, log: journalling.journal },
      stamp: () => summary.stamp(),
      markInUse: () => this.#markInUse(),
      crowded: () => false,
    });
  }

  /** Reads the group descriptors. */
  async load(): Promise<void> {
    await this.#summary.load();
    this.groups.decode();
    this.cache.own = this.#summary;
    this.cache.log = this.journalling?.journal;
  }

  /**
   * The error for a structure that contradicts the format; the file system is marked as having
   * errors.
   */
  corrupt(what: string): FsError {
    return this.#complaints.corrupt(what);
  }

  /** Carries out an operation that modifies the file system: see `Changes`. */
  change<Result>(action: () => Promise<Result>): Promise<Result> {
    return this.#changes.carryOut(action);
  }

  /**
   * To be awaited within a long operation, where all that it has changed so far may become durable
   * without the rest.
   */
  breath(): Promise<void> | undefined {
    const gate = this.journalling?.gate;
    if (gate?.wanted !== true) return undefined;
    gate.leave();
    return gate.enter();
  }

  /** Whether a long operation should end for now, because a commit of the journal waits for it. */
  get shouldPause(): boolean {
    return this.journalling?.gate.wanted === true;
  }

  /**
   * Writes the first contents of a block that nothing leads to yet: with a journal into the cache
   * only, since they become durable with what leads to them. `seal` is as for `markDirty`.
   */
  async writeFirst(
    block: number,
    contents: Uint8Array,
    verifiedAs = 0,
    seal?: (bytes: Uint8Array) => void,
  ): Promise<void> {
    const { cache } = this;
    if (!this.journalled) {
      await cache.direct.writeFirst(block, contents);
      const written = cache.peek(block);
      if (written !== undefined) written.verifiedAs = verifiedAs;
      return;
    }
    const buffer = cache.tryFresh(block) ?? (await cache.fresh(block));
    buffer.bytes.set(contents);
    buffer.verifiedAs = verifiedAs;
    cache.markDirty(buffer, block, 'structure', seal);
  }

  /** The sectors that a block takes which is allocated alone: with bigalloc those of a cluster. */
  get clusterSectors(): number {
    return (this.blockSizeBytes / 512) * this.superblock.clusterBlocks;
  }

  /** Whether a journal keeps the changes of an operation together. */
  get journalled(): boolean {
    return this.journalling !== undefined;
  }

  /** Throws `Corrupt` unless `count` blocks from `first` on can belong to a file. */
  requireFileBlocks(first: number, count: number, owner: string): void {
    const { zones } = this.groups;
    if (!zones.inside(first, count)) {
      const { blocksCount } = this.superblock;
      throw this.corrupt(`${owner}: block pointer ${first} beyond the device's ${blocksCount} blocks`);
    }
    if (zones.touch(first, count)) {
      const group = this.groups.groupOf(first);
      throw this.corrupt(`${owner}: block pointer ${first} into the structures of group ${group}`);
    }
  }

  /** Makes sure that a file may have that size. Throws `FileTooLarge`. */
  requireSize(inode: Inode, sizeBytes: number): void {
    const most = fileBytesMax(this.superblock, inode.hasExtents);
    if (sizeBytes > most) throw new FsError('FileTooLarge', `a file here has at most ${most} bytes`);
    if (sizeBytes <= SMALL_FILE_BYTES_MAX) return;
    this.superblock.readOnlyCompatible |= READ_ONLY_FEATURE.largeFile;
  }

  /** Sets the function that handles a node once its names are durably gone. */
  onDeparture(depart: (departure: Departure<Inode>) => Promise<void>): void {
    this.#changes.onDeparture(depart);
  }

  /** Resolves when everything that was acknowledged is durable. */
  sync(): Promise<void> {
    return this.#changes.sync();
  }

  /** Makes freed blocks and inodes usable: see `Changes`. */
  reclaim(): Promise<boolean> {
    return this.#changes.reclaim();
  }

  /** Leaves the file system as clean as it was found, or with errors if some were met. */
  async unmount(): Promise<void> {
    if (!this.#changes.any) return;
    await this.sync();
    await this.journalling?.journal.finish();
    if (this.journalled) {
      // From here on nothing goes through the journal: it is empty and stays so.
      this.cache.log = undefined;
      this.superblock.needsRecovery = false;
    }
    this.superblock.state = this.#stateAtMount | (this.#complaints.any ? STATE_FLAG.errors : 0);
    await this.cache.flushDurably();
  }

  /** Whether contradictions to the format were met. */
  get damaged(): boolean {
    return this.#complaints.any;
  }

  async #markInUse(): Promise<void> {
    if (this.journalled) this.superblock.needsRecovery = true;
    else this.superblock.state = this.#stateAtMount & ~STATE_FLAG.valid;
    this.superblock.countMount(await this.hypercalls.now());
  }
}
