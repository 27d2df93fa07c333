/**
 * The log of WAPBL as the checker reads it: two headers, the newer of which counts, and between its
 * tail and head records with blocks, with blocks that are void, and with inodes that have no name.
 * Nothing is written for a check: what follows looks at the device as it is after a replay.
 */
import { FsError } from '../../errors.ts';
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { bytesAt } from '../device.ts';
import type { FfsGeometry } from './geometry.ts';

const HEADER = 0x5741_424c;
const INODES = 0x5741_424d;
const VOID = 0x5741_424e;
const BLOCKS = 0x5741_424f;
const SECTOR_BYTES = 512;
const LIST_AT = 16;

/** What a log in use has. */
export interface CheckedLog {
  readonly records: number;
  /** Inodes in use that have no name. */
  readonly unnamed: ReadonlySet<number>;
  /** The sectors of 512 bytes that a replay changes, with their places in the log. */
  readonly sectors: ReadonlyMap<number, number>;
  /** The device as it is after a replay. */
  readonly after: BlockIo;
}

/**
 * Reads the log; undefined where none is in use, or it has nothing. Rejects with `Corrupt` for a
 * log that makes no sense, or `InputOutput`.
 */
export async function readLog(bio: BlockIo, geometry: FfsGeometry): Promise<CheckedLog | undefined> {
  const { log } = geometry;
  if (log === undefined) return undefined;
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  if (!(log.at > 0) || !(log.bytes >= 3 * log.blockBytes) || log.at + log.bytes > deviceBytes)
    throw wrong(`${log.bytes} bytes at byte ${log.at} of ${deviceBytes}`);
  const reader = new LogReader(bio, log.at, log.blockBytes, log.bytes);
  await reader.run(deviceBytes);
  const { records, unnamed, sectors } = reader;
  if (records === 0) return undefined;
  return { records, unnamed, sectors, after: afterReplay(bio, log.at, sectors) };
}

function wrong(what: string): FsError {
  return new FsError('Corrupt', `log of WAPBL: ${what}`);
}

class LogReader {
  records = 0;
  unnamed = new Set<number>();
  readonly sectors = new Map<number, number>();
  readonly #bio: BlockIo;
  readonly #at: number;
  readonly #blockBytes: number;
  readonly #bytes: number;
  #little = true;
  #ringAt = 0;
  #ringBytes = 0;

  constructor(bio: BlockIo, at: number, blockBytes: number, bytes: number) {
    this.#bio = bio;
    this.#at = at;
    this.#blockBytes = blockBytes;
    this.#bytes = bytes;
  }

  async run(deviceBytes: number): Promise<void> {
    const view = await this.#newerHeader();
    const field = (at: number): number => Number(view.getBigInt64(at, this.#little));
    const [head, tail] = [field(48), field(56)];
    this.#ringAt = field(64);
    this.#ringBytes = field(72);
    if (view.getUint32(40, this.#little) !== Math.log2(this.#blockBytes))
      throw wrong(`header: blocks of 2^${view.getUint32(40, this.#little)} bytes`);
    const whole = (value: number): boolean => value % this.#blockBytes === 0;
    const end = this.#ringAt + this.#ringBytes;
    const ring = this.#ringAt >= 2 * this.#blockBytes && this.#ringBytes > 0 && end <= this.#bytes;
    if (!ring || !whole(this.#ringAt) || !whole(this.#ringBytes))
      throw wrong(`header: ${this.#ringBytes} bytes of records at ${this.#ringAt} of ${this.#bytes}`);
    if (head === tail) return;
    const inside = (at: number): boolean => whole(at) && at >= this.#ringAt && at < end;
    if (!inside(head) || !inside(tail)) throw wrong(`header: records from ${tail} to ${head}`);
    let left = this.#ringBytes;
    for (let at = tail; at !== head; ) {
      const length = await this.#record(at, left, deviceBytes);
      left -= length;
      at = this.#step(at, length);
    }
  }

  async #newerHeader(): Promise<DataView> {
    const bytes = await bytesAt(this.#bio, this.#at, 2 * this.#blockBytes);
    let newer: DataView | undefined;
    let generation = -1;
    for (const from of [0, this.#blockBytes]) {
      const view = new DataView(bytes.buffer, bytes.byteOffset + from, this.#blockBytes);
      const little = view.getUint32(0, true) === HEADER;
      if (!little && view.getUint32(0, false) !== HEADER) continue;
      if (view.getUint32(12, little) <= generation) continue;
      generation = view.getUint32(12, little);
      this.#little = little;
      newer = view;
    }
    if (newer === undefined) throw wrong('it has no header');
    return newer;
  }

  /** Reads one record; its length. */
  async #record(at: number, left: number, deviceBytes: number): Promise<number> {
    const bytes = await bytesAt(this.#bio, this.#at + at, this.#blockBytes);
    const view = new DataView(bytes.buffer, bytes.byteOffset, this.#blockBytes);
    const word = (offset: number): number => view.getUint32(offset, this.#little);
    const [type, length, count] = [word(0), word(4), word(8)];
    const where = `record at byte ${at}`;
    const listed = LIST_AT + count * (type === INODES ? 8 : 16);
    if (length === 0 || length % this.#blockBytes !== 0 || length > left || listed > this.#blockBytes)
      throw wrong(`${where}: ${length} bytes with a list of ${count}`);
    this.records += 1;
    if (type === INODES) {
      if (word(12) !== 0) this.unnamed.clear();
      for (let index = 0; index < count; index += 1) this.unnamed.add(word(LIST_AT + index * 8));
      return length;
    }
    if (type !== BLOCKS && type !== VOID) throw wrong(`${where}: type 0x${type.toString(16)}`);
    let from = this.#step(at, this.#blockBytes);
    let contents = length - this.#blockBytes;
    for (let index = 0; index < count; index += 1) {
      const first = Number(view.getBigInt64(LIST_AT + index * 16, this.#little));
      const own = word(LIST_AT + index * 16 + 12);
      if (first < 0 || own % SECTOR_BYTES !== 0 || first * SECTOR_BYTES + own > deviceBytes)
        throw wrong(`${where}: ${own} bytes at sector ${first}`);
      if (type === BLOCKS && own > contents) throw wrong(`${where}: more contents than it has`);
      for (let sector = first; sector < first + own / SECTOR_BYTES; sector += 1) {
        if (type === VOID) {
          this.sectors.delete(sector);
          continue;
        }
        this.sectors.set(sector, from);
        from = this.#step(from, SECTOR_BYTES);
        contents -= SECTOR_BYTES;
      }
    }
    return length;
  }

  #step(at: number, length: number): number {
    return this.#ringAt + ((at - this.#ringAt + length) % this.#ringBytes);
  }
}

/** A device whose sectors are those of the log, where it has some. */
function afterReplay(bio: BlockIo, logAt: number, sectors: ReadonlyMap<number, number>): BlockIo {
  return {
    sectorSizeBytes: bio.sectorSizeBytes,
    sectorCount: bio.sectorCount,
    writeable: false,
    read: async (sector, into) => {
      await bio.read(sector, into);
      const start = (sector * bio.sectorSizeBytes) / SECTOR_BYTES;
      for (let index = 0; index * SECTOR_BYTES < into.length; index += 1) {
        const at = sectors.get(start + index);
        if (at !== undefined) into.set(await bytesAt(bio, logAt + at, SECTOR_BYTES), index * SECTOR_BYTES);
      }
    },
    write: () => Promise.reject(new Error('a check writes nothing')),
    sync: () => Promise.resolve(),
  };
}

/** Brings what a log has to its places. */
export async function replayForRepair(bio: BlockIo, { sectors, after }: CheckedLog): Promise<void> {
  const size = bio.sectorSizeBytes;
  const changed = new Set([...sectors.keys()].map((sector) => Math.floor((sector * SECTOR_BYTES) / size)));
  for (const sector of changed) await bio.write(sector, (await bytesAt(after, sector * size, size)).slice());
  await bio.sync();
}
