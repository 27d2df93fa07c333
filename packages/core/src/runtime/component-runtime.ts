/**
 * The runtime of one component: what core talks to, and what makes `env`. It is the same on every platform; the
 * platform hands it carriers, the component, and access to the host.
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
import { GrantedHost, type GrantedHostParts } from './granted-host.ts';
import { ledgerOf, type LedgerChild } from './ledger.ts';
import { ServedCounter } from './served-counter.ts';
import type { SessionWatch } from './session-watch.ts';
import { type Sleeper, SynchronousCalls } from './synchronous.ts';

/** How long a component that fails may take to get its log lines out. */
const LAST_WORDS_MS = 1000;

/** What a platform gives to the component it runs. */
export interface ComponentPlatform {
  readonly schedule: (turn: () => void) => void;
  /** Settles after so many milliseconds of real time; only for bounds on our own way out. */
  readonly delay: (ms: number) => Promise<void>;
  /** Ends the component as crashed, with a reason for people. */
  readonly crash: (error: unknown) => void;
  /** Takes what a component complains about before, or without, a log of its own. */
  readonly complain: (text: string) => void;
  /** Where there are streams for that: gives what the component writes to its standard output, in lines, to its log. */
  readonly output?: (take: (text: string) => void) => void;
  /** What is granted of the host, and who does it. */
  readonly host: Pick<GrantedHostParts, 'grants' | 'platform'>;
  /** Bytes of V8's heap that the component uses; none where others use it too. */
  readonly heapUsed?: () => number;
  /** Where its dataspaces come from; memory of this process only, unless it says. */
  readonly memory?: MemorySource;
  /** Lets the thread sleep in a synchronous call; none where components have no threads of their own. */
  readonly sleep?: Sleeper;
  /** Sees what passes the component's sessions. */
  readonly watch?: SessionWatch;
  /** Stands between the component and its parent. */
  readonly dealings?: Dealings;
  /** Takes what `env.assertAlways` has found not to hold, and obligations that were not met by the component's end. */
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
  readonly #served = new ServedCounter();
  readonly #progress: Completed;
  readonly #synchronous: SynchronousCalls;
  #environment: Environment | undefined;
  #failedAssertion: AssertionFailed | undefined;

  /** `core` is the carrier to core: the only thing a component starts with. */
  constructor(component: Component, supervisor: Carrier, platform: ComponentPlatform) {
    this.#component = component;
    this.#platform = platform;
    this.#entrypoint = new Entrypoint({
      schedule: platform.schedule,
      report: (error) => this.#report(error),
      introduce: (request) => this.#supervisor.introduce(request),
      violation: (peer, what) => this.#violation(peer, what),
    });
    this.#progress = new Completed(this.#entrypoint);
    const control = new ExportedObject(ComponentControl, this.#control(), (error) => this.#report(error));
    const channel = this.#entrypoint.addChannel(SUPERVISOR_ID, supervisor, control);
    this.#supervisor = capabilityFor(SupervisorCalls, channel.import(0));
    this.#synchronous = new SynchronousCalls(this.#entrypoint, this.#supervisor, platform.sleep);
  }

  /** Core has made a channel to another component. */
  addChannel(peer: number, carrier: Carrier): void {
    this.#entrypoint.addChannel(peer, carrier);
  }

  /** The component ends at once: the lines that its log has not got. `ended` ends its output. */
  endLog(ended: () => void): string[] {
    if (this.#environment) return this.#environment.endLog(ended);
    ended();
    return [];
  }

  /** What it holds of others and they of it. */
  census(): Census {
    return this.#entrypoint.census();
  }

  /** What it has yet to bring about, as it says itself. */
  get obligations(): readonly Obligation[] {
    return this.#environment?.obligations ?? [];
  }

  /** The sessions that it has open, by their numbers, and how many it serves of each service. */
  get sessions(): { readonly opened: readonly number[]; readonly served: ReadonlyMap<string, number> } {
    return this.#environment?.openSessions ?? { opened: [], served: new Map() };
  }

  /** What it believes of its children, if it keeps a ledger. */
  get ledger(): readonly LedgerChild[] | undefined {
    return this.#environment && ledgerOf(this.#environment);
  }

  #control(): Implementation<typeof ComponentControl> {
    return {
      start: (request) => this.#start(request),
      stop: async () => {
        // In a turn of its own: core is heard even while the component waits in a synchronous call.
        await Promise.resolve();
        const stop = async (): Promise<void> => this.#environment?.runStopHandlers();
        await (this.#platform.dealings?.stop(stop) ?? stop());
      },
      statistics: () => ({
        requests: this.#served.total,
        completed: this.#progress.total,
        heapUsed: this.#platform.heapUsed?.(),
      }),
      stillWaiting: (wait) => this.#synchronous.stillWaiting(wait),
      offer: (offer) => this.#entrypoint.offer(offer),
      introductionFailed: (giver, number, owner, reason) =>
        this.#entrypoint.introductionFailed(giver, number, owner, reason),
      peerGone: (peer) => this.#entrypoint.peerGone(peer),
    };
  }

  async #start(request: StartRequest): Promise<void> {
    assert(this.#environment === undefined, 'a component is started once');
    const { dealings } = this.#platform;
    const environment = new Environment({
      entrypoint: this.#entrypoint,
      parent: dealings?.parent(request.parent, request.pd) ?? request.parent,
      pd: request.pd,
      host: new GrantedHost({
        ...this.#platform.host,
        asked: hostKindsOf(this.#component.manifest),
        capability: (index, access) => this.#supervisor.grant(index, access),
      }),
      memory: this.#platform.memory ?? LOCAL_MEMORY,
      report: (error) => this.#report(error),
      complain: this.#platform.complain,
      served: this.#served,
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
    // The main function may go on for long (it may await its servers): core does not wait for it.
    this.#platform.schedule(() => void this.#main(environment));
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

  /** Then its servers and its parent are done with it: what it can do no more because of that is no failure of its own. */
  #isStopping(): Promise<boolean> {
    return this.#supervisor.stopping().catch(() => false);
  }

  async #crash(environment: Environment, error: unknown): Promise<void> {
    await Promise.race([environment.flushLog(), this.#platform.delay(LAST_WORDS_MS)]);
    this.#platform.crash(error);
  }

  /** The first one counts: others may follow from it before the component is gone. */
  #assertionFailed(error: AssertionFailed): void {
    if (this.#failedAssertion) return;
    this.#failedAssertion = error;
    this.#platform.assertions?.failed(error.message);
    const environment = this.#environment;
    assert(environment !== undefined, 'who asserts has an environment');
    void environment.error(`assertion failed: ${error.message}`);
    void this.#crash(environment, error);
  }

  /** Its own channel ends, nothing else; sessions are closed by their parents. */
  #violation(peer: number, what: string): void {
    const text = `component ${peer} broke the channel protocol: ${what}`;
    if (this.#environment) void this.#environment.warning(text);
    else this.#platform.complain(text);
  }

  #report(error: unknown): void {
    // It was told of when it failed.
    if (error instanceof AssertionFailed) return;
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    if (this.#environment) void this.#environment.error(text);
    else this.#platform.complain(text);
  }
}

/** Whether an error says that somebody else is gone, or is there for the component no more. */
function endsWithPeer(error: unknown): boolean {
  return hasCode(error, 'PeerGone') || hasCode(error, 'Revoked') || hasCode(error, 'DENIED');
}
