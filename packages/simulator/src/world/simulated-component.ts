/** One component of a simulated system, with everything that must end with it. */
import type { Carrier, ComponentEnd, ComponentRuntime, ComponentSpecification } from '@ginit/core/platform';
import { PlannedDealings } from './planned-dealings.ts';
import type { SimulatedEnd } from './simulated-carrier.ts';
import type { Random } from '../order/random.ts';
import type { Scheduled, Scheduler } from '../order/scheduler.ts';
import type { SimulatedHost } from './simulated-host.ts';

/** A component that was started. */
export class SimulatedComponent {
  readonly specification: ComponentSpecification;
  /**
   * The process of the component: components with the same text here would share a process on the
   * real platform.
   */
  readonly domain: string;
  readonly host: SimulatedHost;
  /** The source of chance that the component sees. */
  readonly random: Random;
  readonly ended: (end: ComponentEnd) => void;
  /** Its ends of the carriers to the supervisor and to its peers. */
  readonly ends = new Set<SimulatedEnd>();
  readonly #scheduler: Scheduler;
  readonly #timers = new Set<Scheduled>();
  /** Channels that came before the component was loaded. */
  readonly early: [peer: number, carrier: Carrier][] = [];
  /** What the fault plan brings into its dealings with its parent. */
  readonly planned: PlannedDealings;
  runtime: ComponentRuntime | undefined;
  alive = true;
  /** Whether its end has been decided and will come soon. */
  ending = false;
  /** Settles when the supervisor has been told of the end. */
  readonly gone: Promise<void>;
  settleGone: () => void = () => {};

  constructor(
    specification: ComponentSpecification,
    domain: string,
    parts: { scheduler: Scheduler; host: SimulatedHost; random: Random; ended: (end: ComponentEnd) => void },
  ) {
    this.specification = specification;
    this.domain = domain;
    this.#scheduler = parts.scheduler;
    this.host = parts.host;
    this.random = parts.random;
    this.ended = parts.ended;
    this.gone = new Promise((resolve) => {
      this.settleGone = resolve;
    });
    this.planned = new PlannedDealings({
      nowUs: () => this.#scheduler.nowUs,
      delay: (us) => this.delay(us),
      turn: (run) => {
        const describe = (): string => 'is asked to give back quota';
        this.#scheduler.soon({ owner: this.id, describe, run: () => this.alive && run() });
      },
    });
  }

  get id(): number {
    return this.specification.id;
  }

  get label(): string {
    return this.specification.label;
  }

  /** Settles in a turn of this component after `us`; never, if it is dead by then. */
  delay(us: number): Promise<void> {
    return new Promise((resolve) => void this.timer(us, false, resolve));
  }

  /** Calls `run` in a turn of this component after `us`, unless it is dead by then. */
  timer(us: number, again: boolean, run: () => void): () => void {
    let scheduled: Scheduled | undefined;
    const stop = (): void => {
      if (!scheduled) return;
      scheduled.cancelled = true;
      this.#timers.delete(scheduled);
    };
    const start = (): void => {
      scheduled = this.#scheduler.after(us, {
        owner: this.id,
        describe: () => 'timer of its own',
        run: () => {
          stop();
          if (again) start();
          run();
        },
      });
      this.#timers.add(scheduled);
    };
    if (this.alive) start();
    return stop;
  }

  /** Cuts the component off from everything: whatever it still waits for never comes. */
  die(): void {
    this.alive = false;
    for (const scheduled of this.#timers) scheduled.cancelled = true;
    this.#timers.clear();
    // The fate has a random stream of its own, so that a death changes no chance of other
    // components.
    const fate = this.random.stream(`end ${this.id}`);
    for (const end of this.ends) end.die(fate);
    this.ends.clear();
    this.host.die(fate);
  }
}
