/**
 * The calls of one channel that wait for their answer, in slots: an answer names its slot, and the slot's generation, so
 * that an answer given twice does not meet a later call.
 */
import { assert } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { LIMITS } from '../limits.ts';

/** Who is told what becomes of a call: at once, in the middle of receiving. */
export interface CallOutcome {
  /** `false` if nobody wants the answer any more: what came with it is given back. */
  readonly resolve: (value: unknown) => unknown;
  readonly reject: (error: Error) => void;
  /** The thread sleeps until it is told. */
  readonly synchronous?: true | undefined;
}

/** A call that waits; the operation reads its result. */
export interface PendingCall extends CallOutcome {
  readonly operation: OperationPlan;
  /** Its length, if that counts. */
  bytes: number;
}

const SLOT_BITS = 14;
const SLOT_MASK = 2 ** SLOT_BITS - 1;
const GENERATIONS = 2 ** (32 - SLOT_BITS);

assert(2 ** SLOT_BITS >= LIMITS.callsInFlight, 'every call in flight has a slot');

/** Calls under way; at most `LIMITS.callsInFlight`. */
export class CallTable {
  readonly #calls: (PendingCall | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];

  /** Calls under way. */
  get size(): number {
    return this.#calls.length - this.#free.length;
  }

  get full(): boolean {
    return this.#free.length === 0 && this.#calls.length === LIMITS.callsInFlight;
  }

  /** Adds a call to a table that is not full; the result names it. */
  add(call: PendingCall): number {
    const slot = this.#free.pop() ?? this.#calls.length;
    this.#calls[slot] = call;
    const generation = ((this.#generations[slot] ?? 0) + 1) % GENERATIONS;
    this.#generations[slot] = generation;
    return ((generation << SLOT_BITS) | slot) >>> 0;
  }

  /** Takes a call out; `undefined` if there is none of that name. */
  take(id: number): PendingCall | undefined {
    const slot = id & SLOT_MASK;
    const call = this.#calls[slot];
    if (!call || this.#generations[slot] !== id >>> SLOT_BITS) return undefined;
    this.#calls[slot] = undefined;
    this.#free.push(slot);
    return call;
  }

  /** Takes every call out. */
  takeAll(): PendingCall[] {
    const calls = this.#calls.filter((call) => call !== undefined);
    this.#calls.length = 0;
    this.#free.length = 0;
    return calls;
  }
}
