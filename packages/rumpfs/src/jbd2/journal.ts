import type { ChangeGate } from '../buffer/change-gate.ts';
import type { LoggedBlock, MetadataLog } from '../buffer/metadata-log.ts';
import { FsError } from '../errors.ts';
import type { JournalPlace } from './journal-place.ts';
import {
  BLOCK_TYPE,
  blockChecksum,
  COMMIT_CHECKSUM_OFFSET,
  HEADER_BYTES,
  JOURNAL_MAGIC,
  type JournalSuperblock,
  TAG_FLAG,
  UUID_BYTES,
} from './journal-superblock.ts';
import { next, tagChecksum } from './scan.ts';

/** The part of a journal that one transaction may take. */
const TRANSACTION_PART = 2;
/** Blocks go to the journal in requests of about this length. */
const REQUEST_BYTES = 128 * 1024;

/** A transaction between its beginning and its commit. */
interface Transaction {
  readonly blocks: readonly LoggedBlock[];
  readonly revoked: readonly number[];
}

/**
 * Writes transactions to a journal: one at a time, each of which is brought to its place before the
 * next one is committed. So the room of all transactions before can be had by one sync, when the
 * ring is full.
 *
 *     data, then descriptors and blocks · sync · commit block · sync · blocks to their places
 */
export class Journal implements MetadataLog {
  readonly #place: JournalPlace;
  readonly #superblock: JournalSuperblock;
  readonly #gate: ChangeGate;
  readonly #now: () => Promise<number>;
  /** The next block of the ring to be written, and the number of those that follow it freely. */
  #head: number;
  #free: number;
  #sequence: number;
  /** Whether the device's superblock of the journal leads to what is in the ring. */
  #started = false;
  /** Whether the last transaction has yet to be brought to its place. */
  #unplaced = false;
  /** Whether part of a transaction that failed may be in the ring. */
  #spoiled = false;
  #transaction: Transaction | undefined = undefined;
  /** The blocks that the ring has, so that a replay would overwrite them. */
  readonly #logged = new Set<number>();
  #revoked = new Set<number>();

  /** The journal must be empty. */
  constructor(
    place: JournalPlace,
    superblock: JournalSuperblock,
    gate: ChangeGate,
    now: () => Promise<number>,
  ) {
    this.#place = place;
    this.#superblock = superblock;
    this.#gate = gate;
    this.#now = now;
    this.#head = superblock.first;
    this.#free = this.#capacity;
    this.#sequence = superblock.sequence;
  }

  /** The most blocks of one transaction. */
  static transactionMax(superblock: JournalSuperblock): number {
    return Math.floor((superblock.end - superblock.first) / TRANSACTION_PART);
  }

  /** The number of the next transaction. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * Says that blocks are free now. What the ring has of them must not be replayed, since they may
   * get other contents as soon as that is durable.
   */
  freed(first: number, count: number): void {
    if (count > this.#logged.size) {
      for (const block of this.#logged) if (block >= first && block < first + count) this.#revoked.add(block);
      return;
    }
    for (let block = first; block < first + count; block += 1) {
      if (this.#logged.has(block)) this.#revoked.add(block);
    }
  }

  quiesce(): Promise<void> {
    return this.#gate.close();
  }

  begin(blocks: readonly LoggedBlock[]): void {
    this.#transaction = { blocks, revoked: [...this.#revoked] };
    this.#revoked = new Set();
    for (const { block } of blocks) this.#logged.add(block);
    this.#gate.open();
  }

  abandon(): void {
    for (const block of this.#transaction?.revoked ?? []) this.#revoked.add(block);
    this.#transaction = undefined;
  }

  placed(): void {
    this.#unplaced = false;
  }

  async commit(): Promise<boolean> {
    const { blocks, revoked } = this.#transaction ?? { blocks: [], revoked: [] };
    if (blocks.length === 0 && revoked.length === 0) return false;
    const needed = this.#blocksFor(blocks.length, revoked.length);
    if (needed > this.#capacity)
      throw new FsError('InputOutput', `a transaction of ${needed} blocks does not fit into the journal`);
    if (needed > this.#free || this.#spoiled) await this.#empty(blocks);
    this.#spoiled = true;
    if (!this.#started) await this.#writeSuperblock(this.#head);
    await this.#write(this.#partsOf(blocks, revoked));
    await this.#place.sync();
    await this.#write([await this.#commitBlock()]);
    await this.#place.sync();
    this.#spoiled = false;
    this.#started = true;
    this.#unplaced = true;
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#transaction = undefined;
    return true;
  }

  /** Leaves an empty journal. Every transaction must have been brought to its place. */
  async finish(): Promise<void> {
    await this.#place.sync();
    this.#superblock.sequence = this.#sequence;
    await this.#writeSuperblock(0);
    await this.#place.sync();
    this.#started = false;
  }

  get #capacity(): number {
    return this.#superblock.end - this.#superblock.first;
  }

  /** Gives up what is in the ring: all of it has been brought to its place. */
  async #empty(kept: readonly LoggedBlock[]): Promise<void> {
    if (this.#unplaced)
      throw new FsError('InputOutput', 'journal: the last transaction is not at its place yet');
    await this.#place.sync();
    // What a transaction that failed has left in the ring has this number.
    if (this.#spoiled) this.#sequence = (this.#sequence + 1) >>> 0;
    await this.#writeSuperblock(this.#head);
    await this.#place.sync();
    this.#spoiled = false;
    this.#started = true;
    this.#free = this.#capacity;
    this.#logged.clear();
    for (const { block } of kept) this.#logged.add(block);
  }

  async #writeSuperblock(start: number): Promise<void> {
    this.#superblock.start = start;
    this.#superblock.sequence = this.#sequence;
    await this.#place.write(0, this.#superblock.sealed());
  }

  /** Writes blocks at the head of the ring. */
  async #write(parts: readonly Uint8Array[]): Promise<void> {
    const size = this.#place.blockSizeBytes;
    const most = Math.max(1, Math.floor(REQUEST_BYTES / size));
    for (let index = 0; index < parts.length; ) {
      const toEnd = this.#superblock.end - this.#head;
      const count = this.#place.adjacent(this.#head, Math.min(most, parts.length - index, toEnd));
      const request = new Uint8Array(count * size);
      for (let at = 0; at < count; at += 1) request.set(parts[index + at] ?? [], at * size);
      await this.#place.write(this.#head, request);
      index += count;
      for (let step = 0; step < count; step += 1) this.#head = next(this.#superblock, this.#head);
      this.#free -= count;
    }
  }

  /** The number of blocks that a transaction takes in the ring. */
  #blocksFor(blocks: number, revoked: number): number {
    const descriptors = Math.ceil(blocks / this.#tagsPerBlock);
    return Math.ceil(revoked / this.#revocationsPerBlock) + descriptors + blocks + 1;
  }

  get #tagsPerBlock(): number {
    const { tagBytes, tailBytes } = this.#superblock;
    return Math.floor((this.#place.blockSizeBytes - HEADER_BYTES - UUID_BYTES - tailBytes) / tagBytes);
  }

  get #revocationsPerBlock(): number {
    const { wide, tailBytes } = this.#superblock;
    return Math.floor((this.#place.blockSizeBytes - HEADER_BYTES - 4 - tailBytes) / (wide ? 8 : 4));
  }

  /** All blocks of a transaction but its commit block. */
  #partsOf(blocks: readonly LoggedBlock[], revoked: readonly number[]): Uint8Array[] {
    const perDescriptor = this.#tagsPerBlock;
    const parts: Uint8Array[] = this.#revocations(revoked);
    for (let from = 0; from < blocks.length; from += perDescriptor) {
      parts.push(...this.#described(blocks.slice(from, from + perDescriptor)));
    }
    return parts;
  }

  /** A descriptor block and the blocks that it describes. */
  #described(blocks: readonly LoggedBlock[]): Uint8Array[] {
    const descriptor = this.#headed(BLOCK_TYPE.descriptor);
    const parts = [descriptor];
    let offset = HEADER_BYTES;
    for (const [index, { block, bytes }] of blocks.entries()) {
      const escaped = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0) === JOURNAL_MAGIC;
      const content = escaped ? bytes.slice() : bytes;
      if (escaped) content.fill(0, 0, 4);
      const flags =
        (escaped ? TAG_FLAG.escaped : 0) |
        (index > 0 ? TAG_FLAG.sameUuid : 0) |
        (index === blocks.length - 1 ? TAG_FLAG.last : 0);
      this.#writeTag(descriptor, offset, block, flags, content);
      offset += this.#superblock.tagBytes;
      if (index === 0) {
        descriptor.set(this.#superblock.uuid, offset);
        offset += UUID_BYTES;
      }
      parts.push(content);
    }
    this.#sealTail(descriptor);
    return parts;
  }

  #writeTag(into: Uint8Array, offset: number, block: number, flags: number, content: Uint8Array): void {
    const { checksums3, checksummed, wide } = this.#superblock;
    const view = new DataView(into.buffer, into.byteOffset);
    const checksum = checksummed ? tagChecksum(this.#superblock, this.#sequence, content) : 0;
    view.setUint32(offset, block % 2 ** 32);
    if (wide) view.setUint32(offset + 8, Math.floor(block / 2 ** 32));
    if (checksums3) {
      view.setUint32(offset + 4, flags);
      view.setUint32(offset + 12, checksum);
    } else {
      view.setUint16(offset + 4, checksum);
      view.setUint16(offset + 6, flags);
    }
  }

  #revocations(revoked: readonly number[]): Uint8Array[] {
    const { wide } = this.#superblock;
    const size = wide ? 8 : 4;
    const perBlock = this.#revocationsPerBlock;
    const parts: Uint8Array[] = [];
    for (let from = 0; from < revoked.length; from += perBlock) {
      const bytes = this.#headed(BLOCK_TYPE.revocation);
      const view = new DataView(bytes.buffer);
      let offset = HEADER_BYTES + 4;
      for (const block of revoked.slice(from, from + perBlock)) {
        if (wide) view.setUint32(offset, Math.floor(block / 2 ** 32));
        view.setUint32(offset + size - 4, block % 2 ** 32);
        offset += size;
      }
      view.setUint32(HEADER_BYTES, offset);
      this.#sealTail(bytes);
      parts.push(bytes);
    }
    return parts;
  }

  async #commitBlock(): Promise<Uint8Array> {
    const bytes = this.#headed(BLOCK_TYPE.commit);
    const view = new DataView(bytes.buffer);
    const nowMs = await this.#now();
    const seconds = Math.floor(nowMs / 1000);
    view.setUint32(48, Math.floor(seconds / 2 ** 32));
    view.setUint32(52, seconds % 2 ** 32);
    view.setUint32(56, Math.floor(nowMs - seconds * 1000) * 1e6);
    if (this.#superblock.checksummed) {
      const checksum = blockChecksum(this.#superblock.checksumSeed, bytes, COMMIT_CHECKSUM_OFFSET);
      view.setUint32(COMMIT_CHECKSUM_OFFSET, checksum);
    }
    return bytes;
  }

  #headed(type: number): Uint8Array {
    const bytes = new Uint8Array(this.#place.blockSizeBytes);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, JOURNAL_MAGIC);
    view.setUint32(4, type);
    view.setUint32(8, this.#sequence);
    return bytes;
  }

  #sealTail(bytes: Uint8Array): void {
    if (!this.#superblock.checksummed) return;
    const offset = bytes.length - this.#superblock.tailBytes;
    const checksum = blockChecksum(this.#superblock.checksumSeed, bytes, offset);
    new DataView(bytes.buffer).setUint32(offset, checksum);
  }
}
