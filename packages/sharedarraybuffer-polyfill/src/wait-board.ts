/// <reference lib="es2024.sharedmemory" />
/**
 * Asynchronous waits on words that other processes wake. The kernel wakes threads only, so a helper
 * thread waits for others: it sleeps on up to 127 words at a time (futex_waitv). Who wants to wait
 * writes the word's address on a board in memory of this process and waits there in V8's own way,
 * which the helper ends. Nothing of this uses libuv's pool, and nothing keeps the process alive.
 *
 *     word  0   control: changes whenever the helper should look at the board again
 *           1   how the helper sleeps: not at all, by Atomics.wait, in the kernel
 *           2   the helper shall end      3   it has ended       4   somebody has waited: the helper is to be started
 *          16 … slots of 8 words: state, address (low, high), expected value, result, what ends the waiting
 *
 * The state of a slot is generation * 4 + phase; who takes a slot makes a new generation, so nobody
 * mistakes one waiting for another. A thread may be terminated while it has a slot: so waits are
 * leases. The helper ends each after ten seconds, a living thread takes another slot, and those of
 * the dead become free.
 *
 *     free -> claimed (being written) -> waiting -> done -> free        waiting -> free: timed out
 */
import { assert } from './errors.ts';
import { FUTEX_OPERATION } from './futex-operation.ts';
import type { Kernel } from './kernel.ts';

export const CONTROL = { change: 0, sleep: 1, stop: 2, ended: 3, wanted: 4 } as const;
export const HELPER_SLEEP = { none: 0, native: 1, kernel: 2 } as const;
export const PHASE = { free: 0, claimed: 1, waiting: 2, done: 3 } as const;
export const RESULT = { woken: 1, renew: 2 } as const;
/** Words of a slot. */
export const SLOT = { state: 0, addressLow: 1, addressHigh: 2, expected: 3, result: 4, kind: 5 } as const;
/**
 * The events that end a wait: a change of the word, or any wake. The kernel tells about one of
 * several words woken at a time; who waits for any wake is then told as well, perhaps for nothing,
 * and who waits for a change is not.
 */
export const WaitKind = { change: 0, anyWake: 1 } as const;
export type WaitKind = (typeof WaitKind)[keyof typeof WaitKind];

/** The kernel takes 128 words; one is the board's own. */
export const SLOTS = 127;
const SLOTS_START = 16;
const SLOT_WORDS = 8;
const HIGH = 2 ** 32;

/** A word in shared memory, the value it has, and what is waited for. */
export interface AwaitedWord {
  readonly address: number;
  readonly expected: number;
  readonly kind: WaitKind;
}

export type SlotOutcome = 'ok' | 'timed-out' | 'renew';

export const phaseOf = (state: number): number => state & 3;
export const withPhase = (state: number, phase: number): number => (state & ~3) | phase;
/** Index of the first word of a slot. */
export const slotStart = (slot: number): number => SLOTS_START + slot * SLOT_WORDS;

export function boardMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer((SLOTS_START + SLOTS * SLOT_WORDS) * 4);
}

/** Settles when somebody waits at the board. */
export async function whenWanted(memory: SharedArrayBuffer): Promise<void> {
  await Atomics.waitAsync(new Int32Array(memory), CONTROL.wanted, 0).value;
}

/** Address that a slot names. */
export function slotAddress(words: Int32Array, start: number): number {
  const low = Atomics.load(words, start + SLOT.addressLow) >>> 0;
  return (Atomics.load(words, start + SLOT.addressHigh) >>> 0) * HIGH + low;
}

/** Tells the owner of a waiting slot how it ended; false if it no longer waits. */
export function finishSlot(words: Int32Array, start: number, state: number, result: number): boolean {
  assert(phaseOf(state) === PHASE.waiting, 'only who waits is told');
  // The owner reads the result only once it sees the phase `done`; if it is gone the word means
  // nothing.
  Atomics.store(words, start + SLOT.result, result);
  const done = withPhase(state, PHASE.done);
  if (Atomics.compareExchange(words, start + SLOT.state, state, done) !== state) return false;
  Atomics.notify(words, start + SLOT.state);
  return true;
}

/** A board as those see it who wait. */
export class WaitBoard {
  readonly #words: Int32Array;
  readonly #kernel: Kernel;
  readonly #controlAddress: number;

  constructor(kernel: Kernel, memory: SharedArrayBuffer) {
    this.#kernel = kernel;
    this.#words = new Int32Array(memory);
    this.#controlAddress = kernel.addressOf(this.#words);
  }

  /** Whether the helper is there, or about to be. */
  get alive(): boolean {
    return Atomics.load(this.#words, CONTROL.ended) === 0;
  }

  /** Waits for a word that is `expected` now; undefined if all slots are taken. */
  wait({ address, expected, kind }: AwaitedWord, timeoutMs: number): Promise<SlotOutcome> | undefined {
    const start = this.#claim();
    if (start === undefined) return undefined;
    const words = this.#words;
    Atomics.store(words, start + SLOT.addressLow, (address % HIGH) | 0);
    Atomics.store(words, start + SLOT.addressHigh, Math.floor(address / HIGH));
    Atomics.store(words, start + SLOT.expected, expected);
    Atomics.store(words, start + SLOT.kind, kind);
    const state = withPhase(Atomics.load(words, start), PHASE.waiting);
    Atomics.store(words, start, state);
    this.#want();
    this.ring();
    const waiting = Atomics.waitAsync(words, start, state, timeoutMs);
    if (!waiting.async) return Promise.resolve(this.#outcome(start, state));
    return waiting.value.then(() => this.#outcome(start, state));
  }

  /** The helper shall look at the board again. */
  ring(): void {
    Atomics.add(this.#words, CONTROL.change, 1);
    const sleep = Atomics.load(this.#words, CONTROL.sleep);
    if (sleep === HELPER_SLEEP.native) Atomics.notify(this.#words, CONTROL.change);
    if (sleep === HELPER_SLEEP.kernel)
      this.#kernel.futex(this.#controlAddress, FUTEX_OPERATION.wake, 1, null);
  }

  #want(): void {
    const first = Atomics.compareExchange(this.#words, CONTROL.wanted, 0, 1) === 0;
    if (first) Atomics.notify(this.#words, CONTROL.wanted);
  }

  /** The helper shall end. */
  stop(): void {
    Atomics.store(this.#words, CONTROL.stop, 1);
    this.ring();
  }

  /** The helper has ended: whoever waits looks again by itself. */
  ended(): void {
    Atomics.store(this.#words, CONTROL.ended, 1);
    for (let slot = 0; slot < SLOTS; slot++) {
      const state = Atomics.load(this.#words, slotStart(slot));
      if (phaseOf(state) === PHASE.waiting) finishSlot(this.#words, slotStart(slot), state, RESULT.renew);
    }
  }

  #claim(): number | undefined {
    for (let slot = 0; slot < SLOTS; slot++) {
      const start = slotStart(slot);
      const state = Atomics.load(this.#words, start);
      if (phaseOf(state) !== PHASE.free) continue;
      const claimed = withPhase((state + 4) | 0, PHASE.claimed);
      if (Atomics.compareExchange(this.#words, start, state, claimed) === state) return start;
    }
    return undefined;
  }

  #outcome(start: number, state: number): SlotOutcome {
    const free = withPhase(state, PHASE.free);
    const found = Atomics.compareExchange(this.#words, start, state, free);
    if (found === state) {
      this.ring();
      return 'timed-out';
    }
    // Somebody else's by now: we were so late that the helper took it back.
    if (found !== withPhase(state, PHASE.done)) return 'ok';
    const result = Atomics.load(this.#words, start + SLOT.result);
    Atomics.compareExchange(this.#words, start, found, free);
    return result === RESULT.renew ? 'renew' : 'ok';
  }
}
