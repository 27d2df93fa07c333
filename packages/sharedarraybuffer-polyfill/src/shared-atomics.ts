/// <reference lib="es2024.sharedmemory" />
/**
 * Atomics whose wait, notify and waitAsync reach across processes. For memory of this process they
 * are V8's own; for memory that this package has mapped they use the kernel's futex. Everything
 * else is passed through.
 *
 * Differences from V8's, on memory shared between processes:
 * * `ok` may come early: look at the word again. And change the word before you notify, as
 *   everybody does: a notify that changes nothing may be missed (by `wait` between two slices, by `waitAsync`
 *   before its helper sleeps);
 * * wait and waitAsync take Int32Arrays only.
 */
import { SharedMemoryError } from './errors.ts';
import { timeoutLimit, type WaitOutcome, waitAt, wakeAt } from './futex.ts';
import { isShared, sharedAddress } from './shared-words.ts';
import { WaitKind } from './wait-board.ts';
import { waitAsyncAt } from './wait-helper.ts';

export type AsyncWait =
  | { readonly async: false; readonly value: 'not-equal' | 'timed-out' }
  | { readonly async: true; readonly value: Promise<'ok' | 'timed-out'> };

/** As Atomics.wait. */
function wait(words: Int32Array, index: number, value: number, timeoutMs?: number): WaitOutcome;
function wait(words: BigInt64Array, index: number, value: bigint, timeoutMs?: number): WaitOutcome;
function wait(
  words: Int32Array | BigInt64Array,
  index: number,
  value: number | bigint,
  timeoutMs = Number.POSITIVE_INFINITY,
): WaitOutcome {
  if (words instanceof BigInt64Array) {
    refuseShared(words);
    return Atomics.wait(words, index, BigInt(value), timeoutMs);
  }
  const expected = Number(value) | 0;
  const address = sharedAddress(words, index);
  if (address === undefined) return Atomics.wait(words, index, expected, timeoutMs);
  return waitAt(address, expected, timeoutMs);
}

/** As Atomics.notify: returns how many were woken, of all processes. */
function notify(words: Int32Array | BigInt64Array, index: number, count = Number.POSITIVE_INFINITY): number {
  if (words instanceof BigInt64Array) {
    refuseShared(words);
    return Atomics.notify(words, index, count);
  }
  const address = sharedAddress(words, index);
  // Also who waits in V8's own way, for code that knows nothing of this package.
  const woken = Atomics.notify(words, index, count);
  return address === undefined ? woken : woken + wakeAt(address, count - woken);
}

/** As Atomics.waitAsync. Does not keep the process alive. */
function waitAsync(words: Int32Array, index: number, value: number, timeoutMs?: number): AsyncWait;
function waitAsync(words: BigInt64Array, index: number, value: bigint, timeoutMs?: number): AsyncWait;
function waitAsync(
  words: Int32Array | BigInt64Array,
  index: number,
  value: number | bigint,
  timeoutMs = Number.POSITIVE_INFINITY,
): AsyncWait {
  if (words instanceof BigInt64Array) {
    refuseShared(words);
    return Atomics.waitAsync(words, index, BigInt(value), timeoutMs);
  }
  const expected = Number(value) | 0;
  const address = sharedAddress(words, index);
  if (address === undefined) return Atomics.waitAsync(words, index, expected, timeoutMs);
  if (Atomics.load(words, index) !== expected) return { async: false, value: 'not-equal' };
  if (timeoutMs <= 0) return { async: false, value: 'timed-out' };
  return {
    async: true,
    value: waitAsyncAt({ address, expected, kind: WaitKind.anyWake }, timeoutLimit(timeoutMs)),
  };
}

function refuseShared(words: BigInt64Array): void {
  if (!isShared(words)) return;
  throw new SharedMemoryError('InvalidArgument', 'waiting between processes works on an Int32Array only');
}

/**
 * A drop-in for `Atomics`: `import { SharedAtomics as Atomics } from 'sharedarraybuffer-polyfill'`.
 */
export const SharedAtomics = {
  add: Atomics.add,
  and: Atomics.and,
  compareExchange: Atomics.compareExchange,
  exchange: Atomics.exchange,
  isLockFree: Atomics.isLockFree,
  load: Atomics.load,
  or: Atomics.or,
  store: Atomics.store,
  sub: Atomics.sub,
  xor: Atomics.xor,
  wait,
  notify,
  waitAsync,
} as const;
