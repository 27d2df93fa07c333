/**
 * The calls of one channel that wait for their answer, in slots. An answer names the slot and its
 * generation, so that a second answer to one call does not meet a later call in the same slot.
 */
import { assert } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import type { TraceContext } from '../trace/event.ts';
import { LIMITS } from '../limits.ts';

/** Is told how a call has ended: at once, in the middle of receiving. */
export interface CallOutcome {
  /**
   * The result is `false` if nobody wants the answer any more: then capabilities that came with it
   * are given back.
   */
  readonly resolve: (value: unknown) => unknown;
  readonly reject: (error: Error) => void;
  /** Whether the thread sleeps until it is told. */
  readonly synchronous?: true | undefined;
}

/** A call that waits for its answer. The operation reads its result. */
export interface PendingCall extends CallOutcome {
  readonly operation: OperationPlan;
  /** The length of the call in bytes, if it is long enough to be counted. */
  bytes: number;
  /** Whether all of it is on its way to the peer. */
  handedOver: boolean;
  /** Its place in a trace, if it has one. */
  readonly context: TraceContext | undefined;
}

const SLOT_BITS = 14;
const SLOT_MASK = 2 ** SLOT_BITS - 1;
const GENERATIONS = 2 ** (32 - SLOT_BITS);

assert(2 ** SLOT_BITS >= LIMITS.callsInFlight, 'every call in flight has a slot');

/** The calls under way: at most `LIMITS.callsInFlight`. */
export class CallTable {
  readonly #calls: (PendingCall | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #free: number[] = [];

  /** The number of calls under way. */
  get size(): number {
    return this.#calls.length - this.#free.length;
  }

  get full(): boolean {
    return this.#free.length === 0 && this.#calls.length === LIMITS.callsInFlight;
  }

  /** Adds a call to a table that is not full. The result is the id that its answer has to name. */
  add(call: PendingCall): number {
    const slot = this.#free.pop() ?? this.#calls.length;
    this.#calls[slot] = call;
    const generation = ((this.#generations[slot] ?? 0) + 1) % GENERATIONS;
    this.#generations[slot] = generation;
    return ((generation << SLOT_BITS) | slot) >>> 0;
  }

  /** Takes a call out; `undefined` if there is none with that id. */
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
