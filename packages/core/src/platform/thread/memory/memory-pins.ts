/**
 * Pins on memory that the host is reading or writing for a thread, and whose owner may take it
 * back. While the thread pins it, an operation ends in the memory in which it began, and the
 * revocation is complete only after that.
 *
 * The board is shared with the keeper (`platform/domain/keeper/revocations.ts`), a number of a file
 * in each place:
 *
 *     word 0   how many of the others have ever been in use        words 1 …   file that is pinned, or 0
 */
import { RpcError } from '../../../errors.ts';
import { isRevoked, type MemoryPiece, type MemoryState } from '../../../memory/shared-memory.ts';

/** Memory that may be revoked. */
interface Pinnable {
  readonly file: number;
  readonly state: MemoryState;
  /** Called when nothing is under way any more and the memory is revoked. */
  readonly unpinned: () => void;
  place: number;
  /** Operations that are under way. */
  pins: number;
}

/** The pins of one thread. */
export class MemoryPins {
  readonly #board: Int32Array;
  /** Tells the keeper that nothing is under way any more in memory that is revoked. */
  readonly #unpinned: (file: number) => void;
  readonly #known = new WeakMap<ArrayBufferLike, Pinnable>();
  readonly #free: number[] = [];
  readonly #waiting: (() => void)[] = [];

  constructor(board: Int32Array, unpinned: (file: number) => void) {
    this.#board = board;
    this.#unpinned = unpinned;
  }

  /**
   * Takes note of memory that has come to this thread. `unpinned` is called instead of the keeper,
   * for memory that the thread itself takes back.
   */
  know({ buffer, file, state }: MemoryPiece, unpinned?: () => void): void {
    if (file === undefined || !state || this.#known.has(buffer)) return;
    const tell = unpinned ?? (() => this.#unpinned(file));
    this.#known.set(buffer, { file, state, unpinned: tell, place: 0, pins: 0 });
  }

  /** Whether the host is using this memory. */
  busy(buffer: ArrayBufferLike): boolean {
    return (this.#known.get(buffer)?.pins ?? 0) > 0;
  }

  /**
   * Runs an operation of the host on memory. Rejects with `Revoked` if the memory is gone before it
   * begins.
   */
  during<Result>(memory: Uint8Array, operation: () => Promise<Result>): Promise<Result> {
    const pinnable = this.#known.get(memory.buffer);
    if (!pinnable) return operation();
    if (pinnable.pins > 0 || this.#take(pinnable)) return this.#pinned(pinnable, operation);
    return this.#later(pinnable, operation);
  }

  async #later<Result>(pinnable: Pinnable, operation: () => Promise<Result>): Promise<Result> {
    do {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } while (pinnable.pins === 0 && !this.#take(pinnable));
    return this.#pinned(pinnable, operation);
  }

  /** The pin is taken. This is on the way of every request, so it takes one promise only. */
  #pinned<Result>(pinnable: Pinnable, operation: () => Promise<Result>): Promise<Result> {
    pinnable.pins++;
    const done = (): void => {
      if (--pinnable.pins === 0) this.#giveBack(pinnable);
    };
    if (isRevoked(pinnable.state)) {
      done();
      return Promise.reject(new RpcError('Revoked', 'the dataspace has been freed by its owner'));
    }
    let begun: Promise<Result>;
    try {
      begun = operation();
    } catch (error) {
      done();
      throw error;
    }
    return begun.then(
      (result) => {
        done();
        return result;
      },
      (error: unknown) => {
        done();
        throw error;
      },
    );
  }

  /** Writes a file on the board. False if all places are taken. */
  #take(pinnable: Pinnable): boolean {
    const used = Atomics.load(this.#board, 0);
    const place = this.#free.pop() ?? used + 1;
    if (place >= this.#board.length) return false;
    if (place > used) Atomics.store(this.#board, 0, place);
    Atomics.store(this.#board, place, pinnable.file);
    pinnable.place = place;
    return true;
  }

  #giveBack({ place, state, unpinned }: Pinnable): void {
    Atomics.store(this.#board, place, 0);
    this.#free.push(place);
    if (isRevoked(state)) unpinned();
    this.#waiting.shift()?.();
  }
}
