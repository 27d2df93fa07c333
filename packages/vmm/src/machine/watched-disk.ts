/**
 * A disk that knows whether anything is under way at its server. A machine is saved when nothing
 * is: whatever came after that would not be part of the state.
 */
import type { GuestDisk } from './patient-disk.ts';

/** A disk over another one. */
export class WatchedDisk implements GuestDisk {
  readonly #disk: GuestDisk;
  #underWay = 0;
  #waiting: (() => void)[] = [];

  constructor(disk: GuestDisk) {
    this.#disk = disk;
  }

  get info(): GuestDisk['info'] {
    return this.#disk.info;
  }

  get requestBlocksMax(): number {
    return this.#disk.requestBlocksMax;
  }

  /** Requests that the server has not answered. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Settles when the server has answered everything. */
  async quiet(): Promise<void> {
    while (this.#underWay > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  read(block: number, count: number, into: Uint8Array): Promise<void> {
    return this.#watch(this.#disk.read(block, count, into));
  }

  write(block: number, count: number, from: Uint8Array): Promise<void> {
    return this.#watch(this.#disk.write(block, count, from));
  }

  readWith<Result>(block: number, count: number, use: (payload: Uint8Array) => Result): Promise<Result> {
    return this.#watch(this.#disk.readWith(block, count, use));
  }

  writeWith(block: number, count: number, fill: (payload: Uint8Array) => void): Promise<void> {
    return this.#watch(this.#disk.writeWith(block, count, fill));
  }

  sync(): Promise<void> {
    return this.#watch(this.#disk.sync());
  }

  trim(block: number, count: number): Promise<void> {
    return this.#watch(this.#disk.trim(block, count));
  }

  async #watch<Result>(request: Promise<Result>): Promise<Result> {
    this.#underWay++;
    try {
      return await request;
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) for (const go of this.#waiting.splice(0)) go();
    }
  }
}
