/**
 * The knowledge about the contents of a device, block by block. A block that nobody has written to
 * has one content, which the first read tells; every other block has a history. The amount is
 * bounded: blocks beyond the bound are not checked.
 */
import { anything, BlockHistory, firstVersion, newVersion, type Version } from './block-history.ts';
import { ANYTHING, contentHash, UNKNOWN } from './content-hash.ts';

/** The largest number of blocks of one device that are remembered. */
const BLOCKS_MAX = 2 ** 20;
/**
 * The largest number of blocks with several versions. Beyond it the oldest may hold anything until
 * they are written again.
 */
const UNSETTLED_MAX = 2 ** 18;

/** A range of blocks of a device. */
export interface BlockRange {
  readonly first: number;
  readonly count: number;
}

/** A request of a client, from its submission to its end. */
export interface CheckedRequest extends BlockRange {
  readonly begun: number;
  /**
   * The versions that a write or a trim makes, one for each block; `undefined` for blocks that are
   * not remembered.
   */
  readonly versions: readonly (Version | undefined)[];
}

/** A read that returned a content that it must not return. */
export interface IllegalRead {
  readonly block: number;
  readonly content: number;
  readonly bytes: Uint8Array;
  readonly begun: number;
  readonly versions: readonly Version[];
  /** The last versions that were possible and are not any more. */
  readonly past: readonly Version[];
}

/** One device. */
export class CheckedDevice {
  /** The name of the device, for messages. */
  readonly name: string;
  /**
   * The components that have written to the device, by their label, and the views that they wrote
   * through.
   */
  readonly writers = new Map<string, BlockRange[]>();
  /** The labels of components that have had a request refused or failed by this device. */
  readonly failures = new Set<string>();
  /** Whether the contents of the device outlive its server. */
  stable = false;
  /** The remembered blocks. A number is the content of a block that nobody has written to. */
  readonly #blocks = new Map<number, BlockHistory | number>();
  /** Histories with several versions. */
  readonly #unsettled = new Map<number, BlockHistory>();
  readonly #reads = new Set<CheckedRequest>();
  #blockBytes = 0;
  /** Whether blocks that are not remembered may hold anything. */
  #undefined = false;

  constructor(name: string) {
    this.name = name;
  }

  /**
   * Whether the blocks of a request have the size of the device's blocks; the server refuses all
   * others. The first size that is seen counts.
   */
  fits(blockBytes: number): boolean {
    if (this.#blockBytes === 0) this.#blockBytes = blockBytes;
    return this.#blockBytes === blockBytes;
  }

  beginRead(first: number, count: number, now: number): CheckedRequest {
    const request = { begun: now, first, count, versions: [] };
    this.#reads.add(request);
    return request;
  }

  /**
   * Ends a read that has returned these bytes. The result is the first block with a content that
   * must not be there.
   */
  endRead(request: CheckedRequest, payload: Uint8Array, now: number): IllegalRead | undefined {
    const { begun, first, count } = request;
    const blockBytes = payload.length / count;
    let illegal: IllegalRead | undefined;
    for (let index = 0; index < count; index++) {
      const bytes = payload.subarray(index * blockBytes, (index + 1) * blockBytes);
      const content = contentHash(bytes);
      const wrong = this.#read(first + index, content, begun, now);
      if (wrong) illegal ??= { block: first + index, content, bytes, begun, ...wrong };
    }
    this.#reads.delete(request);
    return illegal;
  }

  /** Notes that a component writes through this view. */
  writesThrough(view: BlockRange, by: string): void {
    const views = this.writers.get(by) ?? [];
    this.writers.set(by, views);
    if (!views.some(({ first, count }) => first === view.first && count === view.count)) views.push(view);
  }

  /** Whether another component than `label` has written to blocks of this view. */
  writtenByOthers(label: string, view: BlockRange): boolean {
    for (const [by, views] of this.writers) {
      if (by !== label && views.some((other) => overlap(other, view))) return true;
    }
    return false;
  }

  /** Drops a read that tells nothing, because it failed or never ends. */
  dropRead(request: CheckedRequest): void {
    this.#reads.delete(request);
  }

  /**
   * Begins a write of these bytes or of zeros or, without content, an operation that leaves the
   * blocks undefined.
   */
  beginWrite(
    range: BlockRange & { readonly content: Uint8Array | 'zeros' | undefined },
    by: string,
    now: number,
    nowUs: number,
  ): CheckedRequest {
    const { first, count, content } = range;
    const same = content instanceof Uint8Array ? ANYTHING : this.#contentWithout(content);
    const blockBytes = content instanceof Uint8Array ? content.length / count : 0;
    const versions: (Version | undefined)[] = [];
    for (let index = 0; index < count; index++) {
      const history = this.#historyOf(first + index);
      const hash =
        content instanceof Uint8Array
          ? contentHash(content.subarray(index * blockBytes, (index + 1) * blockBytes))
          : same;
      const version = newVersion(hash, now, by, nowUs);
      history?.begin(version);
      versions.push(history && version);
    }
    this.#bound();
    return { begun: now, first, count, versions };
  }

  endWrite({ first, versions }: CheckedRequest, sure: boolean, now: number): void {
    for (const [index, version] of versions.entries()) {
      const history = this.#unsettled.get(first + index);
      if (!version || !history) continue;
      history.end(version, sure, now);
      this.#compact(first + index, history);
    }
  }

  /** A SYNC that was submitted at `begun` is acknowledged. */
  synced(begun: number): void {
    for (const [block, history] of this.#unsettled) {
      history.synced(begun);
      this.#compact(block, history);
    }
  }

  /**
   * Calls `BlockHistory.serverEnded` for every block. `mixed` says that a block may hold parts of
   * several versions, because it is larger than a sector of the disk.
   */
  serverEnded(now: number, direct: boolean, mixed: boolean): void {
    for (const [block, history] of this.#unsettled) {
      history.serverEnded(now, direct, mixed);
      this.#compact(block, history);
    }
  }

  get blockBytes(): number {
    return this.#blockBytes;
  }

  /**
   * Lets these blocks, which are too many to handle one by one, hold anything until they are
   * written.
   */
  undefine(first: number, count: number): void {
    this.#undefined = true;
    for (const block of this.#blocks.keys()) {
      if (block >= first && block - first < count) this.excuse(block);
    }
  }

  /** Forgets everything about the device. */
  forget(): void {
    this.#undefined = true;
    for (const block of this.#blocks.keys()) this.excuse(block);
    for (const [block, known] of this.#blocks) if (known === ANYTHING) this.#blocks.delete(block);
  }

  /** Accepts whatever content this block has from now on, until it is written. */
  excuse(block: number): void {
    const known = this.#blocks.get(block);
    if (known === undefined) return;
    this.#unsettled.delete(block);
    const underWay = known instanceof BlockHistory && known.underWay;
    this.#blocks.set(block, underWay ? new BlockHistory(anything(0, true)) : ANYTHING);
  }

  /**
   * Returns the versions of a block that contradict `content`; `undefined` if the block may hold
   * it.
   */
  #read(
    block: number,
    content: number,
    begun: number,
    now: number,
  ): Pick<IllegalRead, 'versions' | 'past'> | undefined {
    const known = this.#blocks.get(block);
    if (known === undefined) {
      if (this.#blocks.size < BLOCKS_MAX && !this.#undefined) this.#blocks.set(block, content);
      return undefined;
    }
    if (typeof known === 'number') {
      return known === content || known === ANYTHING
        ? undefined
        : { versions: [firstVersion(known)], past: [] };
    }
    if (known.read(content, begun, now)) return undefined;
    return { versions: known.versions, past: known.past };
  }

  /** The content that all blocks of a write without bytes have. */
  #contentWithout(content: 'zeros' | undefined): number {
    const known = content === 'zeros' && this.#blockBytes > 0;
    return known ? contentHash(new Uint8Array(this.#blockBytes)) : ANYTHING;
  }

  #historyOf(block: number): BlockHistory | undefined {
    const known = this.#blocks.get(block);
    if (known === undefined && this.#blocks.size >= BLOCKS_MAX) return undefined;
    const before = known ?? (this.#undefined ? ANYTHING : UNKNOWN);
    const history = before instanceof BlockHistory ? before : new BlockHistory(firstVersion(before));
    this.#blocks.set(block, history);
    this.#unsettled.set(block, history);
    return history;
  }

  #compact(block: number, history: BlockHistory): void {
    const [oldest] = this.#reads;
    history.compact(oldest?.begun ?? Number.MAX_SAFE_INTEGER, this.stable);
    if (history.settled) this.#unsettled.delete(block);
  }

  #bound(): void {
    for (const [block, history] of this.#unsettled) {
      if (this.#unsettled.size <= UNSETTLED_MAX) return;
      this.#compact(block, history);
      if (!history.settled) this.excuse(block);
    }
  }
}

function overlap(one: BlockRange, other: BlockRange): boolean {
  return one.first < other.first + other.count && other.first < one.first + one.count;
}
