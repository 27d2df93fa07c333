import type { BlockIo, Hypercalls } from '../../src/hypercall/hypercalls.ts';
import { assert } from '../../src/errors.ts';
import { randomFrom } from '../memory-hypercalls.ts';

/** The events of a device, in the order in which they happened. */
export type DiskEvent =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  /**
   * The writes with lower numbers than `covers` are durable; `covers` is the number at which the
   * sync began.
   */
  | { readonly kind: 'sync'; readonly covers: number };

const SECTOR_BYTES = 512;

/**
 * A device in memory that remembers each write and sync. Requests take a random number of turns.
 * With `through` something stands between it and who uses it.
 */
export class RecordedDisk implements Hypercalls {
  readonly bio: BlockIo;
  readonly memoryBytes: number;
  readonly lines: string[] = [];
  readonly base: Uint8Array;
  readonly events: DiskEvent[] = [];
  readonly #now: Uint8Array;
  readonly #random: () => number;
  #timeMs = 1_700_000_000_000;

  constructor(
    image: Uint8Array,
    memoryBytes: number,
    seed: number,
    through: (io: BlockIo) => BlockIo = (io) => io,
  ) {
    this.base = image.slice();
    this.#now = image.slice();
    this.memoryBytes = memoryBytes;
    this.#random = randomFrom(seed);
    this.bio = through({
      sectorSizeBytes: SECTOR_BYTES,
      sectorCount: image.length / SECTOR_BYTES,
      writeable: true,
      read: async (sector, into) => {
        await this.#turns();
        into.set(this.#now.subarray(sector * SECTOR_BYTES, sector * SECTOR_BYTES + into.length));
      },
      write: async (sector, from) => {
        await this.#turns();
        this.#now.set(from, sector * SECTOR_BYTES);
        this.events.push({ kind: 'write', offset: sector * SECTOR_BYTES, bytes: from.slice() });
        await this.#turns();
      },
      sync: async () => {
        const covers = this.events.length;
        await this.#turns();
        this.events.push({ kind: 'sync', covers });
      },
    });
  }

  now(): Promise<number> {
    this.#timeMs += 7;
    return Promise.resolve(this.#timeMs);
  }

  random(into: Uint8Array): void {
    for (let index = 0; index < into.length; index += 1) into[index] = Math.floor(this.#random() * 256);
  }

  console(line: string): void {
    this.lines.push(line);
  }

  async #turns(): Promise<void> {
    for (let left = Math.floor(this.#random() * 4); left > 0; left -= 1) await Promise.resolve();
  }
}

/** The states that a device may be in when the power fails. */
export class CrashStates {
  readonly #disk: RecordedDisk;
  readonly #pieceBytes: number;
  /** The durable content after the first events, so many of them. */
  readonly #durable: Uint8Array;
  #durableEvents = 0;

  /**
   * @param pieceBytes the unit that the device writes whole or not at all: a block of the file
   * system
   */
  constructor(disk: RecordedDisk, pieceBytes: number) {
    this.#disk = disk;
    this.#pieceBytes = pieceBytes;
    this.#durable = disk.base.slice();
  }

  /**
   * The state just before event `end`, as the content of `image`: the durable writes and, of the
   * others, the pieces that `survives` lets through. To be asked for in the order of the events.
   */
  at(image: Uint8Array, end: number, survives: () => boolean, order: () => number): void {
    const events = this.#disk.events.slice(0, end);
    let durable = 0;
    for (const event of events) if (event.kind === 'sync') durable = Math.max(durable, event.covers);
    assert(durable >= this.#durableEvents, 'what was durable stays so');
    for (const event of events.slice(this.#durableEvents, durable)) {
      if (event.kind !== 'sync') this.#durable.set(event.bytes, event.offset);
    }
    this.#durableEvents = durable;
    image.set(this.#durable);
    const loose: { readonly offset: number; readonly bytes: Uint8Array; readonly rank: number }[] = [];
    for (const event of events.slice(durable)) {
      if (event.kind !== 'sync') loose.push({ ...event, rank: order() });
    }
    for (const { offset, bytes } of loose.toSorted((one, other) => one.rank - other.rank)) {
      for (let from = 0; from < bytes.length; from += this.#pieceBytes) {
        if (survives()) image.set(bytes.subarray(from, from + this.#pieceBytes), offset + from);
      }
    }
  }
}
