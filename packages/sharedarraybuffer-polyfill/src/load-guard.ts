/**
 * Keeps a thread from being terminated while it, or its helper, loads koffi: koffi cannot be
 * interrupted there, and brings the whole process down. Who terminates threads gives each of them a
 * piece of shared memory of its own, of two words:
 *
 *     word 0   1 when the thread is to be terminated: nothing is loaded any more
 *          1   how many loads are under way
 *
 * Each side first says what it is about to do and then looks at what the other one has said, so one
 * of them sees the other.
 */

/** Words of a guard. */
export const LOAD_GUARD_WORDS = 2;

const DYING = 0;
const LOADS = 1;
/** Short enough for a thread that is terminated to notice. */
const WAIT_MS = 10;

let guard: Int32Array<SharedArrayBuffer> | undefined;

/** From now on this thread keeps to a guard. */
export function guardLoading(words: Int32Array<SharedArrayBuffer>): void {
  guard = words;
}

/** The guard of this thread, for a helper. */
export function loadGuard(): Int32Array<SharedArrayBuffer> | undefined {
  return guard;
}

/** Begins a load; does not return if the thread is to be terminated. */
export function beginLoad(words: Int32Array<SharedArrayBuffer> | undefined): void {
  if (!words) return;
  Atomics.add(words, LOADS, 1);
  if (Atomics.load(words, DYING) === 0) return;
  Atomics.sub(words, LOADS, 1);
  for (;;) Atomics.wait(words, DYING, 1, WAIT_MS);
}

/** Ends a load. */
export function endLoad(words: Int32Array<SharedArrayBuffer> | undefined): void {
  if (words) Atomics.sub(words, LOADS, 1);
}

/** For who is about to terminate the thread, and has said so in word 0: whether it has to wait. */
export function loadsUnderWay(words: Int32Array<SharedArrayBuffer>): boolean {
  return Atomics.load(words, LOADS) > 0;
}
