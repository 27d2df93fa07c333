/**
 * A disk, or what lies in a drive, in the form of v86's own images, whose answers may come later.
 * IDE as v86 has it knows no failures. A request that fails is not answered: the guest waits for it
 * in vain, and says that its disk does not answer.
 */
import { assert } from '@ginit/core';
import type { RequestCounts } from '../../devices/request-counts.ts';
import type { Medium } from '../engine.ts';

/** An image. v86 asks for its properties by these names. */
export class IdeImage {
  /** The types of v86 know only images that are in memory. */
  readonly buffer = new ArrayBuffer(0);
  readonly byteLength: number;
  onload?: (event: object) => void;
  readonly #disk: Medium;
  readonly #counts: RequestCounts;
  /** Grows with every reset of the guest. */
  #generation = 0;
  readonly #open = new Set<Promise<unknown>>();
  /** What is open from before the reset, if there was one. */
  #before: Promise<unknown> | undefined;

  /** The image may be larger than what it has: zeros come behind that. */
  constructor(disk: Medium, counts: RequestCounts, byteLength = disk.sizeBytes) {
    this.#disk = disk;
    this.#counts = counts;
    this.byteLength = byteLength;
  }

  load(): void {
    this.onload?.({});
  }

  /** The first sector would tell a geometry; nobody needs that. */
  get_from_cache(): undefined {
    return undefined;
  }

  /**
   * v86 asks for the first sector before the machine starts, only to have it in a cache. It gets
   * zeros, which it forgets: a disk that fails is the guest's business, and must not keep the
   * machine from starting.
   */
  get_and_cache(_position: number, length: number, done: (bytes: Uint8Array) => void): void {
    done(new Uint8Array(length));
  }

  get(position: number, length: number, done: (bytes: Uint8Array) => void): void {
    this.#request(
      () => this.#read(position, length),
      (bytes) => {
        this.#counts.read(length);
        done(bytes);
      },
    );
  }

  set(position: number, bytes: Uint8Array, done: () => void): void {
    const disk = this.#disk;
    // v86 keeps its guest from writing to other media.
    assert(disk.write !== undefined, 'only a medium that can be written is written');
    const write = disk.write.bind(disk);
    // v86 uses its memory again before the answer has come.
    const own = bytes.slice();
    this.#request(
      () => write(position, own),
      () => {
        this.#counts.written(own.byteLength);
        done();
      },
    );
  }

  get_state(): readonly never[] {
    return [];
  }

  set_state(): void {}

  /**
   * The guest is reset: nothing of what is open reaches the new one, and the new one's requests
   * wait until that has ended, because a late write would land on a newer one.
   */
  reset(): void {
    this.#generation++;
    this.#before = Promise.allSettled(this.#open);
  }

  async #read(position: number, length: number): Promise<Uint8Array> {
    const there = Math.max(0, Math.min(length, this.#disk.sizeBytes - position));
    if (there === length) return this.#disk.read(position, length);
    const bytes = new Uint8Array(length);
    if (there > 0) bytes.set(await this.#disk.read(position, there));
    return bytes;
  }

  #request<Result>(ask: () => Promise<Result>, done: (result: Result) => void): void {
    const generation = this.#generation;
    const before = this.#before;
    const request = before ? before.then(ask) : ask();
    const ended = request.then(
      (result) => {
        if (generation === this.#generation) done(result);
      },
      // The disk has told of it.
      () => {},
    );
    this.#open.add(ended);
    void ended.then(() => this.#open.delete(ended));
  }
}
