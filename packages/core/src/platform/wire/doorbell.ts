/// <reference lib="es2024.sharedmemory" />
/**
 * The doorbell of a thread: one piece of shared memory by which others tell it that there is
 * something to do, and wake it if it sleeps. Every source of work of the thread (a channel, a port)
 * has a slot.
 *
 *     word  0        what the owner does: awake, parked (Atomics.wait), waiting (Atomics.waitAsync)
 *           1        kind of bell: how the owner is woken when it sleeps
 *           2        counts how often other processes have woken an owner with a live loop
 *          16        summary: bit w is set if word 32 + w may have bits
 *          32 … 63   one bit for each slot
 *
 * A thread that has something for the owner makes it visible, sets the slot's bit, then the
 * summary's, and looks at word 0: only if the owner sleeps is it woken. The owner first says that
 * it sleeps, then looks at the summary once more; it clears the bits before it looks at what they
 * stand for. So one of the two always sees the other, whatever the order.
 *
 * Nothing in here is trusted: a bit that is wrong makes the owner look in vain. A peer that erases
 * the bits of others delays them, for at most as long as an owner sleeps without looking around
 * (`thread-loop.ts`).
 */

import { availableParallelism } from 'node:os';
import { FutexWord } from 'sharedarraybuffer-polyfill/futex-word';
import { LOAD_GUARD_WORDS } from 'sharedarraybuffer-polyfill/load-guard';
import { assert } from '../../errors.ts';
import { newPlace, type Place, wordsAt } from '../../memory/place.ts';

/**
 * Ways to wake a parked owner: by V8's own wait list; by the kernel's futex; or by the futex of an
 * owner with peers in other processes (`foreign`). An owner with a live loop is woken by V8 from
 * within its process. For other processes there is word 2, which a helper thread of the owner
 * watches.
 */
export const BELL_KIND = { v8: 1, futex: 2, foreign: 3 } as const;

/** The states of the owner. */
export const Sleep = { awake: 0, parked: 1, waiting: 2, gone: 3 } as const;
export type Sleep = (typeof Sleep)[keyof typeof Sleep];

const STATE = 0;
const KIND = 1;
const ABROAD = 2;
const SUMMARY = 16;
const SLOT_BITS = 32;
const WORDS = 64;

/**
 * An owner that has parked this often parks in the kernel's futex from then on, where there is one.
 * Loading that takes longer than starting a thread, and saves a few microseconds each time.
 */
const PARKINGS_BEFORE_FUTEX = 1000;

/**
 * The CPUs of the process. Whichever of them a thread is bound to later, a peer may have another
 * one.
 */
export const CPUS = availableParallelism();

/** Slots of a doorbell. Several sources may share one: then all of them are looked at. */
export const SLOTS = 32 * 32;

/** Bytes of a doorbell. */
export const DOORBELL_BYTES = WORDS * 4;

/** Memory for a doorbell. Its owner is awake, and counted as such. */
export function doorbellMemory(census: Place): Place {
  const memory = newPlace(DOORBELL_BYTES);
  resetDoorbell(memory, census);
  return memory;
}

/**
 * Makes a doorbell of a piece of memory that may have been one. Its owner is awake, and counted as
 * such.
 */
export function resetDoorbell(memory: Place, census: Place): void {
  const all = wordsAt(memory);
  for (let index = SUMMARY; index < WORDS; index++) Atomics.store(all, index, 0);
  Atomics.store(all, KIND, BELL_KIND.v8);
  Atomics.store(all, STATE, Sleep.awake);
  Atomics.add(wordsAt(census), 0, 1);
}

/**
 * Memory that says whether a thread is to end (word 0) and whether it may be ended now: it is the
 * guard of its loads (`load-guard.ts` of sharedarraybuffer-polyfill). Peers do not have this
 * memory, because they could use it to keep the thread from sleeping for ever.
 */
export function lifeMemory(): Place {
  return newPlace(LOAD_GUARD_WORDS * 4);
}

/** The thread is about to be terminated: it must not be asleep then, nor fall asleep again. */
export function endLife(life: Place, bell: Bell): void {
  Atomics.store(wordsAt(life), 0, 1);
  bell.wake();
}

/** Memory for the number of threads of a process that are awake. */
export function censusMemory(): Place {
  return newPlace(4);
}

/**
 * Sleeps at a word while the event loop goes on. Other processes can end the sleep too; it may end
 * early.
 */
export type AsyncSleep = (
  words: Int32Array<SharedArrayBuffer>,
  index: number,
  expected: number,
) => Promise<unknown>;

/** Bells whose owners this thread will wake at the end of its turn. */
let scheduled: Bell[] = [];

/** Wakes them now, because the turn is over or the thread is about to sleep in the middle of it. */
export function wakeScheduled(): void {
  const bells = scheduled;
  if (bells.length === 0) return;
  scheduled = [];
  for (const bell of bells) bell.wakeAsScheduled();
}

/** A doorbell as a thread sees it that rings it. */
export class Bell {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #census: Int32Array;
  /** Whether the owner is a thread of another process. */
  readonly #abroad: boolean;
  #futex: FutexWord | undefined;
  #futexAbroad: FutexWord | undefined;
  #wakeScheduled = false;

  /** `census` is the count of awake threads of the owner's process. */
  constructor(memory: Place, census: Place, abroad = false) {
    this.#words = wordsAt(memory);
    this.#census = wordsAt(census);
    this.#abroad = abroad;
  }

  /** Says that there is something in `slot`, and wakes the owner at once. */
  ring(slot: number): void {
    this.#mark(slot);
    this.wake();
  }

  /**
   * Says the same, but a sleeping owner is woken only at the end of the running turn: once, for
   * everything that it has got by then.
   */
  ringSoon(slot: number): void {
    this.#mark(slot);
    if (this.#wakeScheduled || Atomics.load(this.#words, STATE) === Sleep.awake) return;
    this.#wakeScheduled = true;
    if (scheduled.push(this) === 1) queueMicrotask(wakeScheduled);
  }

  /**
   * Wakes a sleeping owner for whom `ringSoon` has put that off, because the running turn goes on
   * for long. On one CPU the owner could not run meanwhile.
   */
  hurry(): void {
    if (this.#wakeScheduled && CPUS > 1) this.wake();
  }

  /** Does the waking that `ringSoon` has put off. */
  wakeAsScheduled(): void {
    this.#wakeScheduled = false;
    this.wake();
  }

  /**
   * Says that there is something in a port. A port wakes an owner with a live event loop by itself.
   */
  ringPort(slot: number): void {
    this.#mark(slot);
    if (Atomics.load(this.#words, STATE) === Sleep.parked) this.wake();
  }

  /** Wakes the owner if it sleeps. */
  wake(): void {
    const state = Atomics.load(this.#words, STATE);
    if (state !== Sleep.parked && state !== Sleep.waiting) return;
    // The owner does not know of any peer in another process yet, so such a peer cannot wake it.
    // When it does, it looks for frames that have come.
    if (this.#abroad && Atomics.load(this.#words, KIND) !== BELL_KIND.foreign) return;
    if (Atomics.compareExchange(this.#words, STATE, state, Sleep.awake) !== state) return;
    Atomics.add(this.#census, 0, 1);
    if (state === Sleep.waiting) this.#wakeWaiting();
    else if (Atomics.load(this.#words, KIND) === BELL_KIND.v8) Atomics.notify(this.#words, STATE);
    else this.#wakeParked();
  }

  /**
   * As `ring`, for a caller who knows that a thread has died which may have been about to wake the
   * owner: such a thread may have noted that the owner is awake, and then never woken it. So the
   * owner is woken whatever is noted. If nothing has come, it looks in vain.
   */
  ringSurely(slot: number): void {
    this.#mark(slot);
    this.rouse();
  }

  /** Does the waking of `ringSurely`, when the bits of everything that has come are set already. */
  rouse(): void {
    this.wake();
    if (Atomics.load(this.#words, KIND) !== BELL_KIND.v8) this.#wakeParked();
    if (!this.#abroad) Atomics.notify(this.#words, STATE);
    else this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    if (!this.#abroad) return void Atomics.notify(this.#words, STATE);
    Atomics.add(this.#words, ABROAD, 1);
    this.#futexAbroad ??= FutexWord.at(this.#words, ABROAD);
    assert(this.#futexAbroad !== undefined, 'memory is shared only where the kernel can be reached');
    this.#futexAbroad.wake();
  }

  #wakeParked(): void {
    this.#futex ??= FutexWord.at(this.#words, STATE);
    assert(this.#futex !== undefined, 'who sleeps by futex can do so because all threads of the process can');
    this.#futex.wake();
  }

  /** The owner's thread has ended, as the caller has seen, and does not count as awake any more. */
  ownerGone(): void {
    if (Atomics.exchange(this.#words, STATE, Sleep.gone) === Sleep.awake) Atomics.sub(this.#census, 0, 1);
  }

  #mark(slot: number): void {
    const word = SLOT_BITS + (slot >>> 5);
    const bit = 1 << slot;
    if ((Atomics.load(this.#words, word) & bit) === 0) Atomics.or(this.#words, word, bit);
    const summary = 1 << (slot >>> 5);
    if ((Atomics.load(this.#words, SUMMARY) & summary) === 0) Atomics.or(this.#words, SUMMARY, summary);
  }
}

/** A doorbell as its owner sees it. */
export class Doorbell {
  /** The bell by which the owner rings itself. */
  readonly bell: Bell;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #census: Int32Array;
  readonly #life: Int32Array;
  /** The counts of awake threads of the processes where this thread has peers. */
  #censusesAbroad: readonly Int32Array[] = [];
  #parkings = 0;
  #futex: FutexWord | undefined;
  #asyncSleep: AsyncSleep | undefined;
  #watching = false;

  constructor(memory: Place, census: Place, life = lifeMemory()) {
    this.bell = new Bell(memory, census);
    this.#life = wordsAt(life);
    this.#words = wordsAt(memory);
    this.#census = wordsAt(census);
  }

  /**
   * The number of awake threads, this one included: of this process, and of those where it has
   * peers.
   */
  get awakeThreads(): number {
    let awake = Atomics.load(this.#census, 0);
    for (const census of this.#censusesAbroad) awake += Math.max(0, Atomics.load(census, 0));
    return awake;
  }

  /** Says which other processes' threads count. */
  countAbroad(censuses: readonly Place[]): void {
    this.#censusesAbroad = censuses.map((census) => wordsAt(census));
  }

  /**
   * From now on peers in other processes ring. Called before their channels are looked at for the
   * first time.
   */
  openAbroad(asyncSleep: AsyncSleep): void {
    if (this.#asyncSleep) return;
    this.#futex ??= FutexWord.at(this.#words, STATE);
    assert(
      this.#futex !== undefined,
      'memory is shared between processes only where the kernel can be reached',
    );
    this.#asyncSleep = asyncSleep;
    Atomics.store(this.#words, KIND, BELL_KIND.foreign);
    // The owner may be told of its first such peer while it is asleep.
    if (Atomics.load(this.#words, STATE) === Sleep.waiting) this.#watchAbroad();
  }

  /** Makes sure that `wait` ends when another process rings. Stays in force until then. */
  #watchAbroad(): void {
    if (!this.#asyncSleep || this.#watching) return;
    this.#watching = true;
    const rung = this.#asyncSleep(this.#words, ABROAD, Atomics.load(this.#words, ABROAD));
    void rung.then(() => {
      this.#watching = false;
      this.nudge();
    });
  }

  /** Whether somebody has rung since `take`. */
  get rung(): boolean {
    return Atomics.load(this.#words, SUMMARY) !== 0;
  }

  /** Clears all bits and calls `visit` for each that was set. */
  take(visit: (slot: number) => void): boolean {
    if (Atomics.load(this.#words, SUMMARY) === 0) return false;
    let groups = Atomics.exchange(this.#words, SUMMARY, 0);
    while (groups !== 0) {
      const group = 31 - Math.clz32(groups);
      groups &= ~(1 << group);
      let bits = Atomics.exchange(this.#words, SLOT_BITS + group, 0);
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits);
        bits &= ~(1 << bit);
        visit(group * 32 + bit);
      }
    }
    return true;
  }

  /** Sleeps in Atomics.wait until somebody rings; false if nobody has within `timeoutMs`. */
  park(timeoutMs: number): boolean {
    if (this.#parkings++ === PARKINGS_BEFORE_FUTEX) this.#useFutex();
    if (!this.#fallAsleep(Sleep.parked)) return true;
    const woken = this.#futex
      ? this.#futex.wait(Sleep.parked, timeoutMs)
      : Atomics.wait(this.#words, STATE, Sleep.parked, timeoutMs) !== 'timed-out';
    return !this.wakeUp() || woken;
  }

  /** Sleeps with a live event loop; undefined if somebody has rung already. */
  wait(): Promise<unknown> | undefined {
    this.#watchAbroad();
    if (!this.#fallAsleep(Sleep.waiting)) return undefined;
    const { async, value } = Atomics.waitAsync(this.#words, STATE, Sleep.waiting);
    if (async) return value;
    this.wakeUp();
    return undefined;
  }

  /** Notes that the owner is awake, whoever has woken it. True if nobody else had noted that. */
  wakeUp(): boolean {
    const state = Atomics.exchange(this.#words, STATE, Sleep.awake);
    if (state === Sleep.awake) return false;
    Atomics.add(this.#census, 0, 1);
    return true;
  }

  /** Ends `wait`, whatever others have written into the doorbell. */
  nudge(): void {
    this.wakeUp();
    Atomics.notify(this.#words, STATE);
  }

  /** From now on a thread that sees the owner parked also sees that a futex wakes it. */
  #useFutex(): void {
    if (this.#futex) return;
    this.#futex = FutexWord.at(this.#words, STATE);
    if (this.#futex) Atomics.store(this.#words, KIND, BELL_KIND.futex);
  }

  /** Says that the owner sleeps, unless somebody has rung. */
  #fallAsleep(how: Sleep): boolean {
    if (Atomics.load(this.#words, SUMMARY) !== 0) return false;
    Atomics.store(this.#words, STATE, how);
    Atomics.sub(this.#census, 0, 1);
    if (Atomics.load(this.#words, SUMMARY) === 0 && Atomics.load(this.#life, 0) === 0) return true;
    this.wakeUp();
    return false;
  }
}
