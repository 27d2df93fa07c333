/** The memory that a file system in memory may take. */
import { FsError } from '../errors.ts';

/** Whoever pays for it. */
export interface Memory {
  /** Bytes in use. */
  readonly usedBytes: number;
  /** Bytes that can be taken at once. */
  readonly room: number;
  /** Makes room for `bytes`. Rejects with `NoSpace` if there is not that much. */
  makeRoom(bytes: number): Promise<void>;
  /** Takes `bytes` into use, for which there is room. */
  take(bytes: number): void;
  give(bytes: number): void;
}

/** Memory with a fixed bound. */
export class BoundedMemory implements Memory {
  readonly #most: number;
  #usedBytes = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get room(): number {
    return this.#most - this.#usedBytes;
  }

  async makeRoom(bytes: number): Promise<void> {
    if (this.room < bytes) throw new FsError('NoSpace', `${this.#most} bytes of memory are used up`);
  }

  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  give(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}
