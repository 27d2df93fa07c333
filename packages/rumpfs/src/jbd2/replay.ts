import type { BlockIo } from '../hypercall/hypercalls.ts';
import type { JournalPlace } from './journal-place.ts';
import { JOURNAL_MAGIC } from './journal-superblock.ts';
import type { ReplayedBlock, Scan } from './scan.ts';

/**
 * A device on which a journal is replayed in memory: it reads as if the journal's blocks had been
 * written to their places. Only where each block stands in the journal is kept in memory. Nothing
 * is ever written.
 */
export class ReplayedIo implements BlockIo {
  readonly sectorSizeBytes: number;
  readonly sectorCount: number;
  readonly writeable = false;
  readonly #io: BlockIo;
  readonly #place: JournalPlace;
  readonly #blocks: ReadonlyMap<number, ReplayedBlock>;

  constructor(io: BlockIo, place: JournalPlace, scan: Scan) {
    this.#io = io;
    this.#place = place;
    this.#blocks = scan.blocks;
    this.sectorSizeBytes = io.sectorSizeBytes;
    this.sectorCount = io.sectorCount;
  }

  async read(sector: number, into: Uint8Array): Promise<void> {
    await this.#io.read(sector, into);
    const size = this.#place.blockSizeBytes;
    const start = sector * this.sectorSizeBytes;
    const end = start + into.length;
    const content = new Uint8Array(size);
    for (let block = Math.floor(start / size); block * size < end; block += 1) {
      const replayed = this.#blocks.get(block);
      if (replayed === undefined) continue;
      await readReplayed(this.#place, replayed, content);
      const from = Math.max(start, block * size);
      const to = Math.min(end, (block + 1) * size);
      into.set(content.subarray(from - block * size, to - block * size), from - start);
    }
  }

  write(): Promise<void> {
    return Promise.reject(new Error('a device with a journal that is replayed in memory takes no writes'));
  }

  sync(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * Writes the blocks of a journal to their places, in ascending order, and makes them durable.
 * Rejects with what the device rejects with; it may be done again then.
 */
export async function replay(io: BlockIo, place: JournalPlace, scan: Scan): Promise<void> {
  const size = place.blockSizeBytes;
  const content = new Uint8Array(size);
  for (const [block, replayed] of [...scan.blocks].toSorted(([one], [other]) => one - other)) {
    await readReplayed(place, replayed, content);
    await io.write((block * size) / io.sectorSizeBytes, content);
  }
  await place.sync();
}

async function readReplayed(
  place: JournalPlace,
  { logical, escaped }: ReplayedBlock,
  into: Uint8Array,
): Promise<void> {
  await place.read(logical, into);
  if (escaped) new DataView(into.buffer, into.byteOffset).setUint32(0, JOURNAL_MAGIC);
}
