/**
 * Synchronous calls, for code that must block: a wasm module, or the thread of a virtual CPU. The
 * thread sleeps until the answer is there or the deadline has passed. Meanwhile it takes answers
 * and introductions only; what its peers ask of it waits. Two threads that wait for each other in
 * this way would wait for ever. So a component that has waited for a moment tells the supervisor
 * for whom. The supervisor knows the waits of all components, and refuses the one that closes a
 * circle. Nearly all calls are answered sooner, and cost nothing of this.
 */
import { referenceOf } from '../capability/capability.ts';
import { HeldReference, LocalReference, PendingReference, type Reference } from '../capability/reference.ts';
import type { CallOutcome } from '../channel/call-table.ts';
import { assert, PeerGone, RpcError } from '../errors.ts';
import type { Capability, Interface } from '../interface/interface.ts';
import { type OperationPlan, plansOf } from '../interface/operation.ts';
import { SupervisorCalls } from './control.ts';
import type { Entrypoint } from './entrypoint.ts';

/** The operations of an interface as functions that return when the answer is there. */
export type Synchronous<I extends Interface> = {
  readonly [Name in keyof Capability<I> & string]: Capability<I>[Name] extends (
    ...args: infer Arguments
  ) => Promise<infer Result>
    ? (...args: Arguments) => Result
    : never;
};

/** Bounds of synchronous calls. */
export interface SynchronousOptions {
  /** Milliseconds until a call ends with `TimedOut`: more than 0, and at most a day. */
  readonly timeoutMs: number;
}

/**
 * Sleeps until `done` returns true, and takes frames meanwhile. False if `timeoutMs` has passed.
 */
export type Sleeper = (done: () => boolean, timeoutMs: number) => boolean;

const TIMEOUT_MS_MAX = 24 * 60 * 60 * 1000;
/** A wait that lasts longer than this is told to the supervisor. */
const UNREPORTED_MS = 10;

type Outcome = { readonly value: unknown } | { readonly error: Error };

/** The synchronous calls of one component. */
export class SynchronousCalls {
  readonly #entrypoint: Entrypoint;
  readonly #supervisor: Capability<typeof SupervisorCalls>;
  readonly #sleep: Sleeper | undefined;
  /** The number of the last wait that the supervisor was told of; 0 while there is none. */
  #wait = 0;
  #lastWait = 0;

  /**
   * Without `sleep` the platform has no threads of its own for components: then every call is
   * refused.
   */
  constructor(
    entrypoint: Entrypoint,
    supervisor: Capability<typeof SupervisorCalls>,
    sleep: Sleeper | undefined,
  ) {
    this.#entrypoint = entrypoint;
    this.#supervisor = supervisor;
    this.#sleep = sleep;
  }

  /** For the supervisor: whether the thread is still in the wait with this number. */
  stillWaiting(wait: number): boolean {
    return this.#wait === wait;
  }

  /** The operations of a capability as synchronous functions. */
  view<I extends Interface>(
    interface_: I,
    capability: Capability<I>,
    { timeoutMs }: SynchronousOptions,
  ): Synchronous<I> {
    assert(
      timeoutMs > 0 && timeoutMs <= TIMEOUT_MS_MAX,
      'a synchronous call takes more than 0 ms and at most a day',
    );
    const reference = referenceOf(capability);
    assert(reference !== undefined, 'synchronous calls go to a capability');
    const view: Record<string, (...args: unknown[]) => unknown> = {};
    for (const [name, operation] of plansOf(interface_).byName) {
      view[name] = (...args) => this.#call(reference, operation, args, timeoutMs);
    }
    // The view has one function for each operation of the interface, as the type says.
    return view as Synchronous<I>;
  }

  #call(
    reference: Reference,
    operation: OperationPlan,
    args: readonly unknown[],
    timeoutMs: number,
  ): unknown {
    if (reference instanceof LocalReference) return callOwn(reference, operation, args);
    if (!this.#sleep) throw new RpcError('NotShareable', 'synchronous calls need a thread that may sleep');
    const held = this.#held(reference, timeoutMs);
    let outcome: Outcome | undefined;
    const tell: CallOutcome = {
      synchronous: true,
      resolve: (value) => {
        if (outcome) return false;
        outcome = { value };
        return true;
      },
      reject: (error) => {
        outcome ??= { error };
      },
    };
    held.remote.channel.place(held.remote, operation, args, tell);
    const done = (): boolean => outcome !== undefined;
    if (!done()) this.#await(done, held.remote.channel.peer, timeoutMs, tell.reject);
    outcome ??= { error: new RpcError('TimedOut', `${operation.title}: no answer within ${timeoutMs} ms`) };
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  }

  /**
   * The reference to call. Waits for the introduction of a capability that is still on its way to
   * us.
   */
  #held(reference: Reference, timeoutMs: number): HeldReference {
    if (reference instanceof PendingReference) {
      const done = (): boolean => reference.target !== undefined || reference.hasFailed;
      if (!done()) this.#sleepUntil(done, timeoutMs);
      if (reference.hasFailed) throw new PeerGone(undefined, 'no');
      if (reference.target instanceof HeldReference && !reference.released) return reference.target;
      throw new RpcError(reference.released ? 'Revoked' : 'TimedOut', 'the capability leads nowhere yet');
    }
    assert(reference instanceof HeldReference, 'a capability is our own, held, or being introduced');
    if (reference.released) throw new RpcError('Revoked', 'the capability was released');
    return reference;
  }

  #await(done: () => boolean, peer: number, timeoutMs: number, refuse: (error: Error) => void): void {
    const first = Math.min(UNREPORTED_MS, timeoutMs);
    if (this.#sleepUntil(done, first) || first === timeoutMs) return;
    const wait = this.#nextWait();
    this.#wait = wait;
    // Sent at once and without a promise, because no promise goes on in a thread that sleeps.
    this.#tellSupervisor('waiting', [peer, wait], { resolve: () => {}, reject: refuse });
    this.#sleepUntil(done, timeoutMs - first);
    this.#wait = 0;
    this.#tellSupervisor('waited', [wait], { resolve: () => {}, reject: () => {} });
  }

  #tellSupervisor(name: 'waiting' | 'waited', args: readonly unknown[], outcome: CallOutcome): void {
    const operation = plansOf(SupervisorCalls).byName.get(name);
    const supervisor = referenceOf(this.#supervisor);
    assert(
      operation !== undefined && supervisor instanceof HeldReference,
      'the supervisor is another component',
    );
    supervisor.remote.channel.place(supervisor.remote, operation, args, outcome);
  }

  #nextWait(): number {
    this.#lastWait = (this.#lastWait % 0xffff_ffff) + 1;
    return this.#lastWait;
  }

  #sleepUntil(done: () => boolean, timeoutMs: number): boolean {
    const sleep = this.#sleep;
    assert(sleep !== undefined, 'the platform lets threads sleep');
    return this.#entrypoint.whileWaiting(() => sleep(done, timeoutMs));
  }
}

/**
 * Calls an object of this component. The thread cannot wait for itself, so the result must be there
 * at once.
 */
function callOwn(reference: LocalReference, operation: OperationPlan, args: readonly unknown[]): unknown {
  const result = reference.callAtOnce(operation, args);
  if (!(result instanceof Promise)) return result;
  result.catch(() => {});
  throw new RpcError(
    'WouldDeadlock',
    `${operation.title} is answered later, by the thread that would wait for it`,
  );
}
