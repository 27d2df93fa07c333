/** The partitions of a disk, found and checked: what cannot be used is left out, with a reason. */
import { isExtended, readExtendedBootRecord, readMasterBootRecord, type TableEntry } from './mbr.ts';

/** Logical partitions that are looked for, at most. */
const LOGICAL_MAX = 128;
const FIRST_LOGICAL = 5;
/** The number that stands for a whole disk without partitions. */
export const WHOLE_DISK = 0;

/** A part of the disk that can be used. */
export interface Partition {
  readonly number: number;
  readonly first: number;
  readonly count: number;
}

/** What is on a disk. */
export interface PartitionTable {
  readonly partitions: ReadonlyMap<number, Partition>;
  /** Why a partition of the table cannot be used, by its number. */
  readonly faults: ReadonlyMap<number, string>;
  /** Why there is no such partition at all; the end of a sentence. */
  readonly absence: string;
  /** What is wrong with the disk as a whole, and what to say in the log. */
  readonly problems: readonly string[];
}

/** Reads a block of the disk: at least the bytes of a boot record, which nobody else can change any more. */
export type ReadBootRecord = (block: number) => Promise<Uint8Array>;

/** Reads the table of a disk of `blockCount` blocks. */
export async function readPartitionTable(read: ReadBootRecord, blockCount: number): Promise<PartitionTable> {
  const record = readMasterBootRecord(await read(0));
  switch (record.kind) {
    case 'none': {
      const whole = { number: WHOLE_DISK, first: 0, count: blockCount };
      const absence = `the disk has no partition table (${record.reason}), it is partition 0 as a whole`;
      return { partitions: new Map([[WHOLE_DISK, whole]]), faults: new Map(), absence, problems: [] };
    }
    case 'gpt': {
      const absence = 'GPT is not supported yet';
      const problem = 'the disk has a GUID partition table: GPT is not supported yet';
      return { partitions: new Map(), faults: new Map(), absence, problems: [problem] };
    }
    case 'table':
      return new TableReader(read, blockCount).table(record.entries);
  }
}

/** A partition found, and whether it may only hold others. */
interface Found extends Partition {
  readonly container: boolean;
}

class TableReader {
  readonly #read: ReadBootRecord;
  readonly #blockCount: number;
  readonly #found: Found[] = [];
  readonly #faults = new Map<number, string>();
  readonly #problems: string[] = [];

  constructor(read: ReadBootRecord, blockCount: number) {
    this.#read = read;
    this.#blockCount = blockCount;
  }

  async table(entries: readonly TableEntry[]): Promise<PartitionTable> {
    for (const [index, entry] of entries.entries()) {
      if (entry.type !== 0) this.#add(index + 1, entry.first, entry.count, isExtended(entry));
    }
    for (const extended of this.#found.filter(({ container }) => container)) await this.#logical(extended);
    this.#findOverlaps();
    const usable = this.#found.filter(({ number, container }) => !container && !this.#faults.has(number));
    for (const { number, container } of this.#found) {
      if (container) this.#faults.set(number, 'is an extended partition, which only holds others');
    }
    return {
      partitions: new Map(usable.map(({ number, first, count }) => [number, { number, first, count }])),
      faults: this.#faults,
      absence: 'the partition table has no such entry',
      problems: this.#problems,
    };
  }

  #add(number: number, first: number, count: number, container: boolean): void {
    const problem = this.#rangeProblem(first, count);
    if (problem === undefined) this.#found.push({ number, first, count, container });
    else this.#fault(number, problem);
  }

  #rangeProblem(first: number, count: number): string | undefined {
    if (count === 0) return 'has no blocks';
    if (first === 0) return 'begins at block 0, where the partition table is';
    if (first + count <= this.#blockCount) return undefined;
    return `has ${count} blocks from ${first} on, which is beyond the end of the disk (${this.#blockCount} blocks)`;
  }

  #fault(number: number, problem: string): void {
    this.#faults.set(number, problem);
    this.#problems.push(`partition ${number} ${problem}`);
  }

  /** Follows the chain of an extended partition. It must go forward, so that it cannot lead back to itself. */
  async #logical(extended: Found): Promise<void> {
    const end = extended.first + extended.count;
    let at = extended.first;
    for (let number = FIRST_LOGICAL; number < FIRST_LOGICAL + LOGICAL_MAX; number++) {
      const record = readExtendedBootRecord(await this.#read(at));
      if (record === undefined) {
        this.#problems.push(
          `block ${at} of extended partition ${extended.number} is no extended boot record`,
        );
        return;
      }
      const { logical, next } = record;
      if (logical.type !== 0) this.#addLogical(number, at, logical, end);
      if (next.type === 0 || next.count === 0) return;
      const nextAt = extended.first + next.first;
      if (nextAt <= at || nextAt >= end) {
        this.#problems.push(
          `the chain of extended partition ${extended.number} leads from block ${at} to ${nextAt}`,
        );
        return;
      }
      at = nextAt;
    }
    this.#problems.push(`extended partition ${extended.number} has more than ${LOGICAL_MAX} partitions`);
  }

  #addLogical(number: number, at: number, { first, count }: TableEntry, end: number): void {
    if (first === 0) this.#fault(number, `begins at block ${at}, where its boot record is`);
    else if (count > 0 && at + first + count > end) this.#fault(number, 'goes beyond its extended partition');
    else this.#add(number, at + first, count, false);
  }

  /** Two partitions on the same blocks are both wrong: nobody knows which. */
  #findOverlaps(): void {
    const sorted = this.#found.toSorted((left, right) => left.first - right.first);
    for (const [index, left] of sorted.entries()) {
      for (const right of sorted.slice(index + 1)) {
        if (right.first >= left.first + left.count) break;
        if (!contains(left, right) && !contains(right, left)) this.#overlap(left.number, right.number);
      }
    }
  }

  #overlap(one: number, other: number): void {
    const first = Math.min(one, other);
    const second = Math.max(one, other);
    if (this.#faults.has(first) && this.#faults.has(second)) return;
    this.#problems.push(`partitions ${first} and ${second} overlap`);
    this.#faults.set(first, `overlaps with partition ${second}`);
    this.#faults.set(second, `overlaps with partition ${first}`);
  }
}

function contains(outer: Found, inner: Found): boolean {
  return outer.container && inner.number >= FIRST_LOGICAL;
}
