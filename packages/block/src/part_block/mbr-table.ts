/**
 * The partitions of an MBR with its extended partitions, found and checked. A partition that cannot
 * be used is left out, with a reason.
 *
 * Logical partitions are numbered from 5 on in the order of their chain, as Linux, sfdisk, parted
 * and Genode do: boot records without a partition do not count, partitions that cannot be used do.
 * These programs disagree where a record holds something odd or a chain is broken. Nobody can be
 * sure then which partition a number means, so from there on none can be used.
 */
import type { DiskBlocks } from './disk-blocks.ts';
import { isExtended, isProtective, readExtendedBootRecord, type TableEntry } from './mbr.ts';
import {
  eachOverlap,
  Faults,
  type Partition,
  type PartitionTable,
  type Place,
  rangeProblem,
} from './table.ts';

/**
 * The largest number of logical partitions that are looked for. It bounds the boot records that are
 * read for that, too.
 */
const LOGICAL_MAX = 128;
const RECORDS_MAX = 256;
const FIRST_LOGICAL = 5;

/** Checks the entries of a master boot record, and follows the chains of extended partitions. */
export function readMbrTable(disk: DiskBlocks, entries: readonly TableEntry[]): Promise<PartitionTable> {
  return new TableReader(disk).table(entries);
}

/** An extended partition: its range as the table lists it, even if the disk ends before it does. */
type Container = Place;

/** A partition on the disk. */
interface Found extends Place {
  readonly type: string;
  readonly container: boolean;
  /** The extended partition that contains it. */
  readonly within: number | undefined;
}

class TableReader {
  readonly #disk: DiskBlocks;
  readonly #found: Found[] = [];
  readonly #listed: Partition[] = [];
  readonly #faults = new Faults();
  /**
   * The blocks of the boot records that have been read. A chain that comes to one of them again
   * would never end.
   */
  readonly #records = new Set<number>();
  #nextLogical = FIRST_LOGICAL;
  /** The reason why the numbers of further logical partitions are not certain. */
  #doubt: string | undefined;

  constructor(disk: DiskBlocks) {
    this.#disk = disk;
  }

  async table(entries: readonly TableEntry[]): Promise<PartitionTable> {
    const containers: Container[] = [];
    for (const [index, entry] of entries.entries()) {
      const { type, first, count } = entry;
      if (type === 0) continue;
      const place = { number: index + 1, first, count };
      if (isProtective(entry)) this.#faults.add(place.number, 'protects a GPT');
      else if (isExtended(entry)) containers.push(place);
      else {
        this.#listed.push({ ...place, type: typeText(type) });
        this.#add({ ...place, type: typeText(type) });
      }
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
        this.#faults.byNumber.set(number, 'is an extended partition, which only holds others');
    }
    return {
      kind: 'mbr',
      partitions: new Map(
        usable.map(({ number, first, count, type }) => [number, { number, first, count, type }]),
      ),
      listed: this.#listed,
      faults: this.#faults.byNumber,
      absence: 'the partition table has no such entry',
      problems: this.#faults.problems,
      warnings: [],
    };
  }

  #add(partition: Place & { readonly type: string }, within?: number): void {
    const problem = rangeProblem(partition, this.#disk.blockCount);
    if (problem === undefined) this.#found.push({ ...partition, container: false, within });
    else this.#faults.add(partition.number, problem);
  }

  /** Adds an extended partition. One that is longer than the disk keeps the part that fits. */
  #addContainer(container: Container): void {
    const problem = rangeProblem(container, this.#disk.blockCount);
    if (problem !== undefined) this.#faults.add(container.number, problem);
    const { number, first, count } = container;
    const end = Math.min(first + count, this.#disk.blockCount);
    if (first > 0 && first < end)
      this.#found.push({ number, first, count: end - first, type: '', container: true, within: undefined });
  }

  /** Follows the chain of an extended partition; it may go back and forth on the disk. */
  async #follow(container: Container): Promise<void> {
    const { number, first, count } = container;
    if (first === 0 || count === 0 || first >= this.#disk.blockCount) {
      this.#doubt ??= `extended partition ${number} cannot be read`;
      return;
    }
    for (let at: number | undefined = first; at !== undefined; ) {
      if (this.#records.has(at)) return this.#broken(container, `comes to block ${at} a second time`);
      if (at < first || at >= first + count)
        return this.#broken(container, `leads out of it, to block ${at}`);
      if (at >= this.#disk.blockCount)
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
    const record = readExtendedBootRecord(await this.#disk.read(at, 1), within);
    if (record === undefined) {
      this.#broken(container, `comes to block ${at}, which is no extended boot record`);
      return undefined;
    }
    const { logical, link, doubt } = record;
    if (doubt !== undefined && this.#doubt === undefined) {
      this.#doubt = `the boot record in block ${at} holds ${doubt}`;
      this.#faults.problems.push(
        `${this.#doubt}: partitions from ${this.#nextLogical} on cannot be told apart`,
      );
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

  #addLogical(container: Container, at: number, { type, first, count }: TableEntry): void {
    const number = this.#nextLogical++;
    const end = container.first + container.count;
    this.#listed.push({ number, first: at + first, count, type: typeText(type) });
    if (this.#doubt !== undefined)
      this.#faults.byNumber.set(
        number,
        `has no certain number: ${this.#doubt}, which programs count differently`,
      );
    else if (first === 0) this.#faults.add(number, `begins at block ${at}, where its boot record is`);
    else if (at + first + count > end) this.#faults.add(number, 'goes beyond its extended partition');
    else this.#add({ number, first: at + first, count, type: typeText(type) }, container.number);
  }

  /**
   * Notes that a chain is broken. Partitions that were found before stay certain, because every
   * program counts from the start.
   */
  #broken({ number }: Container, what: string): void {
    this.#faults.problems.push(`the chain of extended partition ${number} ${what}`);
    this.#doubt ??= `the chain of extended partition ${number} is broken`;
  }

  /** Finds partitions on the same blocks; an extended one and those within it may be. */
  #findOverlaps(): void {
    eachOverlap(this.#found, (one, other) => {
      if (other.within !== one.number && one.within !== other.number)
        this.#faults.overlap(one.number, other.number);
    });
  }

  /** Finds partitions that cover a boot record: a write to them would change other partitions. */
  #findCoveredRecords(): void {
    for (const { number, first, count, container } of this.#found) {
      if (container || this.#faults.has(number)) continue;
      const covered = [...this.#records].find((block) => block >= first && block < first + count);
      if (covered !== undefined) this.#faults.add(number, `goes over the boot record in block ${covered}`);
    }
  }
}

/** A type as sfdisk writes it: two hexadecimal digits. */
function typeText(type: number): string {
  return type.toString(16).padStart(2, '0');
}
