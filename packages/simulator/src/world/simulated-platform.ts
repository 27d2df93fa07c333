/**
 * The simulated place where components run: all of them in this thread, under one scheduler. To the
 * supervisor it looks like threads and processes: a component starts after a while, runs its turns,
 * and its end is reported afterwards.
 */
import { visibleLines } from '@ginit/core/system';
import {
  asyncContexts,
  type Carrier,
  type ComponentEnd,
  ComponentRuntime,
  type ComponentSpecification,
  SUPERVISOR_ID,
  describeCrash,
  type Platform,
  type PlatformComponent,
} from '@ginit/core/platform';
import { RpcError } from '@ginit/core';
import { loadInstance } from './component-loader.ts';
import { Hostility } from './hostility.ts';
import { type CarrierWorld, type SimulatedEnd, simulatedCarrier } from './simulated-carrier.ts';
import { SimulatedComponent } from './simulated-component.ts';
import { SimulatedNodes } from './simulated-nodes.ts';
import { SimulatedHost } from './simulated-host.ts';
import type { SimulatedWorld } from './world.ts';

/** The largest time in microseconds that a thread or process takes to start. */
const START_US_MAX = 30_000;
/** The wall clock's time at the start: 1 January 2030, UTC. */
const START_MS = Date.UTC(2030, 0, 1);

/** The platform of simulated components. */
export class SimulatedPlatform implements Platform {
  readonly #world: SimulatedWorld;
  readonly #carriers: CarrierWorld;
  readonly #components = new Map<number, SimulatedComponent>();
  readonly #labels = new Map<number, string>([[SUPERVISOR_ID, 'core']]);
  readonly #domains: string[] = [];
  /** The hostile acts by the label of the component. */
  readonly #hostile = new Map<string, Hostility>();
  /** The machines, if a bus joins the processes. */
  readonly nodes: SimulatedNodes | undefined;
  readonly #deaths: { readonly id: number; readonly atUs: number }[] = [];
  /** The sum of the wall clock's jumps so far, in milliseconds. */
  clockOffMs = 0;
  /** Settles when the component that is being loaded is loaded. Nothing else happens meanwhile. */
  loading: Promise<void> | undefined;

  constructor(world: SimulatedWorld) {
    this.#world = world;
    const { scheduler, random } = world;
    this.#carriers = {
      scheduler,
      random: random.stream('carriers'),
      delayedOnceIn: random.stream('delays').pick([0, 4, 16, 64]),
      sent: (from, to, frame) => world.calls.sent(from, to, frame, scheduler.nowUs),
      arrived: (from, to, frame) => {
        world.calls.arrived(from, to, frame);
        world.digest.bytes(frame.length > 256 ? frame.subarray(0, 256) : frame);
      },
      copies: (from, to, frame) => (this.#doubles(from, to, frame) ? 2 : 1),
      closed: (first, second) => world.calls.ended(first, second),
      describe: (from, frame) => `from ${this.labelOf(from)}: ${world.describeFrame(frame)}`,
    };
    const carriers = this.#carriers;
    const lost = (domain: string, reason: string): void => this.#lose(domain, reason);
    const named = (owner: number, name: string): void => void this.#labels.set(owner, name);
    this.nodes = world.overBus ? new SimulatedNodes({ scheduler, random, carriers, named, lost }) : undefined;
  }

  /** The components that are alive, in the order of their start. */
  get live(): Iterable<SimulatedComponent> {
    return this.#components.values();
  }

  /** The time from which on every live component answers its heartbeats. */
  get allAnswerUs(): number {
    return Math.max(0, ...Array.from(this.live, ({ planned }) => planned.silentUntilUs));
  }

  /** Whether anything is on its way from one component to another. */
  get busy(): boolean {
    for (const { ends } of this.#components.values()) {
      for (const end of ends) if (!end.quiet) return true;
    }
    return false;
  }

  /** A live component. */
  get(id: number): SimulatedComponent | undefined {
    return this.#components.get(id);
  }

  /**
   * Takes the components that died before `us`, in the order of their deaths. Each is returned
   * once.
   */
  takeDeathsBefore(us: number): number[] {
    const count = this.#deaths.findIndex(({ atUs }) => atUs >= us);
    return this.#deaths.splice(0, count === -1 ? this.#deaths.length : count).map(({ id }) => id);
  }

  /** From now on no frame is delayed. */
  calm(): void {
    this.#carriers.delayedOnceIn = 0;
  }

  /** The number of the process that a component's domain stands for. */
  processOf(domain: string): number {
    return this.#domains.indexOf(domain) + 1;
  }

  /** Label of a component, alive or not. */
  labelOf(id: number): string {
    return this.#labels.get(id) ?? `component ${id}`;
  }

  /** The hostile acts of the components with a label. */
  hostilityOf(label: string): Hostility {
    const known = this.#hostile.get(label);
    if (known) return known;
    const hostility = new Hostility();
    this.#hostile.set(label, hostility);
    return hostility;
  }

  /** Whether any component has been hostile so far. */
  get anybodyHostile(): boolean {
    for (const { acted } of this.#hostile.values()) if (acted) return true;
    return false;
  }

  /** Whether components with this label have been hostile so far. */
  hasBeenHostile(label: string): boolean {
    return this.#hostile.get(label)?.acted ?? false;
  }

  /** Whether a frame is an answer of a hostile server that goes out twice. */
  #doubles(from: number, to: number, frame: Uint8Array): boolean {
    const hostility = this.#hostile.get(this.labelOf(from));
    if (!hostility?.acted) return false;
    const operation = this.#world.calls.answeredBy(from, to, frame);
    return operation !== undefined && hostility.takeDoubled(this.#world.operationName(operation));
  }

  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent {
    const { id, label, ownProcess } = specification;
    const { scheduler, random } = this.#world;
    const name = ownProcess ? label : specification.domain;
    const domain = ownProcess ? `process ${id}` : `domain ${name}`;
    if (!this.#domains.includes(domain)) this.#domains.push(domain);
    const host = new SimulatedHost(this.#world.host, id);
    const component = new SimulatedComponent(specification, domain, {
      scheduler,
      host,
      ended,
      random: random.stream(`component ${id}`),
    });
    this.#components.set(id, component);
    this.#labels.set(id, label);
    const [supervisor, own] = simulatedCarrier(this.#carriers, SUPERVISOR_ID, id, false);
    component.ends.add(own);
    const run = (): void => {
      if (component.alive) this.loading = Promise.resolve().then(() => this.#load(component, own));
    };
    scheduler.after(random.stream(`start ${id}`).below(START_US_MAX), {
      owner: id,
      describe: () => 'starts',
      run,
    });
    const pid = this.processOf(domain);
    return {
      placement: { kind: ownProcess ? 'process' : 'thread', domain: name, pid },
      supervisor,
      kill: () => this.#kill(component),
    };
  }

  connect(first: number, second: number): void {
    const a = this.#components.get(first);
    const b = this.#components.get(second);
    // One of the components ended a moment ago. The supervisor will tell the other one.
    if (!a || !b) return;
    const [forFirst, forSecond] = this.#carrier(a, b);
    a.ends.add(forFirst);
    b.ends.add(forSecond);
    this.#introduce(a, second, forFirst);
    this.#introduce(b, first, forSecond);
  }

  #carrier(a: SimulatedComponent, b: SimulatedComponent): readonly [SimulatedEnd, SimulatedEnd] {
    const oneProcess = a.domain === b.domain;
    if (this.nodes && !oneProcess) return this.nodes.connect(a, b);
    return simulatedCarrier(this.#carriers, a.id, b.id, this.#world.shareMemory(oneProcess));
  }

  /** The components of a node that was lost end with it: nobody can reach them. */
  #lose(domain: string, reason: string): void {
    for (const component of [...this.live].filter((one) => one.domain === domain)) {
      const why = `its node was lost: ${reason}`;
      this.#endSoon(component, { crashed: true, reason: why, culprit: false }, 'is lost with its node');
    }
  }

  /** Introduces a channel to a component, in a turn of its own. */
  #introduce(component: SimulatedComponent, peer: number, carrier: Carrier): void {
    const run = (): void => {
      if (!component.alive) return;
      if (component.runtime) component.runtime.addChannel(peer, carrier);
      else component.early.push([peer, carrier]);
    };
    const describe = (): string => `gets a channel to ${this.labelOf(peer)}`;
    this.#world.scheduler.soon({ owner: component.id, describe, run });
  }

  /** Ends a component as a crash would, at once. */
  crash(id: number, reason: string): void {
    const component = this.#components.get(id);
    if (component) this.#end(component, { crashed: true, reason, culprit: true });
  }

  /** Ends all components of the process in which this one runs, as its fault. */
  crashProcess(id: number, reason: string): void {
    const culprit = this.#components.get(id);
    if (!culprit) return;
    const process = this.processOf(culprit.domain);
    const others = [...this.#components.values()].filter(({ domain }) => domain === culprit.domain);
    for (const component of others) {
      const own = component === culprit;
      const why = own ? reason : `its process ${process} was brought down by [${culprit.label}]`;
      this.#end(component, { crashed: true, reason: why, culprit: own });
    }
  }

  async #load(component: SimulatedComponent, supervisor: Carrier): Promise<void> {
    const { label, specification } = component;
    try {
      const { moduleUrl } = specification;
      const loaded = await loadInstance(moduleUrl, this.#world.sharesModules(moduleUrl));
      component.runtime = new ComponentRuntime(loaded, supervisor, {
        schedule: (turn) => queueMicrotask(() => component.alive && turn()),
        delay: (ms) => component.delay(ms * 1000),
        crash: (error) => this.crashSoon(component, error),
        complain: (text) => this.#world.print(`[${label}] ${text}`),
        host: { grants: specification.grants, platform: () => component.host },
        sleep: () => this.#refuseSleep(component),
        trace: { nowUs: () => this.#world.scheduler.nowUs, contexts: asyncContexts },
        watch: this.#world.blocks.watchOf(component.id),
        dealings: component.planned.around(
          this.hostilityOf(label).dealingsOf({ delay: (us) => component.delay(us) }),
        ),
        assertions: {
          failed: (what) => this.#world.violated(`[${label}] assertion failed: ${what}`),
          unmet: (obligations) => this.#world.unmet(label, obligations),
        },
      });
      for (const [peer, carrier] of component.early.splice(0)) component.runtime.addChannel(peer, carrier);
    } catch (error) {
      this.crashSoon(component, error);
    }
  }

  /** Ends a component that has failed. Its turn goes on to its end, as that of a thread would. */
  crashSoon(component: SimulatedComponent, error: unknown): void {
    const end = { crashed: true, reason: this.#world.wording(describeCrash(error)), culprit: true };
    this.#endSoon(component, end, 'crashes');
  }

  #kill(component: SimulatedComponent): Promise<void> {
    this.#endSoon(component, { crashed: false, reason: 'killed', culprit: true }, 'is killed');
    return component.gone;
  }

  #endSoon(component: SimulatedComponent, end: ComponentEnd, what: string): void {
    if (component.ending) return;
    component.ending = true;
    this.#world.scheduler.soon({
      owner: component.id,
      describe: () => what,
      run: () => this.#end(component, end),
    });
  }

  #end(component: SimulatedComponent, end: ComponentEnd): void {
    if (!this.#components.delete(component.id)) return;
    component.ending = true;
    component.die();
    this.#deaths.push({ id: component.id, atUs: this.#world.scheduler.nowUs });
    this.#world.calls.gone(component.id);
    this.#world.blocks.ended(component.id);
    this.#world.scheduler.soon({
      owner: SUPERVISOR_ID,
      describe: () => `learns of the end of ${component.label}: ${end.reason}`,
      run: () => {
        component.ended(end);
        component.settleGone();
      },
    });
  }

  #refuseSleep(component: SimulatedComponent): never {
    const why = 'makes synchronous calls, which need a thread of their own: it cannot be simulated';
    this.#world.refuse(`[${component.label}] ${why}`);
    throw new RpcError('NotShareable', 'synchronous calls cannot be simulated');
  }

  schedule(turn: () => void): void {
    queueMicrotask(turn);
  }

  monotonicUs(): number {
    return this.#world.scheduler.nowUs;
  }

  wallClockMs(): number {
    return START_MS + this.clockOffMs + Math.floor(this.#world.scheduler.nowUs / 1000);
  }

  after(us: number, handler: () => void): () => void {
    const describe = (): string => 'timer';
    const scheduled = this.#world.scheduler.after(us, { owner: SUPERVISOR_ID, describe, run: handler });
    return () => {
      scheduled.cancelled = true;
    };
  }

  async writeLog(text: string, prefix: string): Promise<void> {
    for (const line of visibleLines(text, prefix)) this.#world.print(line);
  }
}
