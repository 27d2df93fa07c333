/**
 * A platform within one thread: every component that it starts is an object of this process, and
 * they are joined by queues. Everything above the platform (core, channels, sessions, quota) is
 * what runs in a real system.
 */
import type { Component } from '../runtime/component.ts';
import type { Carrier } from '../channel/carrier.ts';
import { visibleLines } from '../log-text.ts';
import { ComponentRuntime } from '../runtime/component-runtime.ts';
import type { Census } from '../runtime/entrypoint.ts';
import type { HostPlatform } from '../runtime/host-access.ts';
import type {
  ComponentEnd,
  ComponentSpecification,
  Platform,
  PlatformComponent,
} from '../supervisor/platform.ts';
import { asyncContexts } from '../platform/host/async-contexts.ts';
import { type Clock, REAL_CLOCK } from './clocks.ts';
import { afterMs, delayMs, laterTurn } from './real-time.ts';

/** The parts of such a platform. */
export interface InProcessParts {
  /** Components by the URLs of their modules. */
  readonly components: ReadonlyMap<string, Component>;
  /** Makes the carrier between two components. */
  readonly carriers: () => [Carrier, Carrier];
  /** Makes the carrier between the supervisor and a component, which shares no memory. */
  readonly supervisorCarriers: () => [Carrier, Carrier];
  /** The host that drivers find; it is empty unless the test says otherwise. */
  readonly host?: (() => HostPlatform) | undefined;
  /** Real time unless told. */
  readonly clock?: Clock;
  /** Called with what a component has thrown, before it ends. */
  readonly threw?: (label: string, error: unknown) => void;
}

function noHost(): HostPlatform {
  throw new Error('the in-process platform has nothing of the host');
}

interface Running {
  readonly label: string;
  readonly runtime: ComponentRuntime;
  readonly end: (end: ComponentEnd) => void;
  /** Its ends of the carriers to its peers. */
  readonly carriers: Carrier[];
}

/** Runs components in this thread. */
export class InProcessPlatform implements Platform {
  /** The log lines of the components, as `[label] text`. */
  readonly lines: string[] = [];
  /** The messages of a component's runtime that could not go into its log. */
  readonly complaints: string[] = [];
  readonly #parts: InProcessParts;
  readonly #clock: Clock;
  readonly #running = new Map<number, Running>();
  readonly #ids = new Map<string, number>();

  constructor(parts: InProcessParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? REAL_CLOCK;
  }

  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent {
    const { id, label, moduleUrl, grants } = specification;
    const component = this.#parts.components.get(moduleUrl);
    if (!component) throw new Error(`no component ${moduleUrl}`);
    const [supervisor, far] = this.#parts.supervisorCarriers();
    const own = this.endOf(id, label, far);
    const end = (how: ComponentEnd): void => {
      if (!this.#running.delete(id)) return;
      supervisor.close();
      ended(how);
    };
    const crash = (error: unknown): void => {
      if (!this.#running.has(id)) return;
      this.#parts.threw?.(label, error);
      laterTurn(() => end({ crashed: true, reason: String(error), culprit: true }));
    };
    const runtime = new ComponentRuntime(component, own, {
      schedule: queueMicrotask,
      delay: delayMs,
      crash,
      complain: (text) => this.complaints.push(`[${label}] ${text}`),
      host: { grants, platform: this.#parts.host ?? noHost },
      trace: { nowUs: () => this.#clock.monotonicUs(), contexts: asyncContexts },
    });
    this.#running.set(id, { label, runtime, end, carriers: [] });
    this.#ids.set(label, id);
    return {
      placement: { kind: 'thread', domain: 'test', pid: process.pid },
      supervisor: this.supervisorEndOf(id, label, supervisor),
      kill: async () => end({ crashed: false, reason: 'killed', culprit: true }),
    };
  }

  /** The label of the component with this id, if it is alive. */
  labelOf(id: number): string | undefined {
    return this.#running.get(id)?.label;
  }

  /** The numbers of objects that a live component and its peers hold of each other. */
  census(label: string): Census | undefined {
    return this.#runningAt(label)?.runtime.census();
  }

  /** Ends a component as a crash would. */
  crash(label: string): void {
    this.#runningAt(label)?.end({ crashed: true, reason: 'crashed by the test', culprit: true });
  }

  /** Ends a component whose channels are closed some time before core hears of its end. */
  crashUnheard(label: string, heardAfterMs: number): void {
    const running = this.#runningAt(label);
    for (const carrier of running?.carriers ?? []) carrier.close();
    afterMs(heardAfterMs, () =>
      running?.end({ crashed: true, reason: 'crashed by the test', culprit: true }),
    );
  }

  connect(first: number, second: number): void {
    const [a, b] = this.#parts.carriers();
    this.#join(first, second, a);
    this.#join(second, first, b);
  }

  #join(id: number, peer: number, carrier: Carrier): void {
    const running = this.#running.get(id);
    if (!running) return carrier.close();
    running.carriers.push(carrier);
    running.runtime.addChannel(peer, this.endOf(id, running.label, carrier));
  }

  /** The end of a carrier that a component gets. */
  protected endOf(_id: number, _label: string, carrier: Carrier): Carrier {
    return carrier;
  }

  /** The supervisor's end of its carrier to a component. */
  protected supervisorEndOf(_id: number, _label: string, carrier: Carrier): Carrier {
    return carrier;
  }

  /** Closes the carriers of a component to its peers. */
  protected closeCarriers(id: number): void {
    for (const carrier of this.#running.get(id)?.carriers ?? []) carrier.close();
  }

  /** Ends the component with this id. */
  protected endComponent(id: number, end: ComponentEnd): void {
    this.#running.get(id)?.end(end);
  }

  #runningAt(label: string): Running | undefined {
    const id = this.#ids.get(label);
    return id === undefined ? undefined : this.#running.get(id);
  }

  schedule(turn: () => void): void {
    queueMicrotask(turn);
  }

  monotonicUs(): number {
    return this.#clock.monotonicUs();
  }

  wallClockMs(): number {
    return this.#clock.wallClockMs();
  }

  after(us: number, handler: () => void): () => void {
    return this.#clock.after(us, handler);
  }

  async writeLog(text: string, prefix: string): Promise<void> {
    this.lines.push(...visibleLines(text, prefix));
  }
}
