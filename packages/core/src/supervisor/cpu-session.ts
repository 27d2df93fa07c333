/** A CPU session of core: starts components, and ends them when it is closed. */
import type { SignalCapability } from '../capability/signal.ts';
import { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import { labelWithin, prependLabel, splitLabel } from '../label.ts';
import { type StartOptions, Thread, type ThreadState } from '../session/cpu.ts';
import type { Scheduling } from '../session/scheduling.ts';
import type { Components, CoreComponent } from './components.ts';
import { binaryOf } from './binary-service.ts';
import { grantOf } from './host-grants.ts';
import { accountOf } from './pd-service.ts';
import type { ComponentEnd, Platform } from './platform.ts';

/** Told of what starts and ends, for the summary and for people. */
export interface ThreadObserver {
  started(component: CoreComponent): void;
  ended(component: CoreComponent, end: ComponentEnd): void;
}

/** Label of the root of the tree. */
export const ROOT_LABEL = 'init';
/** Domain of components that ask for no other. */
const DEFAULT_DOMAIN = 'main';

/** What a CPU session is made of. */
export interface CpuParts {
  readonly components: Components;
  readonly platform: Platform;
  readonly observer: ThreadObserver;
}

/** One started component: the operations of the `Thread` interface. */
class CoreThread {
  readonly #parts: CpuParts;
  readonly #component: CoreComponent;
  #state: ThreadState = { state: 'starting' };
  #handler: SignalCapability | undefined;
  #killed = false;
  #ended = false;

  constructor(
    parts: CpuParts,
    start: (ended: (end: ComponentEnd) => void) => CoreComponent,
    options: StartOptions,
  ) {
    this.#parts = parts;
    this.#component = start((end) => this.#hasEnded(end));
    parts.observer.started(this.#component);
    const { parent, pd } = options;
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

  state(): ThreadState {
    return this.#state;
  }

  setHandler(handler: SignalCapability): void {
    this.#handler?.[Symbol.dispose]();
    this.#handler = handler;
    if (this.#state.state !== 'starting') handler.submit();
    if (this.#ended) this.#forgetHandler();
  }

  async stop(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#parts.platform.after(timeoutMs * 1000, resolve);
      const done = (): void => {
        cancel();
        resolve();
      };
      this.#putInOrder().then(done, done);
    });
  }

  /** Also asks one last time what it has counted. */
  async #putInOrder(): Promise<void> {
    const { control } = this.#component;
    await control.stop();
    this.#component.statistics = await control.statistics();
  }

  async kill(): Promise<void> {
    this.#killed = true;
    await this.#component.running.kill();
  }

  #failedToStart(error: unknown): void {
    if (this.#state.state === 'crashed' || this.#state.state === 'killed') return;
    const reason = error instanceof RpcError ? error.message : 'the component could not be started';
    this.#change({ state: 'crashed', reason, culprit: true });
    void this.kill();
  }

  #hasEnded(end: ComponentEnd): void {
    this.#ended = true;
    this.#parts.observer.ended(this.#component, this.#killed ? { ...end, crashed: false } : end);
    if (this.#state.state === 'crashed') this.#forgetHandler();
    else if (this.#killed || !end.crashed) this.#change({ state: 'killed' });
    else this.#change({ state: 'crashed', reason: end.reason.slice(0, 1000), culprit: end.culprit });
  }

  #change(state: ThreadState): void {
    this.#state = state;
    this.#handler?.submit();
    if (this.#ended) this.#forgetHandler();
  }

  /** Nothing more will happen. */
  #forgetHandler(): void {
    this.#handler?.[Symbol.dispose]();
    this.#handler = undefined;
  }
}

/** The operations of the `Cpu` interface. */
export class CpuSession {
  readonly #parts: CpuParts;
  readonly #label: string;
  readonly #scheduling: Scheduling;
  readonly #threads = new Set<CoreThread>();
  #closed = false;

  constructor(parts: CpuParts, label: string, scheduling: Scheduling) {
    this.#parts = parts;
    this.#label = label;
    this.#scheduling = scheduling;
  }

  start(options: StartOptions): Capability<typeof Thread> {
    const { components } = this.#parts;
    if (this.#closed) throw new RpcError('DENIED', 'the CPU session is closed');
    const binary = binaryOf(options.binary);
    const grants = options.grants.map(grantOf);
    if (binary.needsGrant && grants.length === 0)
      throw new RpcError(
        'DENIED',
        'the binary imports modules of the host: it is started with a host grant only',
      );
    const account = accountOf(options.pd);
    const specification = {
      label: this.#label,
      moduleUrl: binary.moduleUrl,
      domain: domainName(this.#label, options.domain ?? DEFAULT_DOMAIN),
      ownProcess: options.isolation === 'process',
      heapBytes: options.heap,
      ramBytes: account.state.ramQuota,
      hostDepth: options.hostDepth,
      scheduling: this.#scheduling,
      grants,
    };
    const start = (ended: (end: ComponentEnd) => void): CoreComponent =>
      components.start(specification, account, (end) => {
        this.#threads.delete(thread);
        ended(end);
      });
    const thread: CoreThread = new CoreThread(this.#parts, start, options);
    this.#threads.add(thread);
    return components.entrypoint.export(Thread, thread);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#threads, (thread) => thread.kill()));
  }
}

/**
 * The name of a domain in the whole system. Whoever starts a component names a domain within its own subtree: the children of
 * the root's by the plain name, those of others with the path of who starts them in front, which their parents have written.
 */
function domainName(label: string, name: string): string {
  const starter = labelWithin(splitLabel(label).prefix, ROOT_LABEL);
  return starter === undefined ? name : prependLabel(starter, name);
}
