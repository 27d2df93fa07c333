/**
 * The live components: how the supervisor reaches them, which of them have a channel to each other,
 * and how a capability is introduced from one to another.
 */
import { capabilityFor } from '../capability/capability.ts';
import type { ExportedObject } from '../capability/exported-object.ts';
import { PeerGone, RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import {
  ComponentControl,
  type ComponentStatistics,
  SupervisorCalls,
  type IntroductionRequest,
} from '../runtime/control.ts';
import { SUPERVISOR_ID, Entrypoint } from '../runtime/entrypoint.ts';
import type { ThreadProgress } from '../session/cpu.ts';
import type { Account } from './account.ts';
import { GrantTable } from './host-grants.ts';
import type { ComponentEnd, ComponentSpecification, Platform, PlatformComponent } from './platform.ts';
import { Statistics } from './statistics.ts';
import { WaitGraph } from './wait-graph.ts';

/** A live component, as the supervisor sees it. */
export interface LiveComponent {
  readonly id: number;
  readonly label: string;
  readonly account: Account;
  readonly running: PlatformComponent;
  readonly control: Capability<typeof ComponentControl>;
  readonly peers: Set<number>;
  /** The bound of its heap in bytes, if it has one. */
  readonly heapBytes: number | undefined;
  /** The host grants that it may hand on. */
  readonly grants: GrantTable;
  /** The number of its thread at the host's kernel; known once it has started, where it is. */
  thread: number | undefined;
  /** Its last statistics that the supervisor has heard of. */
  statistics: ComponentStatistics | undefined;
  /** How it broke the protocol with the supervisor, if it did. */
  violation: string | undefined;
  /** Whether it is being stopped in order. */
  stopping: boolean;
}

/** Every live component, and the supervisor's own entrypoint. */
export class Components {
  readonly entrypoint: Entrypoint;
  readonly #platform: Platform;
  readonly #live = new Map<number, LiveComponent>();
  readonly #warn: (text: string) => void;
  readonly #waits: WaitGraph;
  readonly #traceEnded: (id: number, number: number, reason: string) => void;
  readonly #statistics: Statistics;
  #nextId = SUPERVISOR_ID + 1;

  /**
   * `warn` takes texts about faults that there is no caller to tell of; `traceEnded` hears of
   * components whose tracing has failed.
   */
  constructor(
    platform: Platform,
    warn: (text: string) => void,
    traceEnded: (id: number, number: number, reason: string) => void = () => {},
  ) {
    this.#traceEnded = traceEnded;
    this.#platform = platform;
    this.#warn = warn;
    this.#statistics = new Statistics(platform, warn);
    this.#waits = new WaitGraph((id, wait) => this.#get(id).control.stillWaiting(wait));
    this.entrypoint = new Entrypoint({
      schedule: (turn) => platform.schedule(turn),
      report: (error) => warn(error instanceof Error ? (error.stack ?? error.message) : String(error)),
      introduce: (request) => this.#introduce(SUPERVISOR_ID, request),
      violation: (peer, what) => this.#violation(peer, what),
    });
  }

  get live(): Iterable<LiveComponent> {
    return this.#live.values();
  }

  /** The counts of a component up to now; `undefined` if it has never answered that in time. */
  statisticsOf(component: LiveComponent): Promise<ComponentStatistics | undefined> {
    return this.#statistics.ask(component);
  }

  /** The progress of the component with this label and of all below it; see `threadProgress`. */
  async progressOf(label: string): Promise<ThreadProgress> {
    return this.#statistics.progress(label, [...this.#live.values()]);
  }

  /**
   * Starts a component on the given account. `ended` is called when it is gone and its peers have
   * been told.
   */
  start(
    specification: Omit<ComponentSpecification, 'id'>,
    account: Account,
    ended: (end: ComponentEnd) => void,
  ): LiveComponent {
    const id = this.#nextId++;
    const running = this.#platform.start({ ...specification, id }, (end) => {
      const violation = this.#live.get(id)?.violation;
      this.#forget(id);
      ended(violation === undefined ? end : { crashed: true, reason: violation, culprit: true });
    });
    const grants = new GrantTable(this.entrypoint, specification.grants);
    const service = this.#serviceFor(id, grants);
    const channel = this.entrypoint.addChannel(id, running.supervisor, service);
    const control = capabilityFor(ComponentControl, channel.import(0));
    const component: LiveComponent = {
      id,
      label: specification.label,
      account,
      running,
      control,
      peers: new Set<number>(),
      heapBytes: specification.heapBytes,
      thread: undefined,
      grants,
      statistics: undefined,
      violation: undefined,
      stopping: false,
    };
    this.#live.set(id, component);
    return component;
  }

  #serviceFor(id: number, grants: GrantTable): ExportedObject {
    return this.entrypoint.exportObject(SupervisorCalls, {
      introduce: (request) => this.#introduce(id, request),
      grant: (wanted) => grants.capability(wanted),
      waiting: (peer, wait) => this.#waits.begin(id, { peer, wait }),
      waited: (wait) => this.#waits.end(id, wait),
      traceEnded: (number, reason) => this.#traceEnded(id, number, reason),
      stopping: () => this.#live.get(id)?.stopping ?? true,
    });
  }

  async #introduce(giver: number, request: IntroductionRequest): Promise<void> {
    const { number, via, index, to } = request;
    try {
      // An object of the receiver's own is not introduced to it, because it has no channel to
      // itself.
      if (via === to) throw new RpcError('InvalidArgument', 'the receiver owns the capability');
      if (!this.#acquainted(giver, via) || !this.#acquainted(giver, to)) throw new PeerGone();
      this.#connect(via, to);
      const offer = { giver, number, index, to };
      if (via === SUPERVISOR_ID) await this.entrypoint.offer(offer);
      else await this.#get(via).control.offer(offer);
    } catch (error) {
      const reason = error instanceof RpcError ? error.message : 'the introduction failed';
      await this.#introductionFailed(to, giver, number, via, reason);
      // It is no fault of the giver that somebody has died meanwhile. The giver is told `Revoked`,
      // because it would take `PeerGone` for the end of the supervisor.
      if (error instanceof PeerGone) throw new RpcError('Revoked', reason);
      throw error;
    }
  }

  async #introductionFailed(
    to: number,
    giver: number,
    number: number,
    via: number,
    reason: string,
  ): Promise<void> {
    if (to === SUPERVISOR_ID) return this.entrypoint.introductionFailed(giver, number, via, reason);
    // A receiver that is gone as well does not wait for the introduction.
    await this.#live
      .get(to)
      ?.control.introductionFailed(giver, number, via, reason)
      .catch(() => {});
  }

  #get(id: number): LiveComponent {
    const component = this.#live.get(id);
    if (!component) throw new PeerGone();
    return component;
  }

  #acquainted(first: number, second: number): boolean {
    if (first === second) return false;
    if (first === SUPERVISOR_ID || second === SUPERVISOR_ID) return true;
    return this.#get(first).peers.has(second);
  }

  #connect(first: number, second: number): void {
    if (first === second || this.#acquainted(first, second)) return;
    const other = this.#get(second);
    this.#get(first).peers.add(second);
    other.peers.add(first);
    this.#platform.connect(first, second, () => this.#notConnected(first, second));
  }

  /**
   * The channel cannot be made, and both wait for it. For each of them the other counts as gone.
   */
  #notConnected(first: number, second: number): void {
    this.#lose(first, second);
    this.#lose(second, first);
  }

  #lose(id: number, peer: number): void {
    const component = this.#live.get(id);
    if (!component?.peers.delete(peer)) return;
    component.control.peerGone(peer).catch(() => {});
  }

  #forget(id: number): void {
    const component = this.#live.get(id);
    if (!component) return;
    this.#live.delete(id);
    // A component that is gone has no objects that others could hold.
    component.account.holdObjects(0);
    this.#waits.ended(id);
    this.entrypoint.peerGone(id);
    for (const peer of component.peers) this.#lose(peer, id);
  }

  #violation(peer: number, what: string): void {
    const component = this.#live.get(peer);
    if (!component) return;
    component.violation = `broke the protocol with core: ${what}`;
    this.#warn(`[${component.label}] broke the protocol with core (${what}) and is ended`);
    void component.running.kill();
  }
}
