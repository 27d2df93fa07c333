/**
 * References: where a capability leads. A *local* reference leads to an object or signal context of
 * this component. A *remote* one leads to an index in the table that a peer keeps for our channel.
 * A *pending* one leads to an object that a third component has announced and that its owner has
 * not introduced yet; calls on it wait, bounded.
 */
import { PeerGone, RpcError } from '../errors.ts';
import type { OperationPlan } from '../interface/operation.ts';
import { LIMITS } from '../limits.ts';
import type { ExportedObject } from './exported-object.ts';
import type { SignalContext } from './signal-context.ts';

/** Where a capability leads. */
export abstract class Reference {
  /** Calls an operation. The promise settles even if the owner dies. */
  abstract call(operation: OperationPlan, args: readonly unknown[]): Promise<unknown>;
  /** Wakes the signal context that it leads to. Signals that were not taken yet merge into one. */
  abstract submit(): void;
  /**
   * Settles when calls need not wait for an introduction any more. Rejects if the introduction has
   * failed.
   */
  abstract introduced(): Promise<void>;
  /** Gives this component's hold on the object back. */
  abstract release(): void;
  /** Settles when the peer has answered one of our calls to it; `undefined` if there is none. */
  nextAnswer(): Promise<void> | undefined {
    return undefined;
  }
  /** Whether it leads to another machine, as far as that is known. */
  get abroad(): boolean {
    return false;
  }
  /** The object of this component that it leads to, if it does. */
  localObject(): ExportedObject | undefined {
    return undefined;
  }
}

/** Leads to an object of this component. */
export class LocalReference extends Reference {
  readonly target: ExportedObject | SignalContext;

  constructor(target: ExportedObject | SignalContext) {
    super();
    this.target = target;
  }

  async call(operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    return this.callAtOnce(operation, args);
  }

  /**
   * Calls an operation. The result is what the implementation returns: a value, or a promise of it.
   */
  callAtOnce(operation: OperationPlan, args: readonly unknown[]): unknown {
    if (this.target.kind === 'signal') throw new RpcError('UnknownOperation', 'a signal has no operations');
    return this.target.callLocally(operation, args);
  }

  submit(): void {
    if (this.target.kind === 'signal') this.target.submit();
  }

  async introduced(): Promise<void> {}

  release(): void {}

  override localObject(): ExportedObject | undefined {
    return this.target.kind === 'object' ? this.target : undefined;
  }
}

/** The parts of a channel that a remote reference works with. */
export interface ImportingChannel {
  readonly peer: number;
  readonly closed: boolean;
  /** Whether the peer is on another machine. */
  readonly abroad: boolean;
  /** Calls an operation when it is this call's turn. */
  invoke(reference: RemoteReference, operation: OperationPlan, args: readonly unknown[]): Promise<unknown>;
  /** Settles when one of our calls is answered or never will be; `undefined` if there is none. */
  nextAnswer(): Promise<void> | undefined;
  /** Calls an operation at once. The outcome is told while frames are being received. */
  place(
    reference: RemoteReference,
    operation: OperationPlan,
    args: readonly unknown[],
    outcome: { resolve(value: unknown): unknown; reject(error: Error): void },
  ): void;
  submitSignal(index: number): void;
  releaseImport(reference: RemoteReference): void;
}

/** Leads to entry `index` of the table that the peer keeps for this channel. */
export class RemoteReference extends Reference {
  readonly channel: ImportingChannel;
  readonly index: number;
  /** How often the peer has passed us this entry. All of that is given back at once. */
  received = 0;
  /**
   * How many introductions under way still need the entry. It is given back when the last one is
   * done.
   */
  pins = 0;
  /** How many capabilities of this component lead here. */
  holders = 0;

  constructor(channel: ImportingChannel, index: number) {
    super();
    this.channel = channel;
    this.index = index;
  }

  call(operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    return this.channel.invoke(this, operation, args);
  }

  submit(): void {
    this.channel.submitSignal(this.index);
  }

  async introduced(): Promise<void> {}

  override get abroad(): boolean {
    return this.channel.abroad;
  }

  override nextAnswer(): Promise<void> | undefined {
    return this.channel.nextAnswer();
  }

  release(): void {
    this.channel.releaseImport(this);
  }
}

/**
 * One capability's own hold on a shared remote reference, so that releasing it twice counts once.
 */
export class HeldReference extends Reference {
  readonly remote: RemoteReference;
  #released = false;

  constructor(remote: RemoteReference) {
    super();
    this.remote = remote;
    remote.holders++;
  }

  get released(): boolean {
    return this.#released;
  }

  /** Whether the peer keeps an entry for it. */
  get holds(): boolean {
    return !this.#released && !this.remote.channel.closed;
  }

  call(operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    if (this.#released) return Promise.reject(new RpcError('Revoked', 'the capability was released'));
    return this.remote.call(operation, args);
  }

  submit(): void {
    if (!this.#released) this.remote.submit();
  }

  async introduced(): Promise<void> {}

  override get abroad(): boolean {
    return this.remote.abroad;
  }

  override nextAnswer(): Promise<void> | undefined {
    return this.remote.nextAnswer();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.remote.holders--;
    this.remote.release();
  }
}

/** Leads to an object that its owner has not introduced to us yet. */
export class PendingReference extends Reference {
  readonly #settled: Promise<Reference>;
  #resolve: (reference: Reference) => void = () => {};
  #reject: (error: Error) => void = () => {};
  #target: Reference | undefined;
  #failure: Error | undefined;
  #waiting = 0;
  #released = false;
  #submitted = false;
  #holds = 0;

  constructor() {
    super();
    this.#settled = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // An introduction may fail while nobody waits for it. Calls that are made later see the
    // failure.
    this.#settled.catch(() => {});
  }

  get released(): boolean {
    return this.#released;
  }

  /** A reference whose introduction has failed. */
  static failed(reason: string): PendingReference {
    const pending = new PendingReference();
    pending.fail(new PeerGone(reason, 'no'));
    return pending;
  }

  /** Whether the owner keeps an entry for it, or will keep one. */
  get holds(): boolean {
    if (this.#released || this.#failure) return false;
    return this.#target instanceof HeldReference ? this.#target.holds : this.#target === undefined;
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  /** The reference it has become, if the introduction is done. */
  get target(): Reference | undefined {
    return this.#target;
  }

  override get abroad(): boolean {
    return this.#target?.abroad ?? false;
  }

  /** Settles when the introduction is done or has failed. */
  get settled(): Promise<Reference> {
    return this.#settled;
  }

  /** The introduction is done. */
  resolve(reference: Reference): void {
    if (this.#target || this.#failure) return;
    this.#target = reference;
    this.#resolve(reference);
  }

  /** The introduction has failed, because the owner or the component that announced it is gone. */
  fail(error: Error): void {
    if (this.#target || this.#failure) return;
    this.#failure = error;
    this.#reject(error);
  }

  call(operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    if (this.#released) return Promise.reject(new RpcError('Revoked', 'the capability was released'));
    return this.#target ? this.#target.call(operation, args) : this.#callLater(operation, args);
  }

  async #callLater(operation: OperationPlan, args: readonly unknown[]): Promise<unknown> {
    if (this.#failure) throw new PeerGone(this.#failure.message, 'no');
    if (this.#waiting >= LIMITS.callsOnUnresolved) {
      throw new RpcError('LimitExceeded', 'too many calls wait for a capability that is being introduced');
    }
    this.#waiting++;
    try {
      const target = await this.#settled;
      return await target.call(operation, args);
    } finally {
      this.#waiting--;
    }
  }

  submit(): void {
    if (this.#released) return;
    if (this.#target) return this.#target.submit();
    if (this.#submitted) return;
    this.#submitted = true;
    this.#whenSettled((target) => target.submit());
  }

  async introduced(): Promise<void> {
    await this.#settled;
  }

  /** Calls and messages that were made before still go out. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#releaseTarget();
  }

  /**
   * For a message that waits: the object that this becomes is held until `letGo`, even if it was
   * released.
   */
  hold(): void {
    this.#holds++;
  }

  letGo(): void {
    this.#holds--;
    if (this.#released) this.#releaseTarget();
  }

  #releaseTarget(): void {
    this.#whenSettled((target) => {
      if (this.#holds === 0) target.release();
    });
  }

  #whenSettled(then: (target: Reference) => void): void {
    this.#settled.then(then, () => {});
  }

  override nextAnswer(): Promise<void> | undefined {
    return this.#target?.nextAnswer();
  }

  override localObject(): ExportedObject | undefined {
    return this.#target?.localObject();
  }
}
