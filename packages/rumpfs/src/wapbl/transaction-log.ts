import type { ChangeGate } from '../buffer/change-gate.ts';
import type { LoggedBlock, MetadataLog } from '../buffer/metadata-log.ts';
import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { encodeHeader, type LogForm } from './log-header.ts';
import { type LoggedPlace, LogRecords, type UnnamedInode } from './log-records.ts';
import type { LogRest } from './replay-log.ts';

/** Records go to the log in requests of about this length. */
const REQUEST_BYTES = 128 * 1024;
/** The part of the ring that may be in use when another transaction begins. */
const USED_PART = 2;
/** The part of a transaction that the list of inodes without a name may take. */
const UNNAMED_PART = 8;

/** What a log works with. */
export interface LogSources {
  readonly bio: BlockIo;
  readonly gate: ChangeGate;
  now(): Promise<number>;
}

/** A transaction in the ring. */
interface Entry {
  readonly serial: number;
  readonly at: number;
  readonly lengthBytes: number;
  /** The units of the device that it has. */
  readonly units: readonly number[];
}

/** A transaction between its beginning and its commit. */
interface Transaction {
  readonly blocks: readonly LoggedBlock[];
  readonly revoked: readonly number[];
  readonly unnamed: readonly UnnamedInode[];
  readonly unnamedChanged: boolean;
}

const NOTHING: Transaction = { blocks: [], revoked: [], unnamed: [], unnamedChanged: false };

/**
 * Writes transactions to a log of WAPBL, one at a time. A header is what commits:
 *
 *     data, then the records · sync · header · sync · blocks to their places
 *
 * The first sync makes the blocks of earlier transactions durable at their places, too. So the same
 * header moves the tail on, and no more than half of the ring stays in use: the next transaction
 * has the other half, and never waits for room. A header goes to the place of the older one of the
 * two, so one of them always counts.
 */
export class TransactionLog implements MetadataLog {
  readonly #sources: LogSources;
  readonly #form: LogForm;
  readonly #unitBytes: number;
  readonly #records: LogRecords;
  readonly #unnamedMax: number;
  #generation: number;
  #newest: 0 | 1;
  #head: number;
  #serial = 0;
  #entries: Entry[] = [];
  /** For each unit that the ring has: the last transaction with it. */
  readonly #logged = new Map<number, number>();
  #revoked = new Set<number>();
  readonly #unnamed = new Map<number, number>();
  #unnamedChanged = false;
  #transaction: Transaction | undefined = undefined;
  /** Whether a header that was not acknowledged may be on the device. */
  #doubtful = false;

  /**
   * @param unitBytes the bytes of what blocks are numbered by
   * @param rest what is in the log: nothing, or the list of `unnamed` inodes
   */
  constructor(
    sources: LogSources,
    form: LogForm,
    unitBytes: number,
    rest: LogRest,
    unnamed: readonly UnnamedInode[] = [],
  ) {
    this.#sources = sources;
    this.#form = form;
    this.#unitBytes = unitBytes;
    this.#records = new LogRecords(form, unitBytes);
    this.#unnamedMax = TransactionLog.unnamedMax(form);
    this.#generation = rest.generation;
    this.#newest = rest.newest;
    this.#head = rest.head === 0 ? form.ringAt : rest.head;
    for (const { id, mode } of unnamed) this.#unnamed.set(id, mode);
    if (rest.head !== rest.tail) {
      const lengthBytes = (rest.head - rest.tail + form.ringBytes) % form.ringBytes;
      this.#entries.push({ serial: 0, at: rest.tail, lengthBytes, units: [] });
    }
  }

  /** The most bytes that a transaction may have, with its lists. */
  static transactionBytes({ place, ringBytes }: LogForm): number {
    const blocks = Math.floor(ringBytes / USED_PART / place.blockBytes) - 1;
    return Math.max(0, blocks) * place.blockBytes;
  }

  /** The most inodes without a name that have room in a list. */
  static unnamedMax(form: LogForm): number {
    const { blockBytes } = form.place;
    const records = Math.floor(TransactionLog.transactionBytes(form) / UNNAMED_PART / blockBytes);
    return records * LogRecords.itemsPerRecord(blockBytes, 'inodes');
  }

  /** The most bytes of contents of a transaction, whatever lists it has. */
  static contentsBytes(form: LogForm, unitBytes: number): number {
    const bytes = TransactionLog.transactionBytes(form) * (1 - 1 / UNNAMED_PART);
    const perRecord = LogRecords.itemsPerRecord(form.place.blockBytes, 'places');
    // Each unit may be an item of a list of blocks, and another one of a list of revocations.
    const listed = unitBytes + (2 * form.place.blockBytes) / perRecord;
    return Math.floor(Math.max(0, bytes - 2 * form.place.blockBytes) / listed) * unitBytes;
  }

  /** Notes that an inode is in use without a name, or is no longer. */
  setUnnamed(id: number, mode: number | undefined): void {
    if (mode === undefined) {
      if (this.#unnamed.delete(id)) this.#unnamedChanged = true;
      return;
    }
    // More of them have no room: after a power failure a check has to free those.
    if (this.#unnamed.size >= this.#unnamedMax) return;
    this.#unnamed.set(id, mode);
    this.#unnamedChanged = true;
  }

  /**
   * Says that units are free now. What the ring has of them must not be replayed, since they may
   * get other contents as soon as that is durable.
   */
  freed(first: number, count: number): void {
    for (let unit = first; unit < first + count; unit += 1)
      if (this.#logged.has(unit)) this.#revoked.add(unit);
  }

  quiesce(): Promise<void> {
    return this.#sources.gate.close();
  }

  begin(blocks: readonly LoggedBlock[]): void {
    const unnamed = [...this.#unnamed].map(([id, mode]) => ({ id, mode }));
    const unnamedChanged = this.#unnamedChanged;
    this.#transaction = { blocks, revoked: [...this.#revoked], unnamed, unnamedChanged };
    // What is freed from now on is void in this transaction, too.
    for (const unit of this.#revoked) this.#logged.delete(unit);
    for (const unit of this.#unitsOf(blocks)) this.#logged.set(unit, this.#serial + 1);
    this.#revoked = new Set();
    this.#unnamedChanged = false;
    this.#sources.gate.open();
  }

  abandon(): void {
    const { revoked, unnamedChanged } = this.#transaction ?? NOTHING;
    for (const unit of revoked) this.#revoked.add(unit);
    this.#unnamedChanged ||= unnamedChanged;
    this.#transaction = undefined;
  }

  placed(): void {
    // The next commit begins when everything is at its place: see `WriteBack`.
  }

  async commit(): Promise<boolean> {
    const { blocks, revoked, unnamed, unnamedChanged } = this.#transaction ?? NOTHING;
    if (blocks.length === 0 && revoked.length === 0 && !unnamedChanged) return false;
    const records = this.#records.of({ blocks, revoked: this.#placesOf(revoked), unnamed });
    const lengthBytes = records.reduce((sum, bytes) => sum + bytes.length, 0);
    const entry = { serial: this.#serial + 1, at: this.#head, lengthBytes, units: this.#unitsOf(blocks) };
    if (lengthBytes > TransactionLog.transactionBytes(this.#form))
      throw new FsError(
        'InputOutput',
        `wapbl: a transaction of ${lengthBytes} bytes does not fit into the log`,
      );
    // A header of a transaction that failed would commit what is written in its place now.
    if (this.#doubtful) await this.#commitHeader(this.#head, this.#entries[0]);
    await this.#write(records);
    await this.#sync();
    const kept = this.#keptWith(entry);
    const head = this.#advance(this.#head, lengthBytes);
    await this.#commitHeader(head, kept[0]);
    this.#adopt(kept, entry);
    this.#head = head;
    this.#transaction = undefined;
    return true;
  }

  /** Leaves an empty log. Every transaction must have been brought to its place. */
  async finish(): Promise<void> {
    await this.#sync();
    await this.#commitHeader(0, undefined);
    this.#entries = [];
    this.#logged.clear();
    this.#head = this.#form.ringAt;
  }

  /** Makes a log that is empty, whatever was in its place. */
  async format(): Promise<void> {
    // Nothing leads to the log yet, so it does not matter which one of the two is written first.
    await this.#commitHeader(0, undefined);
    await this.#commitHeader(0, undefined);
  }

  /** The transactions that stay in the ring when another one comes. */
  #keptWith(entry: Entry): Entry[] {
    const most = this.#form.ringBytes / USED_PART;
    let used = entry.lengthBytes;
    const kept = [entry];
    for (const before of this.#entries.toReversed()) {
      used += before.lengthBytes;
      if (used > most) break;
      kept.unshift(before);
    }
    return kept;
  }

  /** Notes which transactions are in the ring now. */
  #adopt(kept: Entry[], entry: Entry): void {
    const first = kept[0]?.serial ?? entry.serial;
    for (const { serial, units } of this.#entries) {
      if (serial >= first) break;
      for (const unit of units) if (this.#logged.get(unit) === serial) this.#logged.delete(unit);
    }
    this.#entries = kept;
    this.#serial = entry.serial;
  }

  #unitsOf(blocks: readonly LoggedBlock[]): number[] {
    return blocks.flatMap(({ block, bytes }) =>
      Array.from({ length: bytes.length / this.#unitBytes }, (_unused, index) => block + index),
    );
  }

  /** The places of units, adjacent ones together. */
  #placesOf(units: readonly number[]): LoggedPlace[] {
    const places: { at: number; lengthBytes: number }[] = [];
    for (const unit of units.toSorted((one, other) => one - other)) {
      const last = places.at(-1);
      const at = unit * this.#unitBytes;
      if (last !== undefined && last.at + last.lengthBytes === at) last.lengthBytes += this.#unitBytes;
      else places.push({ at, lengthBytes: this.#unitBytes });
    }
    return places;
  }

  #advance(at: number, lengthBytes: number): number {
    const { ringAt, ringBytes } = this.#form;
    return ringAt + ((at - ringAt + lengthBytes) % ringBytes);
  }

  /** Writes records at the head, which stays where it is. */
  async #write(records: readonly Uint8Array[]): Promise<void> {
    const { ringAt, ringBytes } = this.#form;
    const whole = joined(records);
    let at = this.#head;
    for (let done = 0; done < whole.length; ) {
      const length = Math.min(REQUEST_BYTES, whole.length - done, ringAt + ringBytes - at);
      await this.#writeAt(at, whole.subarray(done, done + length));
      at = this.#advance(at, length);
      done += length;
    }
  }

  /** Makes it durable that the ring has records from an entry on up to a head. */
  async #commitHeader(head: number, first: Entry | undefined): Promise<void> {
    const index = this.#newest === 0 ? 1 : 0;
    const generation = this.#generation + 1;
    const empty = first === undefined;
    const nowMs = await this.#sources.now();
    const state = { generation, head: empty ? 0 : head, tail: empty ? 0 : first.at, nowMs };
    this.#doubtful = true;
    this.#generation = generation;
    await this.#writeAt(index * this.#form.place.blockBytes, encodeHeader(this.#form, state));
    await this.#sync();
    this.#newest = index;
    this.#doubtful = false;
  }

  async #writeAt(at: number, bytes: Uint8Array): Promise<void> {
    const { bio } = this.#sources;
    try {
      await bio.write((this.#form.place.at + at) / bio.sectorSizeBytes, bytes);
    } catch (error) {
      throw new FsError('InputOutput', `wapbl: byte ${at} of the log cannot be written: ${messageOf(error)}`);
    }
  }

  async #sync(): Promise<void> {
    try {
      await this.#sources.bio.sync();
    } catch (error) {
      throw new FsError('InputOutput', `wapbl: the device cannot sync: ${messageOf(error)}`);
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
