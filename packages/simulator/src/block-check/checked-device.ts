/**
 * All that is known of what a device may hold, block by block. A block that nobody has written to has one content, which
 * the first read tells; of others there is a history. What is kept is bounded: blocks beyond the bound are not checked.
 */
import { anything, BlockHistory, firstVersion, newVersion, type Version } from './block-history.ts';
import { ANYTHING, contentHash, UNKNOWN } from './content-hash.ts';

/** Blocks of one device of which something is kept. */
const BLOCKS_MAX = 2 ** 20;
/** Of those that have several versions; of more, the oldest may hold anything until they are written again. */
const UNSETTLED_MAX = 2 ** 18;

/** Blocks of a device. */
export interface BlockRange {
  readonly first: number;
  readonly count: number;
}

/** A request of a client, from its submission to its end. */
export interface CheckedRequest extends BlockRange {
  readonly begun: number;
  /** What a write or a trim makes of its blocks, one each; nothing for blocks that are not kept. */
  readonly versions: readonly (Version | undefined)[];
}

/** A read that returned what it must not have. */
export interface IllegalRead {
  readonly block: number;
  readonly content: number;
  readonly bytes: Uint8Array;
  readonly begun: number;
  readonly versions: readonly Version[];
  /** Of those that can be no more, the last. */
  readonly past: readonly Version[];
}

/** One device. */
export class CheckedDevice {
  /** For people. */
  readonly name: string;
  /** Who has written to it, by their label, and through which views of it. */
  readonly writers = new Map<string, BlockRange[]>();
  /** Labels of those whom it has told that it could not do what they asked for. */
  readonly failures = new Set<string>();
  /** Whether what it stands on outlives its server. */
  stable = false;
  /** A number: what a block holds that nobody has written to. */
  readonly #blocks = new Map<number, BlockHistory | number>();
  /** Histories with several versions. */
  readonly #unsettled = new Map<number, BlockHistory>();
  readonly #reads = new Set<CheckedRequest>();
  #blockBytes = 0;
  /** Blocks that nothing is kept of may hold anything. */
  #undefined = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Whether a request has blocks of the right size; others are refused by the server. What comes first, counts. */
  fits(blockBytes: number): boolean {
    if (this.#blockBytes === 0) this.#blockBytes = blockBytes;
    return this.#blockBytes === blockBytes;
  }

  beginRead(first: number, count: number, now: number): CheckedRequest {
    const request = { begun: now, first, count, versions: [] };
    this.#reads.add(request);
    return request;
  }

  /** A read has returned these bytes: the first thing in them that it must not. */
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

  /** Somebody writes through this view. */
  writesThrough(view: BlockRange, by: string): void {
    const views = this.writers.get(by) ?? [];
    this.writers.set(by, views);
    if (!views.some(({ first, count }) => first === view.first && count === view.count)) views.push(view);
  }

  /** Whether somebody else than `label` has written to what the view shows. */
  writtenByOthers(label: string, view: BlockRange): boolean {
    for (const [by, views] of this.writers) {
      if (by !== label && views.some((other) => overlap(other, view))) return true;
    }
    return false;
  }

  /** A read that tells nothing: it failed, or never ends. */
  dropRead(request: CheckedRequest): void {
    this.#reads.delete(request);
  }

  /** A write of these bytes, or without any, something that leaves the blocks undefined. */
  beginWrite(
    range: BlockRange & { readonly payload: Uint8Array | undefined },
    by: string,
    now: number,
    nowUs: number,
  ): CheckedRequest {
    const { first, count, payload } = range;
    const blockBytes = (payload?.length ?? 0) / count;
    const versions: (Version | undefined)[] = [];
    for (let index = 0; index < count; index++) {
      const history = this.#historyOf(first + index);
      const bytes = payload?.subarray(index * blockBytes, (index + 1) * blockBytes);
      const version = newVersion(bytes ? contentHash(bytes) : ANYTHING, now, by, nowUs);
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

  /** See `BlockHistory`; `mixed`, too, if a block is more than one sector of the disk. */
  serverEnded(now: number, direct: boolean, mixed: boolean): void {
    for (const [block, history] of this.#unsettled) {
      history.serverEnded(now, direct, mixed);
      this.#compact(block, history);
    }
  }

  get blockBytes(): number {
    return this.#blockBytes;
  }

  /** What these blocks hold, of which there are too many to look at, may be anything until they are written. */
  undefine(first: number, count: number): void {
    this.#undefined = true;
    for (const block of this.#blocks.keys()) {
      if (block >= first && block - first < count) this.excuse(block);
    }
  }

  /** All that was known of it is of no use any more. */
  forget(): void {
    this.#undefined = true;
    for (const block of this.#blocks.keys()) this.excuse(block);
    for (const [block, known] of this.#blocks) if (known === ANYTHING) this.#blocks.delete(block);
  }

  /** Whatever this block holds is right from now on, until it is written. */
  excuse(block: number): void {
    const known = this.#blocks.get(block);
    if (known === undefined) return;
    this.#unsettled.delete(block);
    const underWay = known instanceof BlockHistory && known.underWay;
    this.#blocks.set(block, underWay ? new BlockHistory(anything(0, true)) : ANYTHING);
  }

  /** The versions of a block that must not hold `content`; nothing if it may. */
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
