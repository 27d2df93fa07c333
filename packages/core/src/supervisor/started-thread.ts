/**
 * A component that a CPU session has started: the operations of the `Thread` interface, and what
 * its account pays.
 */
import type { SignalCapability } from '../capability/signal.ts';
import { COSTS, sumOf } from '../costs.ts';
import { assert, hasCode, RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import { type StartOptions, Thread, type ThreadProgress, type ThreadState } from '../session/cpu.ts';
import type { Account } from './account.ts';
import type { Components, LiveComponent } from './components.ts';
import type { ComponentEnd, ComponentSpecification, Platform } from './platform.ts';
import type { PaidThread, ThreadsByAccount } from './threads-by-account.ts';

/** Is told of every component that starts or ends, for the summary and for messages to people. */
export interface ThreadObserver {
  started(component: LiveComponent): void;
  ended(component: LiveComponent, end: ComponentEnd): void;
}

/** The parts of the supervisor that a thread works with. */
export interface ThreadParts {
  readonly components: Components;
  readonly platform: Platform;
  readonly observer: ThreadObserver;
  readonly threads: ThreadsByAccount;
}

/** The signal that is submitted when the state has changed. */
type Handler = Pick<SignalCapability, 'submit'> & Disposable;

/** The allocations of a component in its account, by their numbers. */
interface ThreadCharges {
  /** Pays for the running component, until it has ended. */
  readonly running: number;
  /** Pays for the `Thread` object, until nobody holds it. */
  readonly object: number;
}

/**
 * Charges the account of a component that is to be started; throws `OUT_OF_RAM` or `OUT_OF_CAPS`.
 */
function charge(account: Account, ownProcess: boolean): ThreadCharges {
  const running = account.allocate(ownProcess ? sumOf(COSTS.thread, COSTS.process) : COSTS.thread);
  try {
    return { running, object: account.allocate(COSTS.threadObject) };
  } catch (error) {
    account.release(running);
    throw error;
  }
}

/** One started component, as the object behind a `Thread` capability. */
export class StartedThread implements PaidThread {
  readonly #parts: ThreadParts;
  readonly #account: Account;
  readonly #charges: ThreadCharges;
  readonly #forgotten: () => void;
  /** The live component; missing once it has ended, even if somebody still holds this object. */
  #component: LiveComponent | undefined;
  #state: ThreadState = { state: 'starting' };
  #handler: Handler | undefined;
  #killed = false;
  /** Whether its stop handlers have run: then it cannot crash any more. */
  #inOrder = false;
  /** Why it could not begin, in words for people. */
  #failure: string | undefined;
  #held = true;
  #beating: Promise<void> | undefined;

  /** `forgotten` is called when it has ended and nobody can ask what became of it any more. */
  constructor(
    parts: ThreadParts,
    specification: Omit<ComponentSpecification, 'id'>,
    account: Account,
    { parent, pd }: Pick<StartOptions, 'parent' | 'pd'>,
    forgotten: () => void,
  ) {
    this.#parts = parts;
    this.#account = account;
    this.#forgotten = forgotten;
    this.#charges = charge(account, specification.ownProcess);
    try {
      this.#component = parts.components.start(specification, account, (end) => this.#hasEnded(end));
    } catch (error) {
      account.release(this.#charges.running);
      account.release(this.#charges.object);
      throw error;
    }
    parts.threads.add(account, this);
    parts.observer.started(this.#component);
    this.#component.control.start({ parent, pd }).then(
      (number) => {
        parent[Symbol.dispose]();
        this.#hasBegun(number);
      },
      (error: unknown) => {
        parent[Symbol.dispose]();
        this.#failedToStart(error);
      },
    );
  }

  /** The capability of this object, to be handed to the starter. */
  capability(): Capability<typeof Thread> {
    const { entrypoint } = this.#parts.components;
    entrypoint.exportObject(Thread, this).unheld = () => {
      this.#held = false;
      this.#forgetIfOver();
    };
    return entrypoint.export(Thread, this);
  }

  state(): ThreadState {
    return this.#state;
  }

  setHandler(handler: Handler): void {
    this.#handler?.[Symbol.dispose]();
    this.#handler = handler;
    if (this.#state.state !== 'starting') handler.submit();
    if (!this.#component) this.#forgetHandler();
  }

  async stop(): Promise<void> {
    if (!this.#component) return;
    this.#component.stopping = true;
    // A component that waits for its place has nothing to put in order.
    if (this.#component.running.waits !== undefined) {
      this.#inOrder = true;
      return;
    }
    await putInOrder(this.#component);
    this.#inOrder = this.#component !== undefined;
  }

  /** A component that has ended gets nothing done any more. */
  async progress(): Promise<ThreadProgress> {
    const label = this.#component?.label;
    return label === undefined ? { completed: 0, levelsBelow: 0 } : this.#parts.components.progressOf(label);
  }

  /** However many ask, the component has one question to answer. */
  heartbeat(): Promise<void> {
    this.#beating ??= this.#beat();
    return this.#beating;
  }

  async #beat(): Promise<void> {
    try {
      // A component that waits for its place is not there to be asked.
      if (this.#component?.running.waits === undefined) await this.#component?.control.heartbeat();
    } catch (error) {
      if (!hasCode(error, 'PeerGone')) throw error;
    } finally {
      this.#beating = undefined;
    }
  }

  async kill(): Promise<void> {
    this.#killed = true;
    await this.#component?.running.kill();
  }

  async dissolve(): Promise<void> {
    await this.kill();
    this.#parts.components.entrypoint.revoke(this);
    this.#held = false;
    this.#forgetIfOver();
  }

  /**
   * Answers are heard a little later than they come. If the component has ended in between, its end
   * holds: nobody would ever be told of another.
   */
  #hasBegun(number: number | undefined): void {
    if (!this.#component) return;
    this.#component.thread = number;
    this.#change({ state: 'running' });
  }

  #failedToStart(error: unknown): void {
    if (!this.#component) return;
    const reason = error instanceof RpcError ? error.message : 'the component could not be started';
    // A component that has lost its parent while it began is being ended by somebody above, or is
    // being stopped. That is no failure to tell people of.
    const { stopping } = this.#component;
    if (!stopping && !hasCode(error, 'Revoked') && !hasCode(error, 'PeerGone')) this.#failure = reason;
    this.#change({ state: 'crashed', reason, culprit: true });
    void this.kill();
  }

  #hasEnded(end: ComponentEnd): void {
    const component = this.#component;
    if (!component) return;
    this.#component = undefined;
    this.#account.release(this.#charges.running);
    this.#parts.observer.ended(component, this.#howItEnded(end));
    if (this.#state.state === 'crashed') this.#forgetHandler();
    else if (this.#killed || this.#inOrder || !end.crashed) this.#change({ state: 'killed' });
    else {
      const { reason, culprit, nodeLost } = end;
      this.#change({ state: 'crashed', reason: reason.slice(0, 1000), culprit, nodeLost });
    }
    this.#forgetIfOver();
  }

  /** A component that could not begin is killed here, but the reason of its end is that failure. */
  #howItEnded(end: ComponentEnd): ComponentEnd {
    if (this.#failure !== undefined) return { crashed: true, reason: this.#failure, culprit: true };
    return this.#killed || this.#inOrder ? { ...end, crashed: false } : end;
  }

  #change(state: ThreadState): void {
    assert(this.#state.state !== 'crashed' && this.#state.state !== 'killed', 'an end is final');
    this.#state = state;
    this.#handler?.submit();
    if (!this.#component) this.#forgetHandler();
  }

  /** The state does not change any more, so nobody has to be woken. */
  #forgetHandler(): void {
    this.#handler?.[Symbol.dispose]();
    this.#handler = undefined;
  }

  #forgetIfOver(): void {
    if (this.#component || this.#held) return;
    this.#account.release(this.#charges.object);
    this.#parts.threads.remove(this.#account, this);
    this.#forgotten();
  }
}

/** Runs the component's stop handlers, and asks for its statistics one last time. */
async function putInOrder(component: LiveComponent): Promise<void> {
  try {
    await component.control.stop();
    component.statistics = await component.control.statistics();
  } catch (error) {
    // A dead component has nothing to put in order.
    if (!hasCode(error, 'PeerGone')) throw error;
  }
}
