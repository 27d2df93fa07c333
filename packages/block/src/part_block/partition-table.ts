/**
 * The partitions of a disk, found and checked. A partition that cannot be used is left out, with a
 * reason.
 *
 * Logical partitions are numbered from 5 on in the order of their chain, as Linux, sfdisk, parted
 * and Genode do: boot records without a partition do not count, partitions that cannot be used do.
 * These programs disagree where a record holds something odd or a chain is broken. Nobody can be
 * sure then which partition a number means, so from there on none can be used.
 */
import { isExtended, readExtendedBootRecord, readMasterBootRecord, type TableEntry } from './mbr.ts';

/**
 * The largest number of logical partitions that are looked for. It bounds the boot records that are
 * read for that, too.
 */
const LOGICAL_MAX = 128;
const RECORDS_MAX = 256;
const FIRST_LOGICAL = 5;
/** The number that stands for a whole disk without partitions. */
export const WHOLE_DISK = 0;

/** A part of the disk that can be used. */
export interface Partition {
  readonly number: number;
  readonly first: number;
  readonly count: number;
}

/** The contents of a disk. */
export interface PartitionTable {
  readonly partitions: ReadonlyMap<number, Partition>;
  /** Why a partition of the table cannot be used, by its number. */
  readonly faults: ReadonlyMap<number, string>;
  /** The reason why a number has no partition at all, as the end of a sentence. */
  readonly absence: string;
  /** Problems of the disk as a whole, and lines for the log. */
  readonly problems: readonly string[];
}

/**
 * Reads a block of the disk: at least the bytes of a boot record, in memory that nobody else can
 * change.
 */
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

/** An extended partition: its range as the table lists it, even if the disk ends before it does. */
type Container = Partition;

/** A partition on the disk. */
interface Found extends Partition {
  readonly container: boolean;
  /** The extended partition that contains it. */
  readonly within: number | undefined;
}

class TableReader {
  readonly #read: ReadBootRecord;
  readonly #blockCount: number;
  readonly #found: Found[] = [];
  readonly #faults = new Map<number, string>();
  readonly #problems: string[] = [];
  /**
   * The blocks of the boot records that have been read. A chain that comes to one of them again
   * would never end.
   */
  readonly #records = new Set<number>();
  #nextLogical = FIRST_LOGICAL;
  /** The reason why the numbers of further logical partitions are not certain. */
  #doubt: string | undefined;

  constructor(read: ReadBootRecord, blockCount: number) {
    this.#read = read;
    this.#blockCount = blockCount;
  }

  async table(entries: readonly TableEntry[]): Promise<PartitionTable> {
    const containers: Container[] = [];
    for (const [index, entry] of entries.entries()) {
      const { type, first, count } = entry;
      if (type === 0) continue;
      const partition = { number: index + 1, first, count };
      if (isExtended(entry)) containers.push(partition);
      else this.#add(partition);
    }
    for (const container of containers) {
      this.#addContainer(container);
      await this.#follow(container);
    }
    this.#findOverlaps();
    this.#findCoveredRecords();
    const usable = this.#found.filter(({ number, container }) => !container && !this.#faults.has(number));
    for (const { number } of containers) {
      if (!this.#faults.has(number))
        this.#faults.set(number, 'is an extended partition, which only holds others');
    }
    return {
      partitions: new Map(usable.map(({ number, first, count }) => [number, { number, first, count }])),
      faults: this.#faults,
      absence: 'the partition table has no such entry',
      problems: this.#problems,
    };
  }

  #add(partition: Partition, within?: number): void {
    const problem = this.#rangeProblem(partition);
    if (problem === undefined) this.#found.push({ ...partition, container: false, within });
    else this.#fault(partition.number, problem);
  }

  /** Adds an extended partition. One that is longer than the disk keeps the part that fits. */
  #addContainer(container: Container): void {
    const problem = this.#rangeProblem(container);
    if (problem !== undefined) this.#fault(container.number, problem);
    const { number, first, count } = container;
    const end = Math.min(first + count, this.#blockCount);
    if (first > 0 && first < end)
      this.#found.push({ number, first, count: end - first, container: true, within: undefined });
  }

  #rangeProblem({ first, count }: Partition): string | undefined {
    if (count === 0) return 'has no blocks';
    if (first === 0) return 'begins at block 0, where the partition table is';
    if (first + count <= this.#blockCount) return undefined;
    return `has ${count} blocks from ${first} on, which is beyond the end of the disk (${this.#blockCount} blocks)`;
  }

  #fault(number: number, problem: string): void {
    this.#faults.set(number, problem);
    this.#problems.push(`partition ${number} ${problem}`);
  }

  /** Follows the chain of an extended partition; it may go back and forth on the disk. */
  async #follow(container: Container): Promise<void> {
    const { number, first, count } = container;
    if (first === 0 || count === 0 || first >= this.#blockCount) {
      this.#doubt ??= `extended partition ${number} cannot be read`;
      return;
    }
    for (let at: number | undefined = first; at !== undefined; ) {
      if (this.#records.has(at)) return this.#broken(container, `comes to block ${at} a second time`);
      if (at < first || at >= first + count)
        return this.#broken(container, `leads out of it, to block ${at}`);
      if (at >= this.#blockCount)
        return this.#broken(container, `leads to block ${at}, beyond the end of the disk`);
      if (this.#records.size === RECORDS_MAX)
        return this.#broken(container, `has more than ${RECORDS_MAX} boot records`);
      this.#records.add(at);
      at = await this.#takeRecord(container, at);
    }
  }

  /** Adds the contents of the boot record at `at`. The result is the block of the next record. */
  async #takeRecord(container: Container, at: number): Promise<number | undefined> {
    const end = container.first + container.count;
    const within = (entry: TableEntry): boolean => at + entry.first + entry.count <= end;
    const record = readExtendedBootRecord(await this.#read(at), within);
    if (record === undefined) {
      this.#broken(container, `comes to block ${at}, which is no extended boot record`);
      return undefined;
    }
    const { logical, link, doubt } = record;
    if (doubt !== undefined && this.#doubt === undefined) {
      this.#doubt = `the boot record in block ${at} holds ${doubt}`;
      this.#problems.push(`${this.#doubt}: partitions from ${this.#nextLogical} on cannot be told apart`);
    }
    if (logical) {
      if (this.#nextLogical === FIRST_LOGICAL + LOGICAL_MAX) {
        this.#broken(container, `holds more than ${LOGICAL_MAX} partitions`);
        return undefined;
      }
      this.#addLogical(container, at, logical);
    }
    return link && container.first + link.first;
  }

  #addLogical(container: Container, at: number, { first, count }: TableEntry): void {
    const number = this.#nextLogical++;
    const end = container.first + container.count;
    if (this.#doubt !== undefined)
      this.#faults.set(number, `has no certain number: ${this.#doubt}, which programs count differently`);
    else if (first === 0) this.#fault(number, `begins at block ${at}, where its boot record is`);
    else if (at + first + count > end) this.#fault(number, 'goes beyond its extended partition');
    else this.#add({ number, first: at + first, count }, container.number);
  }

  /**
   * Notes that a chain is broken. Partitions that were found before stay certain, because every
   * program counts from the start.
   */
  #broken({ number }: Container, what: string): void {
    this.#problems.push(`the chain of extended partition ${number} ${what}`);
    this.#doubt ??= `the chain of extended partition ${number} is broken`;
  }

  /**
   * Finds partitions on the same blocks. Both are wrong, because nobody knows which one is right.
   */
  #findOverlaps(): void {
    const sorted = this.#found.toSorted((left, right) => left.first - right.first);
    for (const [index, left] of sorted.entries()) {
      for (const right of sorted.slice(index + 1)) {
        if (right.first >= left.first + left.count) break;
        if (right.within !== left.number && left.within !== right.number)
          this.#overlap(left.number, right.number);
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

  /** Finds partitions that cover a boot record: a write to them would change other partitions. */
  #findCoveredRecords(): void {
    for (const { number, first, count, container } of this.#found) {
      if (container || this.#faults.has(number)) continue;
      const covered = [...this.#records].find((block) => block >= first && block < first + count);
      if (covered !== undefined) this.#fault(number, `goes over the boot record in block ${covered}`);
    }
  }
}
