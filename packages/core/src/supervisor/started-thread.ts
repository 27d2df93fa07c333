/** A component that a CPU session has started: the operations of the `Thread` interface, and what its account pays. */
import type { SignalCapability } from '../capability/signal.ts';
import { COSTS, sumOf } from '../costs.ts';
import { hasCode, RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import { type StartOptions, Thread, type ThreadProgress, type ThreadState } from '../session/cpu.ts';
import type { Account } from './account.ts';
import type { Components, LiveComponent } from './components.ts';
import type { ComponentEnd, ComponentSpecification, Platform } from './platform.ts';
import type { PaidThread, ThreadsByAccount } from './threads-by-account.ts';

/** Told of what starts and ends, for the summary and for people. */
export interface ThreadObserver {
  started(component: LiveComponent): void;
  ended(component: LiveComponent, end: ComponentEnd): void;
}

/** What a thread needs of core. */
export interface ThreadParts {
  readonly components: Components;
  readonly platform: Platform;
  readonly observer: ThreadObserver;
  readonly threads: ThreadsByAccount;
}

/** Who is woken when its state has changed. */
type Handler = Pick<SignalCapability, 'submit'> & Disposable;

/** What a component takes from its account. */
interface ThreadCharges {
  /** Until it has ended. */
  readonly running: number;
  /** Until nobody holds the object that stands for it. */
  readonly object: number;
}

/** Charges the account of a component that is to be started; throws `OUT_OF_RAM` or `OUT_OF_CAPS`. */
function charge(account: Account, ownProcess: boolean): ThreadCharges {
  const running = account.allocate(ownProcess ? sumOf(COSTS.thread, COSTS.process) : COSTS.thread);
  try {
    return { running, object: account.allocate(COSTS.threadObject) };
  } catch (error) {
    account.release(running);
    throw error;
  }
}

/** One started component. */
export class StartedThread implements PaidThread {
  readonly #parts: ThreadParts;
  readonly #account: Account;
  readonly #charges: ThreadCharges;
  readonly #forgotten: () => void;
  /** Missing once it has ended, whoever still holds this. */
  #component: LiveComponent | undefined;
  #state: ThreadState = { state: 'starting' };
  #handler: Handler | undefined;
  #killed = false;
  /** It has done what it has to do before it ends: it cannot crash any more. */
  #inOrder = false;
  /** Why it could not begin, for people. */
  #failure: string | undefined;
  #held = true;

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
      () => {
        parent[Symbol.dispose]();
        this.#change({ state: 'running' });
      },
      (error: unknown) => {
        parent[Symbol.dispose]();
        this.#failedToStart(error);
      },
    );
  }

  /** The capability that stands for it. */
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
    await putInOrder(this.#component);
    this.#inOrder = this.#component !== undefined;
  }

  /** One that has ended gets nothing done. */
  async progress(): Promise<ThreadProgress> {
    const label = this.#component?.label;
    return label === undefined ? { completed: 0, levelsBelow: 0 } : this.#parts.components.progressOf(label);
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

  #failedToStart(error: unknown): void {
    if (this.#state.state === 'crashed' || this.#state.state === 'killed') return;
    const reason = error instanceof RpcError ? error.message : 'the component could not be started';
    // Whoever lost its parent on the way is being ended from above, or is being stopped: that is nothing to complain about.
    const stopping = this.#component?.stopping ?? false;
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
    else this.#change({ state: 'crashed', reason: end.reason.slice(0, 1000), culprit: end.culprit });
    this.#forgetIfOver();
  }

  /** One that could not begin is killed by us, but that is not why it ended. */
  #howItEnded(end: ComponentEnd): ComponentEnd {
    if (this.#failure !== undefined) return { crashed: true, reason: this.#failure, culprit: true };
    return this.#killed || this.#inOrder ? { ...end, crashed: false } : end;
  }

  #change(state: ThreadState): void {
    this.#state = state;
    this.#handler?.submit();
    if (!this.#component) this.#forgetHandler();
  }

  /** Nothing more will happen. */
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

/** Also asks one last time what it has counted. */
async function putInOrder(component: LiveComponent): Promise<void> {
  try {
    await component.control.stop();
    component.statistics = await component.control.statistics();
  } catch (error) {
    // Nothing of a component that is dead has to be put in order.
    if (!hasCode(error, 'PeerGone')) throw error;
  }
}
