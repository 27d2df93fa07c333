/**
 * Taking memory back in this process. First a word says that the memory is revoked. Then zero pages
 * take its place under all views, as soon as the host is not using the memory any more. A thread
 * that uses memory for host operations writes its number on a board of its own before it looks at
 * the word. So either the thread sees that the memory is revoked, or the keeper sees that it is in
 * use, and the thread says when it no longer is.
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

  /** `completed` is called with each file that this process has given up. */
  constructor(completed: (file: KeptFile) => void) {
    this.#completed = completed;
  }

  /** The number of revocations that wait for the host. */
  get size(): number {
    return this.#waiting.size;
  }

  /**
   * Makes a board for the thread of a component. Its first word says how many of the other words
   * may be in use.
   */
  addBoard(component: number): Place {
    const place = newPlace((1 + LIMITS.memoryPinned) * 4);
    this.#boards.set(component, wordsAt(place));
    return place;
  }

  /** The thread has ended, and Node has waited for the host's operations in it. */
  removeBoard(component: number): void {
    this.#boards.delete(component);
    for (const file of this.#waiting.values()) this.retry(file);
  }

  /** Begins to take a file back. True if that is complete. */
  start(file: KeptFile): boolean {
    markRevoked(file.state);
    this.#waiting.set(file.facts.number, file);
    return this.retry(file);
  }

  /**
   * Looks again whether the revocation of a file, if there is one, can be completed. True if there
   * is nothing left to do.
   */
  retry(file: KeptFile): boolean {
    const { number } = file.facts;
    if (!this.#waiting.has(number)) return true;
    // The thread is about to map the file by this descriptor. If it were closed before, the number
    // could become that of another file.
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
    // The kernel has no memory for the change, so the memory goes with its last view.
    if (!(error instanceof SharedMemoryError)) throw error;
  }
}
