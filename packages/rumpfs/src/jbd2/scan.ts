import { CRC_START, crc32BigEndian, crc32c } from '../checksum/crc.ts';
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
  wrong,
} from './journal-superblock.ts';

/** The newest content of a block of the file system: where the journal has it. */
export interface ReplayedBlock {
  readonly logical: number;
  /** The content's first four bytes were the magic number, and are zero in the journal. */
  readonly escaped: boolean;
}

/** What a replay has to bring to its place. */
export interface Scan {
  readonly blocks: ReadonlyMap<number, ReplayedBlock>;
  readonly transactions: number;
  /** The number of the transaction that would follow. */
  readonly sequence: number;
}

/** What the tag of a descriptor block says. */
interface Tag {
  readonly block: number;
  readonly flags: number;
  readonly checksum: number;
}

/** A descriptor block of a transaction. */
interface Descriptor {
  readonly logical: number;
  readonly sequence: number;
}

/** The files that a scan works with. */
interface Source {
  readonly place: JournalPlace;
  readonly superblock: JournalSuperblock;
  readonly blocksCount: number;
}

/**
 * Finds the transactions that were committed, and for each block that they have the newest content
 * that is not revoked. Nothing is written. Reads each block of the journal twice at most, whatever
 * it holds. Rejects with `Corrupt` where a committed transaction is damaged.
 */
export async function scanJournal(
  place: JournalPlace,
  superblock: JournalSuperblock,
  blocksCount: number,
): Promise<Scan> {
  const source: Source = { place, superblock, blocksCount };
  const log = new Log(source);
  await log.scan();
  const blocks = new Map<number, ReplayedBlock>();
  for (const descriptor of log.descriptors) await collect(source, descriptor, log.revoked, blocks);
  return { blocks, transactions: log.transactions, sequence: log.sequence };
}

/** The walk along the transactions. */
class Log {
  /** The descriptor blocks of transactions that were committed, in their order. */
  readonly descriptors: Descriptor[] = [];
  /** For each revoked block, the newest transaction that revokes it. */
  readonly revoked = new Map<number, number>();
  transactions = 0;
  sequence: number;
  readonly #source: Source;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Those of the transaction that is being read, which may not be committed. */
  #descriptors: Descriptor[] = [];
  #revoked: number[] = [];
  #damage = '';
  #checksum = CRC_START;

  constructor(source: Source) {
    this.#source = source;
    this.sequence = source.superblock.sequence;
    this.#bytes = new Uint8Array(source.place.blockSizeBytes);
    this.#view = new DataView(this.#bytes.buffer);
  }

  async scan(): Promise<void> {
    const { superblock, place } = this.#source;
    let logical = superblock.start;
    if (logical === 0) return;
    for (let left = superblock.end - superblock.first; left > 0; ) {
      await place.read(logical, this.#bytes);
      if (this.#view.getUint32(0) !== JOURNAL_MAGIC || this.#view.getUint32(8) !== this.sequence) return;
      const type = this.#view.getUint32(4);
      let used = 1;
      if (type === BLOCK_TYPE.descriptor) used += await this.#descriptor(logical);
      else if (type === BLOCK_TYPE.revocation) this.#revocation(logical);
      else if (type !== BLOCK_TYPE.commit || !this.#commit()) return;
      left -= used;
      for (; used > 0; used -= 1) logical = next(superblock, logical);
    }
  }

  /** Notes a descriptor block. The result is the number of blocks that follow it. */
  async #descriptor(logical: number): Promise<number> {
    const { superblock, place } = this.#source;
    this.#checkTail(logical);
    if (this.#descriptors.length === 0 && this.#revoked.length === 0) this.#checksum = CRC_START;
    const tags = readTags(this.#source, logical, this.#bytes, (what) => (this.#damage ||= what));
    this.#descriptors.push({ logical, sequence: this.sequence });
    if (!superblock.commitsChecksummed) return tags.length;
    this.#checksum = crc32BigEndian(this.#checksum, this.#bytes);
    for (let count = 0, block = logical; count < tags.length; count += 1) {
      block = next(superblock, block);
      await place.read(block, this.#bytes);
      this.#checksum = crc32BigEndian(this.#checksum, this.#bytes);
    }
    return tags.length;
  }

  #revocation(logical: number): void {
    const { superblock } = this.#source;
    this.#checkTail(logical);
    const size = superblock.wide ? 8 : 4;
    const end = this.#view.getUint32(HEADER_BYTES);
    if (end > this.#bytes.length - superblock.tailBytes) {
      this.#damage ||= `block ${logical} has ${end} bytes of revocations`;
      return;
    }
    for (let offset = HEADER_BYTES + 4; offset + size <= end; offset += size) {
      const high = superblock.wide ? this.#view.getUint32(offset) : 0;
      this.#revoked.push(high * 2 ** 32 + this.#view.getUint32(offset + size - 4));
    }
  }

  /** Takes in a transaction that was committed; false where it was not after all. */
  #commit(): boolean {
    if (!this.#isCommitted()) return false;
    if (this.#damage !== '') throw wrong(`transaction ${this.sequence}: ${this.#damage}`);
    this.descriptors.push(...this.#descriptors);
    for (const block of this.#revoked) this.revoked.set(block, this.sequence);
    this.#descriptors = [];
    this.#revoked = [];
    this.#checksum = CRC_START;
    this.transactions += 1;
    this.sequence = (this.sequence + 1) >>> 0;
    return true;
  }

  #isCommitted(): boolean {
    const { superblock } = this.#source;
    const found = this.#view.getUint32(COMMIT_CHECKSUM_OFFSET);
    if (superblock.checksummed) {
      return found === blockChecksum(superblock.checksumSeed, this.#bytes, COMMIT_CHECKSUM_OFFSET);
    }
    if (!superblock.commitsChecksummed) return true;
    const none = this.#view.getUint8(12) === 0 && found === 0;
    return none || found === this.#checksum;
  }

  #checkTail(logical: number): void {
    const { superblock } = this.#source;
    if (!superblock.checksummed) return;
    const offset = this.#bytes.length - superblock.tailBytes;
    const expected = blockChecksum(superblock.checksumSeed, this.#bytes, offset);
    if (this.#view.getUint32(offset) !== expected) this.#damage ||= `block ${logical} has a wrong checksum`;
  }
}

/** Adds the blocks of a descriptor block to those that are to be replayed. */
async function collect(
  source: Source,
  descriptor: Descriptor,
  revoked: ReadonlyMap<number, number>,
  blocks: Map<number, ReplayedBlock>,
): Promise<void> {
  const { place, superblock } = source;
  const { sequence } = descriptor;
  const bytes = new Uint8Array(place.blockSizeBytes);
  await place.read(descriptor.logical, bytes);
  let { logical } = descriptor;
  const refuse = (what: string): never => {
    throw wrong(`transaction ${sequence}: ${what}`);
  };
  for (const { block, flags, checksum } of readTags(source, logical, bytes, refuse)) {
    logical = next(superblock, logical);
    const gone = revoked.get(block);
    if (gone !== undefined && ((gone - sequence) | 0) >= 0) continue;
    if (superblock.checksummed) {
      await place.read(logical, bytes);
      if (tagChecksum(superblock, sequence, bytes) !== checksum)
        throw refuse(`block ${logical}, for block ${block}, has a wrong checksum`);
    }
    blocks.delete(block);
    blocks.set(block, { logical, escaped: (flags & TAG_FLAG.escaped) !== 0 });
  }
}

/** The tags of a descriptor block. `report` is told of what contradicts the format. */
function readTags(
  { superblock, place, blocksCount }: Source,
  logical: number,
  bytes: Uint8Array,
  report: (what: string) => void,
): Tag[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = bytes.length - superblock.tailBytes;
  const tags: Tag[] = [];
  for (let offset = HEADER_BYTES; offset + superblock.tagBytes <= end; ) {
    const tag = readTag(superblock, view, offset);
    if (tag.block >= blocksCount) report(`block ${logical} has a tag for block ${tag.block} beyond the last`);
    else if (place.contains(tag.block))
      report(`block ${logical} has a tag for the journal's own ${tag.block}`);
    tags.push(tag);
    if ((tag.flags & TAG_FLAG.last) !== 0) break;
    offset += superblock.tagBytes + ((tag.flags & TAG_FLAG.sameUuid) === 0 ? UUID_BYTES : 0);
  }
  return tags;
}

function readTag(superblock: JournalSuperblock, view: DataView, offset: number): Tag {
  const low = view.getUint32(offset);
  if (superblock.checksums3) {
    const high = superblock.wide ? view.getUint32(offset + 8) : 0;
    return {
      block: high * 2 ** 32 + low,
      flags: view.getUint32(offset + 4),
      checksum: view.getUint32(offset + 12),
    };
  }
  const high = superblock.wide ? view.getUint32(offset + 8) : 0;
  return {
    block: high * 2 ** 32 + low,
    flags: view.getUint16(offset + 6),
    checksum: view.getUint16(offset + 4),
  };
}

/** The checksum that a tag has of its block, as it stands in the journal. */
export function tagChecksum(superblock: JournalSuperblock, sequence: number, bytes: Uint8Array): number {
  const number = new DataView(new ArrayBuffer(4));
  number.setUint32(0, sequence);
  const checksum = crc32c(crc32c(superblock.checksumSeed, new Uint8Array(number.buffer)), bytes);
  return superblock.checksums3 ? checksum : checksum & 0xffff;
}

/** The block of the ring that follows. */
export function next(superblock: JournalSuperblock, logical: number): number {
  return logical + 1 >= superblock.end ? superblock.first : logical + 1;
}
