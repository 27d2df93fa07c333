import type { BlockIo } from '../hypercall/hypercalls.ts';
import { FsError, messageOf } from '../errors.ts';

/** Adjacent blocks of the device that hold adjacent blocks of the journal. */
export interface JournalRun {
  readonly logical: number;
  readonly block: number;
  readonly count: number;
}

/** Where the journal lies on the device. */
export class JournalPlace {
  readonly blockSizeBytes: number;
  readonly blocks: number;
  readonly #io: BlockIo;
  readonly #runs: readonly JournalRun[];

  /** @param runs in ascending order of their logical blocks, without gaps */
  constructor(io: BlockIo, blockSizeBytes: number, runs: readonly JournalRun[]) {
    this.#io = io;
    this.blockSizeBytes = blockSizeBytes;
    this.#runs = runs;
    this.blocks = runs.reduce((sum, { count }) => sum + count, 0);
  }

  /** Whether a block of the device belongs to the journal. */
  contains(block: number): boolean {
    return this.#runs.some((run) => block >= run.block && block < run.block + run.count);
  }

  /** The first byte on the device of a block of the journal. */
  byteOf(logical: number): number {
    const run = this.#runOf(logical);
    return (run.block + logical - run.logical) * this.blockSizeBytes;
  }

  /** The number of blocks from `logical` on that lie side by side, at most `countMax`. */
  adjacent(logical: number, countMax: number): number {
    const run = this.#runOf(logical);
    return Math.min(countMax, run.logical + run.count - logical);
  }

  /** Reads blocks of the journal. Rejects with `InputOutput`. */
  async read(logical: number, into: Uint8Array): Promise<void> {
    for (let position = 0; position < into.length; ) {
      const block = logical + position / this.blockSizeBytes;
      const count = this.adjacent(block, (into.length - position) / this.blockSizeBytes);
      const part = into.subarray(position, position + count * this.blockSizeBytes);
      try {
        await this.#io.read(this.byteOf(block) / this.#io.sectorSizeBytes, part);
      } catch (error) {
        throw new FsError('InputOutput', `journal: block ${block} cannot be read: ${messageOf(error)}`);
      }
      position += part.length;
    }
  }

  /** Writes blocks of the journal. Rejects with `InputOutput`. */
  async write(logical: number, from: Uint8Array): Promise<void> {
    for (let position = 0; position < from.length; ) {
      const block = logical + position / this.blockSizeBytes;
      const count = this.adjacent(block, (from.length - position) / this.blockSizeBytes);
      const part = from.subarray(position, position + count * this.blockSizeBytes);
      try {
        await this.#io.write(this.byteOf(block) / this.#io.sectorSizeBytes, part);
      } catch (error) {
        throw new FsError('InputOutput', `journal: block ${block} cannot be written: ${messageOf(error)}`);
      }
      position += part.length;
    }
  }

  /** Makes everything durable that was acknowledged. Rejects with `InputOutput`. */
  async sync(): Promise<void> {
    try {
      await this.#io.sync();
    } catch (error) {
      throw new FsError('InputOutput', `journal: the device cannot sync: ${messageOf(error)}`);
    }
  }

  #runOf(logical: number): JournalRun {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#runs[middle]?.logical ?? 0) <= logical) low = middle;
      else high = middle - 1;
    }
    const run = this.#runs[low];
    if (run === undefined || logical >= run.logical + run.count)
      throw new FsError('Corrupt', `journal: block ${logical} is none of its ${this.blocks} blocks`);
    return run;
  }
}
