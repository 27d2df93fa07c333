/**
 * A disk as a file system must expect one. Readers see every write at once, but a write is on
 * stable storage only after a SYNC. When the power goes, each sector by itself keeps the content of
 * any write since the last SYNC, or the content that it had at the SYNC: the order of writes
 * between two SYNCs is lost. A sector is written as a whole, unless torn sectors are asked for.
 *
 * The image that the disk starts with is never written to: sectors that change are kept beside it.
 */
import { assert } from '@ginit/core';
import type { Digest } from '../order/digest.ts';
import { AilingDisk } from './disk-ailments.ts';
import { SECTOR_BYTES } from './sector.ts';
import type { Random } from '../order/random.ts';

/** The content that one write gave to a sector. */
interface Version {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** A watcher that is told of events of a disk that no request has asked for. */
export interface DiskWatch {
  powerCut(torn: boolean): void;
  /** The disk returns, or will return, contents that were never written there. */
  lies(): void;
}

/** A simulated disk. */
export class SimulatedDisk {
  readonly #base: Uint8Array;
  readonly #watch: DiskWatch | undefined;
  /** Sectors on stable storage that differ from the base. */
  readonly #stable = new Map<number, Uint8Array>();
  /** The contents that each sector may have when the power goes, the oldest first. */
  readonly #unsynced = new Map<number, Version[]>();
  #writes = 0;
  /** The same disk with its ailments; drivers use this one. */
  readonly ailing = new AilingDisk(this);

  constructor(base: Uint8Array, watch?: DiskWatch) {
    this.#base = base;
    this.#watch = watch;
  }

  get sizeBytes(): number {
    return this.#base.byteLength;
  }

  /** Sectors whose content a power cut may still change. */
  get unsyncedSectors(): number {
    return this.#unsynced.size;
  }

  /** Reads the content that was written last. */
  read(into: Uint8Array, position: number): void {
    this.#eachSector(position, into.byteLength, (sector, within, at, count) => {
      into.set(this.#current(sector).subarray(within, within + count), at);
    });
  }

  /** Writes. Afterwards the content may be on stable storage, or not. */
  write(from: Uint8Array, position: number): void {
    this.#eachSector(position, from.byteLength, (sector, within, at, count) => {
      const bytes = this.#current(sector).slice();
      bytes.set(from.subarray(at, at + count), within);
      const versions = this.#unsynced.get(sector) ?? [];
      versions.push({ number: ++this.#writes, bytes });
      this.#unsynced.set(sector, versions);
    });
  }

  /** The number of writes so far. A SYNC that is asked for now covers these. */
  get mark(): number {
    return this.#writes;
  }

  /**
   * Everything written up to a mark is on stable storage; later writes are as uncertain as before.
   */
  sync(mark: number): void {
    for (const [sector, versions] of this.#unsynced) {
      const covered = versions.findLast(({ number }) => number <= mark);
      if (!covered) continue;
      this.#stable.set(sector, covered.bytes);
      const rest = versions.filter(({ number }) => number > mark);
      if (rest.length > 0) this.#unsynced.set(sector, rest);
      else this.#unsynced.delete(sector);
    }
  }

  /**
   * Cuts the power. With `torn`, a sector may be left half written. The result is the number of
   * sectors that lost something.
   */
  powerCut(random: Random, torn: boolean): number {
    let lost = 0;
    for (const [sector, versions] of this.#unsynced) {
      const kept = random.below(versions.length + 1);
      if (kept < versions.length) lost++;
      const before = (versions[kept - 2]?.bytes ?? this.#onStable(sector)).slice();
      const after = versions[kept - 1]?.bytes ?? before;
      const whole = !torn || random.once(2);
      before.set(whole ? after : after.subarray(0, random.below(after.length)));
      this.#stable.set(sector, before);
    }
    this.#unsynced.clear();
    this.#watch?.powerCut(torn);
    return lost;
  }

  /** Notes that the disk is broken: its contents cannot be trusted from now on. */
  lies(): void {
    this.#watch?.lies();
  }

  /** Flips bits of a byte where it is stored, those that are set in `mask`. */
  spoil(position: number, mask: number): void {
    const sector = Math.floor(position / SECTOR_BYTES);
    const bytes = this.#current(sector).slice();
    const within = position % SECTOR_BYTES;
    bytes[within] = (bytes[within] ?? 0) ^ mask;
    const last = this.#unsynced.get(sector);
    if (last) last[last.length - 1] = { number: last.at(-1)?.number ?? 0, bytes };
    else this.#stable.set(sector, bytes);
  }

  /** Adds the differences from the base to a digest. */
  addTo(digest: Digest): void {
    const changed = [...new Set([...this.#stable.keys(), ...this.#unsynced.keys()])].toSorted(
      (a, b) => a - b,
    );
    for (const sector of changed) {
      digest.number(sector);
      digest.bytes(this.#current(sector));
    }
  }

  /** The whole disk as it reads now, as a copy. */
  image(): Uint8Array {
    const image = this.#base.slice();
    for (const sector of [...this.#stable.keys(), ...this.#unsynced.keys()]) {
      image.set(this.#current(sector), sector * SECTOR_BYTES);
    }
    return image;
  }

  #onStable(sector: number): Uint8Array {
    const from = sector * SECTOR_BYTES;
    return this.#stable.get(sector) ?? this.#base.subarray(from, from + SECTOR_BYTES);
  }

  #current(sector: number): Uint8Array {
    return this.#unsynced.get(sector)?.at(-1)?.bytes ?? this.#onStable(sector);
  }

  #eachSector(
    position: number,
    length: number,
    visit: (sector: number, within: number, at: number, count: number) => void,
  ): void {
    assert(position >= 0 && position + length <= this.sizeBytes, 'a request lies within the disk');
    for (let at = 0; at < length; ) {
      const sector = Math.floor((position + at) / SECTOR_BYTES);
      const within = (position + at) % SECTOR_BYTES;
      const count = Math.min(SECTOR_BYTES - within, length - at);
      visit(sector, within, at, count);
      at += count;
    }
  }
}
