/** The partitions of a disk, as every kind of table is read. */

/** The number that stands for a whole disk without partitions. */
export const WHOLE_DISK = 0;

/** A range of blocks with the number of a partition. */
export interface Place {
  readonly number: number;
  readonly first: number;
  readonly count: number;
}

/** A part of the disk that can be used. */
export interface Partition extends Place {
  /** In an MBR two hexadecimal digits, in a GPT a GUID; `undefined` for the whole of a disk. */
  readonly type?: string;
  /** Its own GUID. Only a GPT has these, and names. */
  readonly guid?: string;
  readonly name?: string;
}

/** The kinds of tables, by the names that reports have for them. */
export type TableKind = 'disk' | 'mbr' | 'gpt';

/** The contents of a disk. */
export interface PartitionTable {
  /** The kind of table; `disk` is none. */
  readonly kind: TableKind;
  /** The GUID of the disk, if it has a GPT. */
  readonly guid?: string;
  readonly partitions: ReadonlyMap<number, Partition>;
  /** All partitions as the table lists them, those that cannot be used too. */
  readonly listed: readonly Partition[];
  /** Why a partition of the table cannot be used, by its number. */
  readonly faults: ReadonlyMap<number, string>;
  /** The reason why a number has no partition at all, as the end of a sentence. */
  readonly absence: string;
  /** What keeps partitions from being used: lines for the log. */
  readonly problems: readonly string[];
  /** What is odd, but keeps nothing from being used: further lines. */
  readonly warnings: readonly string[];
}

/** The table of a disk whose partitions cannot be told: none can be used. */
export function unusableTable(kind: TableKind, absence: string, problem: string): PartitionTable {
  return {
    kind,
    partitions: new Map(),
    listed: [],
    faults: new Map(),
    absence,
    problems: [problem],
    warnings: [],
  };
}

/** Why a partition cannot lie where the table says. */
export function rangeProblem({ first, count }: Place, blockCount: number): string | undefined {
  if (count === 0) return 'has no blocks';
  if (first === 0) return 'begins at block 0, where the partition table is';
  if (first + count <= blockCount) return undefined;
  return `has ${count} blocks from ${first} on, which is beyond the end of the disk (${blockCount} blocks)`;
}

/** Calls `found` for each two places that have blocks in common. */
export function eachOverlap<P extends Place>(places: readonly P[], found: (one: P, other: P) => void): void {
  const sorted = places.toSorted((left, right) => left.first - right.first);
  for (const [index, left] of sorted.entries()) {
    for (let next = index + 1; next < sorted.length; next++) {
      const right = sorted[next];
      if (right === undefined || right.first >= left.first + left.count) break;
      found(left, right);
    }
  }
}

/**
 * The faults of partitions. Of two that overlap both are wrong, because nobody knows which one is
 * right.
 */
export class Faults {
  readonly byNumber = new Map<number, string>();
  readonly problems: string[] = [];

  add(number: number, problem: string): void {
    this.byNumber.set(number, problem);
    this.problems.push(`partition ${number} ${problem}`);
  }

  has(number: number): boolean {
    return this.byNumber.has(number);
  }

  overlap(one: number, other: number): void {
    const first = Math.min(one, other);
    const second = Math.max(one, other);
    if (this.has(first) && this.has(second)) return;
    this.problems.push(`partitions ${first} and ${second} overlap`);
    this.byNumber.set(first, `overlaps with partition ${second}`);
    this.byNumber.set(second, `overlaps with partition ${first}`);
  }
}
