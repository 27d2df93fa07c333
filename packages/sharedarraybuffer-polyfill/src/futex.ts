/**
 * Waiting and waking between processes, by the kernel's futex. A thread that waits inside the
 * kernel cannot be terminated: so it waits in slices, and between two of them JavaScript gets its
 * chance to end.
 *
 * As with every futex: change the word, then wake. A wake that changes nothing may fall between two
 * slices (about a microsecond in twenty thousand) and then wakes nobody; a change is always
 * noticed.
 */
import { callFailure } from './errors.ts';
import { FUTEX_OPERATION, setTimespec, timespec, WAKE_ALL } from './futex-operation.ts';
import { ERRNO } from './kernel.ts';
import { monotonicMs } from './monotonic.ts';
import { sharedAddressOrThrow } from './shared-words.ts';
import { kernelOrThrow } from './support.ts';
import { WaitKind } from './wait-board.ts';
import { waitAsyncAt } from './wait-helper.ts';

/** How long a thread stays in the kernel, and so how late it may notice that it is terminated. */
const SLICE_MS = 50;
const NANOSECONDS_PER_MS = 1_000_000;
const sliceTime = timespec(BigInt(SLICE_MS * NANOSECONDS_PER_MS));
const restTime = timespec(0n);

export type WaitOutcome = 'ok' | 'not-equal' | 'timed-out';

/**
 * Sleeps while the word is `expected`, until it is woken or changed (`ok`) or `timeoutMs` have
 * passed; `not-equal` if it was another value to begin with. Blocks the thread. The word must be
 * shared between processes.
 */
export function futexWait(
  words: Int32Array,
  index: number,
  expected: number,
  timeoutMs = Number.POSITIVE_INFINITY,
): WaitOutcome {
  return waitAt(sharedAddressOrThrow(words, index), expected, timeoutMs);
}

/**
 * As `futexWait`, without blocking the thread, for words that are always changed before they are
 * woken (a doorbell): a wake that changes nothing may be ignored. Does not keep the process alive.
 */
export async function futexWaitAsync(
  words: Int32Array,
  index: number,
  expected: number,
  timeoutMs = Number.POSITIVE_INFINITY,
): Promise<WaitOutcome> {
  const address = sharedAddressOrThrow(words, index);
  if (Atomics.load(words, index) !== expected) return 'not-equal';
  return waitAsyncAt({ address, expected, kind: WaitKind.change }, timeoutLimit(timeoutMs));
}

/**
 * Wakes up to `count` waiters of all processes; returns how many. The word must be shared between
 * processes.
 */
export function futexWake(words: Int32Array, index: number, count = Number.POSITIVE_INFINITY): number {
  return wakeAt(sharedAddressOrThrow(words, index), count);
}

/** As Atomics.wait has it: what is no number is no limit. */
export function timeoutLimit(timeoutMs: number): number {
  return Number.isNaN(timeoutMs) ? Number.POSITIVE_INFINITY : Math.max(0, timeoutMs);
}

/** As `futexWait`, by address. */
export function waitAt(address: number, expected: number, timeoutMs: number): WaitOutcome {
  const limitMs = timeoutLimit(timeoutMs);
  const untilMs = monotonicMs() + limitMs;
  let first = true;
  for (;;) {
    const leftMs = first ? limitMs : untilMs - monotonicMs();
    if (leftMs <= 0 && !first) return 'timed-out';
    const result = waitSlice(address, expected, leftMs);
    if (result >= 0) return 'ok';
    if (result === -ERRNO.EAGAIN) return first ? 'not-equal' : 'ok';
    if (result !== -ERRNO.ETIMEDOUT && result !== -ERRNO.EINTR) throw callFailure('futex', result);
    first = false;
  }
}

/** Waits once, for at most a slice; returns what the kernel said. */
function waitSlice(address: number, expected: number, leftMs: number): number {
  const kernel = kernelOrThrow();
  if (leftMs >= SLICE_MS) return kernel.futex(address, FUTEX_OPERATION.wait, expected >>> 0, sliceTime);
  setTimespec(restTime, BigInt(Math.ceil(leftMs * NANOSECONDS_PER_MS)));
  return kernel.futex(address, FUTEX_OPERATION.wait, expected >>> 0, restTime);
}

/** As `futexWake`, by address. */
export function wakeAt(address: number, count: number): number {
  const wanted = Math.min(Math.max(0, Math.trunc(count) || 0), WAKE_ALL);
  if (wanted === 0) return 0;
  const result = kernelOrThrow().futex(address, FUTEX_OPERATION.wake, wanted, null);
  if (result < 0) throw callFailure('futex', result);
  return result;
}
