/**
 * Taking memory back in this process: first a word says so, then zero pages take the place of the memory, under whatever
 * views there are, as soon as the host reads and writes nothing there any more. A thread whose host operations use memory
 * writes its number on a board of its own before it looks at the word; so either it sees that the memory is revoked,
 * or we see that it is in use, and the thread tells us when it is not.
 */
import { SharedMemoryError } from 'sharedarraybuffer-polyfill';
import { vacateBuffer } from 'sharedarraybuffer-polyfill/mapped-buffer';
import { LIMITS } from '../../../limits.ts';
import { markRevoked } from '../../../memory/shared-memory.ts';
import { newPlace, type Place, wordsAt } from '../../../memory/place.ts';
import type { KeptFile } from './kept-file.ts';

/** The revocations of one process that are not complete. */
export class Revocations {
  readonly #boards = new Map<number, Int32Array>();
  readonly #waiting = new Map<number, KeptFile>();
  readonly #completed: (file: KeptFile) => void;

  /** `completed` is told of each file that this process has let go of. */
  constructor(completed: (file: KeptFile) => void) {
    this.#completed = completed;
  }

  /** Revocations that wait for the host. */
  get size(): number {
    return this.#waiting.size;
  }

  /** A board for the thread of a component; its first word says how many of the others may be in use. */
  addBoard(component: number): Place {
    const place = newPlace((1 + LIMITS.memoryPinned) * 4);
    this.#boards.set(component, wordsAt(place));
    return place;
  }

  /** The thread has ended: Node has waited for what the host was doing for it. */
  removeBoard(component: number): void {
    this.#boards.delete(component);
    for (const file of this.#waiting.values()) this.retry(file);
  }

  /** Takes a file back; whether that is complete. */
  start(file: KeptFile): boolean {
    markRevoked(file.state);
    this.#waiting.set(file.facts.number, file);
    return this.retry(file);
  }

  /** Something has changed that the revocation of a file, if there is one, may wait for. */
  retry(file: KeptFile): boolean {
    const { number } = file.facts;
    if (!this.#waiting.has(number)) return true;
    // Its thread is about to map it by the descriptor: which must not be closed, and become another file's, before that.
    if (file.mapping === 'expected') return false;
    file.closeDescriptor();
    if (this.#pinned(number)) return false;
    this.#waiting.delete(number);
    if (file.mapping) vacate(file.mapping);
    file.mapping = undefined;
    this.#completed(file);
    return true;
  }

  #pinned(number: number): boolean {
    for (const board of this.#boards.values()) {
      const used = Atomics.load(board, 0);
      for (let at = 1; at <= used; at++) if (Atomics.load(board, at) === number) return true;
    }
    return false;
  }
}

function vacate(buffer: SharedArrayBuffer): void {
  try {
    vacateBuffer(buffer);
  } catch (error) {
    // The kernel has no memory for the change: then it goes with its last view.
    if (!(error instanceof SharedMemoryError)) throw error;
  }
}
