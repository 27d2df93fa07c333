/**
 * The helper thread of a board (`wait-board.ts`): sleeps on all words that are waited for, and says
 * who was woken.
 */
import { workerData } from 'node:worker_threads';
import { FUTEX_OPERATION, setTimespec, timespec } from './futex-operation.ts';
import { ERRNO, Kernel } from './kernel.ts';
import { endLoad } from './load-guard.ts';
import { monotonicMs } from './monotonic.ts';
import {
  CONTROL,
  finishSlot,
  HELPER_SLEEP,
  PHASE,
  phaseOf,
  RESULT,
  SLOT,
  SLOTS,
  slotAddress,
  slotStart,
  WaitKind,
  withPhase,
} from './wait-board.ts';

export interface HelperData {
  readonly board: SharedArrayBuffer;
  /** Looks at the words now and then, as on a kernel without futex_waitv (before 5.16). */
  readonly poll: boolean;
  /**
   * Guard of the thread that starts this helper: it is not terminated before the helper is loaded.
   */
  readonly guard: Int32Array<SharedArrayBuffer> | undefined;
}

/** Longest stay in the kernel, and so how late we may notice that we are terminated. */
const SLICE_MS = 50;
const POLL_MS = 5;
const LEASE_MS = 10_000;
/**
 * Polling misses a wake that changes no word, so a waiter for any wake looks again at this
 * interval.
 */
const POLL_LEASE_MS = 100;
const NANOSECONDS_PER_MS = 1_000_000n;
const CLOCK_MONOTONIC = 1;

/** struct futex_waitv: value (64 bits), address (64), flags (32), reserved (32). */
const WAITER_BYTES = 24;
const FUTEX2_SIZE_U32 = 2;

interface Waiter {
  readonly start: number;
  readonly state: number;
  readonly address: number;
  readonly expected: number;
  readonly kind: number;
}

class WaitHelper {
  readonly #kernel: Kernel;
  readonly #words: Int32Array;
  readonly #controlAddress: number;
  readonly #vector = Buffer.allocUnsafeSlow((SLOTS + 1) * WAITER_BYTES).fill(0);
  readonly #until = timespec(0n);
  readonly #pollTime = timespec(BigInt(POLL_MS) * NANOSECONDS_PER_MS);
  /** Since when each slot has been in its state. */
  readonly #seen = Array.from({ length: SLOTS }, () => ({ state: 0, sinceMs: 0 }));
  #poll: boolean;

  constructor(kernel: Kernel, { board, poll }: HelperData) {
    this.#kernel = kernel;
    this.#words = new Int32Array(board);
    this.#controlAddress = kernel.addressOf(this.#words);
    this.#poll = poll;
  }

  run(): void {
    while (Atomics.load(this.#words, CONTROL.stop) === 0) {
      const change = Atomics.load(this.#words, CONTROL.change);
      const { waiters, taken } = this.#collect();
      if (waiters.length === 0) this.#sleepNatively(change, taken > 0 ? LEASE_MS : Number.POSITIVE_INFINITY);
      else this.#sleepInKernel(change, waiters);
    }
  }

  /**
   * Nobody waits: sleeps where nothing has to be noticed but the board, and where a thread can be
   * terminated.
   */
  #sleepNatively(change: number, timeoutMs: number): void {
    Atomics.store(this.#words, CONTROL.sleep, HELPER_SLEEP.native);
    Atomics.wait(this.#words, CONTROL.change, change, timeoutMs);
    Atomics.store(this.#words, CONTROL.sleep, HELPER_SLEEP.none);
  }

  #sleepInKernel(change: number, waiters: readonly Waiter[]): void {
    Atomics.store(this.#words, CONTROL.sleep, HELPER_SLEEP.kernel);
    const result = this.#poll ? this.#pollOnce(change) : this.#waitForAny(change, waiters);
    Atomics.store(this.#words, CONTROL.sleep, HELPER_SLEEP.none);
    const woken = waiters[result];
    if (woken !== undefined) this.#wakeAll(waiters, result);
    else if (result === -ERRNO.ENOSYS || result === -ERRNO.EPERM) this.#poll = true;
    else if (result < 0 && Atomics.load(this.#words, CONTROL.change) === change) this.#wakeChanged(waiters);
  }

  /** Index of the waiter that was woken, that behind the last for the board itself, or an error. */
  #waitForAny(change: number, waiters: readonly Waiter[]): number {
    waiters.forEach(({ address, expected }, index) => this.#fillWaiter(index, address, expected));
    this.#fillWaiter(waiters.length, this.#controlAddress, change);
    setTimespec(this.#until, process.hrtime.bigint() + BigInt(SLICE_MS) * NANOSECONDS_PER_MS);
    return this.#kernel.futexWaitMany(this.#vector, waiters.length + 1, this.#until, CLOCK_MONOTONIC);
  }

  #fillWaiter(index: number, address: number, expected: number): void {
    const at = index * WAITER_BYTES;
    this.#vector.writeBigUInt64LE(BigInt(expected >>> 0), at);
    this.#vector.writeBigUInt64LE(BigInt(address), at + 8);
    this.#vector.writeUInt32LE(FUTEX2_SIZE_U32, at + 16);
  }

  #pollOnce(change: number): number {
    const { wait } = FUTEX_OPERATION;
    this.#kernel.futex(this.#controlAddress, wait, change >>> 0, this.#pollTime);
    return -ERRNO.ETIMEDOUT;
  }

  /** The kernel names the last word only that was woken: some before it may have been, too. */
  #wakeAll(waiters: readonly Waiter[], last: number): void {
    waiters.forEach((waiter, index) => {
      if (index === last || (index < last && waiter.kind === WaitKind.anyWake)) this.#wake(waiter);
    });
  }

  /** Wakes who waits on a word that has changed, or that is not there any more. */
  #wakeChanged(waiters: readonly Waiter[]): void {
    for (const waiter of waiters) {
      const { address, expected } = waiter;
      if (this.#kernel.futexCompare(address, this.#controlAddress, expected >>> 0) < 0) this.#wake(waiter);
    }
  }

  #wake({ start, state, address }: Waiter): void {
    if (finishSlot(this.#words, start, state, RESULT.woken)) return;
    // It had given up already: the wake-up is for somebody else.
    this.#kernel.futex(address, FUTEX_OPERATION.wake, 1, null);
  }

  /** Lists the waiters and counts the taken slots; ends leases that have run out. */
  #collect(): { waiters: Waiter[]; taken: number } {
    const waiters: Waiter[] = [];
    const nowMs = monotonicMs();
    let taken = 0;
    this.#seen.forEach((seen, slot) => {
      const start = slotStart(slot);
      const state = Atomics.load(this.#words, start);
      if (state !== seen.state) Object.assign(seen, { state, sinceMs: nowMs });
      if (phaseOf(state) === PHASE.free) return;
      taken++;
      if (nowMs - seen.sinceMs > LEASE_MS) this.#endLease(start, state);
      else if (phaseOf(state) === PHASE.waiting) {
        const expected = Atomics.load(this.#words, start + SLOT.expected);
        const kind = Atomics.load(this.#words, start + SLOT.kind);
        const stale = this.#poll && kind === WaitKind.anyWake && nowMs - seen.sinceMs > POLL_LEASE_MS;
        if (stale && finishSlot(this.#words, start, state, RESULT.woken)) return;
        waiters.push({ start, state, address: slotAddress(this.#words, start), expected, kind });
      }
    });
    // Waiters for any wake come last, so that they are woken in vain as rarely as possible.
    return { waiters: waiters.toSorted((one, other) => one.kind - other.kind), taken };
  }

  #endLease(start: number, state: number): void {
    if (phaseOf(state) === PHASE.waiting) finishSlot(this.#words, start, state, RESULT.renew);
    else Atomics.compareExchange(this.#words, start, state, withPhase(state, PHASE.free));
  }
}

const data: HelperData = workerData;
const kernel = Kernel.load();
endLoad(data.guard);
if (typeof kernel === 'string') throw new Error(kernel);
new WaitHelper(kernel, data).run();
