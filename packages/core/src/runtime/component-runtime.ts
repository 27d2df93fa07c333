/**
 * The runtime of one component: the object that the supervisor talks to, and the maker of `env`. It
 * is the same on every platform. The platform hands it carriers, the component, and access to the
 * host.
 */
import { capabilityFor } from '../capability/capability.ts';
import { ExportedObject } from '../capability/exported-object.ts';
import type { Carrier } from '../channel/carrier.ts';
import { type Component, hostKindsOf } from './component.ts';
import { assert, hasCode } from '../errors.ts';
import type { Capability, Implementation } from '../interface/interface.ts';
import { LOCAL_MEMORY, type MemorySource } from '../memory/shared-memory.ts';
import { Completed } from './completed.ts';
import { ComponentControl, SupervisorCalls, type StartRequest } from './control.ts';
import type { Dealings } from './dealings.ts';
import { AssertionFailed, type Obligation } from './assertions.ts';
import { type Census, SUPERVISOR_ID, Entrypoint } from './entrypoint.ts';
import { Environment } from './environment.ts';
import { faultText } from './fault-text.ts';
import { GrantedHost, type GrantedHostParts } from './granted-host.ts';
import { ledgerOf, type LedgerChild } from './ledger.ts';
import { actOnChild, overviewOf, planOf } from './overview.ts';
import type { ChildrenOverview } from './overview-shapes.ts';
import { ServedCounter } from './served-counter.ts';
import type { SessionWatch } from './session-watch.ts';
import { ComponentTracing } from './component-tracing.ts';
import type { TracePlatform } from '../trace/tracer.ts';
import { type Sleeper, SynchronousCalls } from './synchronous.ts';

/** How long a component that fails may take to get its last log lines out. */
const LAST_WORDS_MS = 1000;

/** The means that a platform gives to the runtime of a component. */
export interface ComponentPlatform {
  readonly schedule: (turn: () => void) => void;
  /**
   * Settles after so many milliseconds of real time. Only for bounds on the runtime's own way out.
   */
  readonly delay: (ms: number) => Promise<void>;
  /** Ends the component as crashed, with a reason for people. */
  readonly crash: (error: unknown) => void;
  /** Takes texts for the log while the component has no LOG session. */
  readonly complain: (text: string) => void;
  /**
   * Where the platform catches what the component writes to its standard output: calls `take` with
   * each line of it, for the component's log.
   */
  readonly output?: (take: (text: string) => void) => void;
  /** The host grants of the component, and the part of the platform that carries them out. */
  readonly host: Pick<GrantedHostParts, 'grants' | 'platform'>;
  /**
   * The bytes of V8's heap that the component uses. Missing where several components share a heap.
   */
  readonly heapUsed?: () => number;
  /** The number of its thread at the host's kernel. Missing where components share a thread. */
  readonly thread?: number | undefined;
  /** Makes dataspaces. Without it their memory can be shared within this process only. */
  readonly memory?: MemorySource;
  /**
   * Lets the thread sleep in a synchronous call. Missing where components have no threads of their
   * own.
   */
  readonly sleep?: Sleeper;
  /** What tracing needs; without it the component cannot be traced. */
  readonly trace?: TracePlatform | undefined;
  /** Watches the packet streams of the component's sessions. */
  readonly watch?: SessionWatch;
  /** Stands between the component and its parent. */
  readonly dealings?: Dealings;
  /**
   * Takes assertions that failed: those that must always hold, and obligations that were not met by
   * the component's end.
   */
  readonly assertions?: {
    readonly failed: (what: string) => void;
    readonly unmet: (obligations: readonly Obligation[]) => void;
  };
}

/** One running component. */
export class ComponentRuntime {
  readonly #component: Component;
  readonly #platform: ComponentPlatform;
  readonly #entrypoint: Entrypoint;
  readonly #supervisor: Capability<typeof SupervisorCalls>;
  /** Calls and packets that it has served, and the calls alone. */
  readonly #served = new ServedCounter();
  readonly #calls = new ServedCounter();
  readonly #progress: Completed;
  readonly #synchronous: SynchronousCalls;
  readonly #tracing: ComponentTracing;
  #environment: Environment | undefined;
  #failedAssertion: AssertionFailed | undefined;

  /**
   * `supervisor` is the carrier to the supervisor, the only connection that a component starts
   * with.
   */
  constructor(component: Component, supervisor: Carrier, platform: ComponentPlatform) {
    this.#component = component;
    this.#platform = platform;
    this.#entrypoint = new Entrypoint({
      schedule: platform.schedule,
      report: (error) => this.#report(error),
      introduce: (request) => this.#supervisor.introduce(request),
      violation: (peer, what) => this.#violation(peer, what),
      trace: platform.trace,
    });
    this.#tracing = new ComponentTracing(this.#entrypoint.tracer, platform.schedule, (number, reason) => {
      // A supervisor that is gone does not need to know.
      this.#supervisor.traceEnded(number, reason).catch(() => {});
    });
    this.#progress = new Completed(this.#entrypoint);
    const control = new ExportedObject(ComponentControl, this.#control(), (error) => this.#report(error));
    const channel = this.#entrypoint.addChannel(SUPERVISOR_ID, supervisor, control);
    this.#supervisor = capabilityFor(SupervisorCalls, channel.import(0));
    this.#synchronous = new SynchronousCalls(this.#entrypoint, this.#supervisor, platform.sleep);
  }

  /** Takes a channel to another component into use, which the supervisor has made. */
  addChannel(peer: number, carrier: Carrier): void {
    this.#entrypoint.addChannel(peer, carrier);
  }

  /**
   * Called when the component ends at once. The result is the lines that its log has not taken;
   * `ended` ends its output.
   */
  endLog(ended: () => void): string[] {
    if (this.#environment) return this.#environment.endLog(ended);
    ended();
    return [];
  }

  /** How many objects it and its peers hold of each other. */
  census(): Census {
    return this.#entrypoint.census();
  }

  /** The obligations of the component that are not met yet. */
  get obligations(): readonly Obligation[] {
    return this.#environment?.obligations ?? [];
  }

  /**
   * The numbers of the sessions that it has open, and how many sessions of each service it serves.
   */
  get sessions(): { readonly opened: readonly number[]; readonly served: ReadonlyMap<string, number> } {
    return this.#environment?.openSessions ?? { opened: [], served: new Map() };
  }

  /** Its ledger: its own record of its children, if it keeps one. */
  get ledger(): readonly LedgerChild[] | undefined {
    return this.#environment && ledgerOf(this.#environment);
  }

  /** Its overview of its children, if it keeps one. */
  get overview(): ChildrenOverview | undefined {
    return this.#environment && overviewOf(this.#environment);
  }

  #control(): Implementation<typeof ComponentControl> {
    return {
      start: (request) => this.#start(request),
      stop: async () => {
        // In a turn of its own, because the supervisor is heard even while the component waits in a
        // synchronous call.
        await Promise.resolve();
        const stop = async (): Promise<void> => this.#environment?.runStopHandlers();
        await (this.#platform.dealings?.stop(stop) ?? stop());
      },
      statistics: () => ({
        requests: this.#served.total,
        calls: this.#calls.total,
        packets: this.#progress.packets.total,
        completed: this.#progress.total,
        heapUsed: this.#platform.heapUsed?.(),
      }),
      overview: () => this.#environment && overviewOf(this.#environment),
      plan: (config) => this.#environment && planOf(this.#environment, config),
      act: async (action, child) =>
        this.#environment ? actOnChild(this.#environment, action, child) : 'the component is starting',
      // The supervisor is heard even while the component waits in a synchronous call, and a
      // component that waits so does not go on.
      heartbeat: () => {
        const beat = (): Promise<void> => new Promise((answer) => this.#platform.schedule(answer));
        return this.#platform.dealings?.heartbeat(beat) ?? beat();
      },
      trace: (order) => this.#tracing.begin(order),
      traceEnd: (number) => this.#tracing.end(number),
      tracePause: (number, paused) => this.#tracing.pause(number, paused),
      stillWaiting: (wait) => this.#synchronous.stillWaiting(wait),
      offer: (offer) => this.#entrypoint.offer(offer),
      introductionFailed: (giver, number, owner, reason) =>
        this.#entrypoint.introductionFailed(giver, number, owner, reason),
      peerGone: (peer) => this.#entrypoint.peerGone(peer),
    };
  }

  async #start(request: StartRequest): Promise<number | undefined> {
    assert(this.#environment === undefined, 'a component is started once');
    const { dealings } = this.#platform;
    const environment = new Environment({
      entrypoint: this.#entrypoint,
      parent: dealings?.parent(request.parent, request.pd) ?? request.parent,
      pd: request.pd,
      host: new GrantedHost({
        ...this.#platform.host,
        asked: hostKindsOf(this.#component.manifest),
        capability: (wanted) => this.#supervisor.grant(wanted),
      }),
      memory: this.#platform.memory ?? LOCAL_MEMORY,
      report: (error) => this.#report(error),
      complain: this.#platform.complain,
      served: this.#served,
      calls: this.#calls,
      progress: this.#progress,
      synchronous: this.#synchronous,
      assertions: { failed: (error) => this.#assertionFailed(error) },
      unmet: this.#platform.assertions?.unmet,
      watch: this.#platform.watch,
      dealings,
    });
    this.#environment = environment;
    this.#platform.output?.((text) => void environment.log(text));
    this.#entrypoint.objects.open((held) => request.pd.objects(held));
    await environment.open();
    // The main function may run for long, because it may wait for its servers. The supervisor does
    // not wait for it.
    this.#platform.schedule(() => void this.#main(environment));
    return this.#platform.thread;
  }

  async #main(environment: Environment): Promise<void> {
    try {
      await this.#component.main(environment);
    } catch (error) {
      if (error instanceof AssertionFailed) return;
      if (endsWithPeer(error) && (await this.#isStopping())) return;
      await this.#crash(environment, error);
    }
  }

  /**
   * Whether the component is being stopped. Then its servers and its parent are done with it, and
   * errors that follow from that are no failure of the component.
   */
  #isStopping(): Promise<boolean> {
    return this.#supervisor.stopping().catch(() => false);
  }

  async #crash(environment: Environment, error: unknown): Promise<void> {
    await Promise.race([environment.flushLog(), this.#platform.delay(LAST_WORDS_MS)]);
    this.#platform.crash(error);
  }

  /** Only the first failure is told: others may follow from it before the component is gone. */
  #assertionFailed(error: AssertionFailed): void {
    if (this.#failedAssertion) return;
    this.#failedAssertion = error;
    this.#platform.assertions?.failed(error.message);
    const environment = this.#environment;
    assert(environment !== undefined, 'who asserts has an environment');
    void environment.error(`assertion failed: ${error.message}`);
    void this.#crash(environment, error);
  }

  /**
   * A peer that breaks the protocol loses its channel and nothing else; its parent closes the
   * sessions.
   */
  #violation(peer: number, what: string): void {
    const text = `component ${peer} broke the channel protocol: ${what}`;
    if (this.#environment) void this.#environment.warning(text);
    else this.#platform.complain(text);
  }

  #report(error: unknown): void {
    // This failure was told when it happened.
    if (error instanceof AssertionFailed) return;
    const text = faultText(error);
    if (this.#environment) void this.#environment.error(text);
    else this.#platform.complain(text);
  }
}

/** Whether an error says that a peer is gone or has no business with this component any more. */
function endsWithPeer(error: unknown): boolean {
  return hasCode(error, 'PeerGone') || hasCode(error, 'Revoked') || hasCode(error, 'DENIED');
}
