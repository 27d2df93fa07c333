/**
 * When to collect garbage for the sake of memory that is shared with other processes. V8 does not count it, and would let
 * mappings and descriptors of what nobody uses any more pile up. So a thread that has mapped some collects in a quiet
 * moment a while later, and when many have come together, but spends no more than a small part of its time on that.
 */

import { monotonicMs } from '../../host/monotonic.ts';

/** So many pieces are let come together in any case. */
const PIECES_MIN = 16;
/** At least so many times as long as the last collection took passes before the next. */
const TIMES_LAST = 20;
/** So many are too many, however long it takes. */
const PIECES_MAX = 1024;
/** After the last piece of several it is likely that they are done with. */
const DONE_WITH_MS = 1000;

/** Collects garbage, at once. */
export type Collect = () => void;

/** V8's collector, for the runtime only: components do not see it. */
export function takeCollect(): Collect | undefined {
  const collect: unknown = Reflect.get(globalThis, 'gc');
  Reflect.deleteProperty(globalThis, 'gc');
  return typeof collect === 'function' ? () => void Reflect.apply(collect, undefined, []) : undefined;
}

/** Counts the pieces of memory that a thread has mapped. */
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

  /** Another piece is about to be mapped. */
  count(): void {
    const nowMs = monotonicMs();
    const due = this.#pieces >= PIECES_MIN && nowMs >= this.#notBeforeMs;
    if (due || this.#pieces >= PIECES_MAX) this.#run();
    this.#pieces++;
    this.#lastPieceMs = nowMs;
  }

  /** The thread has nothing to do just now. */
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
