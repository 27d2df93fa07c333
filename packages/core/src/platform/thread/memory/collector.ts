/**
 * When to collect garbage for the sake of memory that is shared with other processes. V8 does not
 * count such memory, and would let mappings and descriptors pile up that nobody uses any more. So a
 * thread that has mapped some collects in a quiet moment a while later, and when many pieces have
 * come together. It spends only a small part of its time on that.
 */

import { monotonicMs } from '../../host/monotonic.ts';

/**
 * When a further piece is mapped, the thread collects only if at least this many have come
 * together.
 */
const PIECES_MIN = 16;
/** After a collection, at least this many times its own duration passes before the next one. */
const TIMES_LAST = 20;
/** When this many pieces have come together, they are collected however long that takes. */
const PIECES_MAX = 1024;
/** This long after the last of several pieces, they are likely to be unused. */
const DONE_WITH_MS = 1000;

/** Collects garbage, at once. */
export type Collect = () => void;

/** V8's collector, for the runtime only. Components do not see it. */
export function takeCollect(): Collect | undefined {
  const collect: unknown = Reflect.get(globalThis, 'gc');
  Reflect.deleteProperty(globalThis, 'gc');
  return typeof collect === 'function' ? () => void Reflect.apply(collect, undefined, []) : undefined;
}

/** Counts the pieces of memory that a thread has mapped, and decides when to collect. */
export class Collector {
  readonly #collect: Collect;
  #pieces = 0;
  #lastPieceMs = 0;
  #notBeforeMs = 0;

  constructor(collect: Collect) {
    this.#collect = collect;
  }

  /** Whether there may be something to collect. */
  get due(): boolean {
    return this.#pieces > 0;
  }

  /** One more piece is about to be mapped. */
  count(): void {
    const nowMs = monotonicMs();
    const due = this.#pieces >= PIECES_MIN && nowMs >= this.#notBeforeMs;
    if (due || this.#pieces >= PIECES_MAX) this.#run();
    this.#pieces++;
    this.#lastPieceMs = nowMs;
  }

  /** The thread has nothing to do at the moment. */
  idle(): void {
    if (this.#pieces === 0) return;
    const nowMs = monotonicMs();
    if (nowMs >= this.#notBeforeMs && nowMs - this.#lastPieceMs >= DONE_WITH_MS) this.#run();
  }

  #run(): void {
    const startMs = monotonicMs();
    this.#collect();
    const endMs = monotonicMs();
    this.#pieces = 0;
    this.#notBeforeMs = endMs + TIMES_LAST * (endMs - startMs);
  }
}
