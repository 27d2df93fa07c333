/**
 * The TRACE service of the supervisor: which component is traced by which session. The supervisor
 * hands policies and sinks on and keeps no events.
 */
import { hasCode, RpcError } from '../errors.ts';
import { COSTS, TRACE_POLICY_RAM, TRACE_SUBJECT_RAM } from '../costs.ts';
import type { Capability, Implementation } from '../interface/interface.ts';
import { labelWithin } from '../label.ts';
import { LIMITS } from '../limits.ts';
import type { Resources } from '../session/pd.ts';
import type {
  Trace,
  TraceErrorCode,
  TraceSink,
  TraceState,
  TraceSubject,
} from '../session/trace/declaration.ts';
import { isPolicyProblem, readPolicy } from '../trace/policy-module.ts';
import type { LiveComponent } from './components.ts';
import type { Platform } from './platform.ts';

/** The parts of the supervisor that tracing works with. */
export interface TraceParts {
  readonly components: { readonly live: Iterable<LiveComponent> };
  readonly platform: Pick<Platform, 'threadUse' | 'wallClockMs'>;
}

type TraceImplementation = Implementation<typeof Trace>;

/** All traced components of a system. */
export class TraceService {
  readonly #parts: TraceParts;
  /** Who traces a component, by its number. */
  readonly #tracers = new Map<number, TracedSubject>();
  readonly #sessions = new Set<TraceSession>();
  #orders = 0;

  constructor(parts: TraceParts) {
    this.#parts = parts;
  }

  /** A session that sees the components at and below `scope`, and may spend `donation`. */
  open(scope: string, donation: Resources): TraceSession {
    const session = new TraceSession(this, scope, donation, () => void this.#sessions.delete(session));
    this.#sessions.add(session);
    return session;
  }

  /** A component has ended. */
  ended(id: number): void {
    this.#tracers.delete(id);
    for (const session of this.#sessions) session.componentEnded(id);
  }

  /** A component says that the order with this number has ended by itself. */
  failed(id: number, number: number, reason: string): void {
    const traced = this.#tracers.get(id);
    if (traced?.number !== number) return;
    this.#tracers.delete(id);
    traced.failed(reason);
  }

  get live(): Iterable<LiveComponent> {
    return this.#parts.components.live;
  }

  /** Words of 32 bits by which traces of this system differ from those of others. */
  get salt(): { readonly high: number; readonly low: number } {
    const ms = this.#parts.platform.wallClockMs();
    return { high: Math.floor(ms / 2 ** 32) >>> 0, low: Math.floor(ms) >>> 0 };
  }

  nextOrder(): number {
    return ++this.#orders;
  }

  tracerOf(id: number): TracedSubject | undefined {
    return this.#tracers.get(id);
  }

  setTracer(id: number, traced: TracedSubject | undefined): void {
    if (traced) this.#tracers.set(id, traced);
    else this.#tracers.delete(id);
  }

  /** The CPU time of a component's thread, where the host tells it. */
  executionUs({ running, thread }: LiveComponent): number | undefined {
    const { pid } = running.placement;
    if (pid === undefined || thread === undefined) return undefined;
    const use = this.#parts.platform.threadUse?.(pid, thread);
    return use && Math.floor(use.cpuUs);
  }
}

/** A subject that a session has traced. */
interface TracedSubject {
  readonly session: TraceSession;
  number: number;
  policy: number;
  paused: boolean;
  /** Why its tracing has ended. */
  reason: string | undefined;
  /** Whether it is being given its policy and buffer. */
  beginning: boolean;
  failed(reason: string): void;
}

/** What a session knows of a component. */
interface KnownSubject {
  readonly id: number;
  readonly component: number;
  readonly label: string;
  dead: boolean;
  traced: TracedSubject | undefined;
}

/** A character of a policy is kept in so many bytes. */
const CHARACTER_BYTES = 2;

/** The operations of the `Trace` interface. */
export class TraceSession implements TraceImplementation {
  readonly #service: TraceService;
  readonly #scope: string;
  readonly #closed: () => void;
  readonly #free: { ram: number };
  readonly #policies = new Map<number, string>();
  /** By the number of the component. */
  readonly #known = new Map<number, KnownSubject>();
  #nextId = 1;

  constructor(service: TraceService, scope: string, donation: Resources, closed: () => void) {
    this.#service = service;
    this.#scope = scope;
    this.#free = { ram: Math.max(0, donation.ram - COSTS.trace.ram) };
    this.#closed = closed;
  }

  /** The client has donated more. */
  upgraded(more: Resources): void {
    this.#free.ram += more.ram;
  }

  subjects(): TraceSubject[] {
    const live = new Map<number, LiveComponent>();
    for (const component of this.#service.live) {
      if (this.#sees(component.label)) live.set(component.id, component);
    }
    const all = [
      ...Array.from(live.values(), (component) => this.#know(component)),
      ...Array.from(this.#known.values()).filter(({ dead }) => dead),
    ];
    return all.slice(0, LIMITS.traceSubjects).map((known) => this.#info(known, live.get(known.component)));
  }

  allocPolicy(source: string): number {
    if (this.#policies.size >= LIMITS.tracePolicies) {
      throw new RpcError('OUT_OF_CAPS', `a session has at most ${LIMITS.tracePolicies} policies`);
    }
    const read = readPolicy(source);
    if (isPolicyProblem(read)) throw traceError('INVALID_POLICY', read.problem);
    this.#spend(TRACE_POLICY_RAM + CHARACTER_BYTES * source.length, 'a policy');
    const policy = this.#nextId++;
    this.#policies.set(policy, source);
    return policy;
  }

  unloadPolicy(policy: number): void {
    const source = this.#policyOf(policy);
    this.#policies.delete(policy);
    this.#free.ram += TRACE_POLICY_RAM + CHARACTER_BYTES * source.length;
  }

  async trace(
    subject: number,
    policy: number,
    sizeBytes: number,
    sink: Capability<typeof TraceSink>,
  ): Promise<void> {
    try {
      await this.#trace(subject, policy, sizeBytes, sink);
    } finally {
      sink[Symbol.dispose]();
    }
  }

  async pause(subject: number): Promise<void> {
    await this.#setPaused(subject, true);
  }

  async resume(subject: number): Promise<void> {
    await this.#setPaused(subject, false);
  }

  async free(subject: number): Promise<void> {
    const known = this.#subjectOf(subject);
    await this.#end(known);
    if (known.dead) this.#known.delete(known.component);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed();
    const known = [...this.#known.values()];
    this.#known.clear();
    // A component that does not answer must not keep the session open.
    for (const one of known) void this.#end(one).catch(() => {});
  }

  /** For the service: a component is gone. One that was never traced is forgotten. */
  componentEnded(component: number): void {
    const known = this.#known.get(component);
    if (!known) return;
    known.dead = true;
    if (!known.traced) this.#known.delete(component);
  }

  async #trace(
    subject: number,
    policy: number,
    sizeBytes: number,
    sink: Capability<typeof TraceSink>,
  ): Promise<void> {
    const known = this.#subjectOf(subject);
    const source = this.#policyOf(policy);
    const live = this.#liveOf(known);
    const foreign = this.#service.tracerOf(known.component);
    if (foreign && foreign.session !== this)
      throw traceError('FOREIGN', `${known.label} is traced by another`);
    if (foreign?.beginning) throw traceError('FOREIGN', `${known.label} is being traced already`);
    if (!known.traced) this.#spend(TRACE_SUBJECT_RAM, 'a subject');
    const number = this.#service.nextOrder();
    const traced: TracedSubject = {
      session: this,
      number,
      policy,
      paused: false,
      reason: undefined,
      beginning: true,
      failed: (reason) => {
        traced.reason = reason;
      },
    };
    known.traced = traced;
    this.#service.setTracer(known.component, traced);
    try {
      const refusal = await live.control.trace({
        number,
        component: known.component,
        salt: this.#service.salt,
        policy: source,
        sizeBytes,
        sink,
      });
      if (refusal) throw traceError(refusal.code, refusal.reason);
    } catch (error) {
      if (this.#service.tracerOf(known.component) === traced)
        this.#service.setTracer(known.component, undefined);
      if (hasCode(error, 'PeerGone')) throw traceError('SOURCE_IS_DEAD', `${known.label} is gone`);
      traced.reason ??= error instanceof RpcError ? error.message : 'it cannot be traced';
      throw error;
    } finally {
      traced.beginning = false;
    }
  }

  async #setPaused(subject: number, paused: boolean): Promise<void> {
    const known = this.#subjectOf(subject);
    const { traced } = known;
    if (!traced || traced.reason !== undefined) throw traceError('INVALID_SUBJECT', 'it is not traced');
    const live = this.#liveOf(known);
    await live.control.tracePause(traced.number, paused).catch(refuseDead);
    traced.paused = paused;
  }

  /** Takes the hooks off a subject, if this session has set them. */
  async #end(known: KnownSubject): Promise<void> {
    const { traced, component } = known;
    if (!traced) return;
    known.traced = undefined;
    this.#free.ram += TRACE_SUBJECT_RAM;
    if (this.#service.tracerOf(component) !== traced) return;
    this.#service.setTracer(component, undefined);
    for (const live of this.#service.live) {
      if (live.id !== component) continue;
      await live.control.traceEnd(traced.number).catch((error: unknown) => {
        if (!hasCode(error, 'PeerGone')) throw error;
      });
    }
  }

  #know(component: LiveComponent): KnownSubject {
    const { id, label } = component;
    let known = this.#known.get(id);
    if (!known) {
      known = { id: this.#nextId++, component: id, label, dead: false, traced: undefined };
      this.#known.set(id, known);
    }
    return known;
  }

  #info(known: KnownSubject, live: LiveComponent | undefined): TraceSubject {
    const { traced } = known;
    const placement = live?.running.placement;
    return {
      id: known.id,
      component: known.component,
      label: known.label,
      state: this.#stateOf(known),
      paused: traced?.paused ? 'yes' : 'no',
      policy: traced?.policy,
      reason: traced?.reason,
      executionUs: live && this.#service.executionUs(live),
      process: placement?.pid ?? 0,
      node: placement?.node,
    };
  }

  #stateOf({ dead, traced, component }: KnownSubject): TraceState {
    if (dead) return 'dead';
    const tracer = this.#service.tracerOf(component);
    if (tracer && tracer.session !== this) return 'foreign';
    if (traced?.reason !== undefined) return 'error';
    return tracer ? 'traced' : 'untraced';
  }

  #sees(label: string): boolean {
    return label === this.#scope || labelWithin(label, this.#scope) !== undefined;
  }

  #subjectOf(id: number): KnownSubject {
    for (const known of this.#known.values()) if (known.id === id) return known;
    throw traceError('INVALID_SUBJECT', `there is no subject ${id}`);
  }

  #liveOf({ component, label, dead }: KnownSubject): LiveComponent {
    if (!dead) for (const live of this.#service.live) if (live.id === component) return live;
    throw traceError('SOURCE_IS_DEAD', `${label} is gone`);
  }

  #policyOf(policy: number): string {
    const source = this.#policies.get(policy);
    if (source === undefined) throw traceError('INVALID_POLICY', `there is no policy ${policy}`);
    return source;
  }

  #spend(ram: number, what: string): void {
    if (ram > this.#free.ram) {
      throw traceError('OUT_OF_RAM', `the donation of the TRACE session does not pay for ${what}`);
    }
    this.#free.ram -= ram;
  }
}

function refuseDead(error: unknown): never {
  if (hasCode(error, 'PeerGone')) throw traceError('SOURCE_IS_DEAD', 'it is gone');
  throw error;
}

function traceError(code: TraceErrorCode, reason: string): RpcError {
  return new RpcError(code, reason);
}
