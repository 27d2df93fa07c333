/**
 * Checks now and then that a simulated system goes on: components get turns, frames are taken, and
 * the calls to components that have died end.
 */
import type { Simulation } from '../world/simulation.ts';
import type { Census } from '@ginit/core/platform';

/**
 * The longest virtual time that a component may wait for a turn, or for the news that a peer has
 * died.
 */
export const BOUND_US = 10_000_000;
const CORE = 0;

type System = Pick<Simulation, 'platform' | 'scheduler'>;

/** Looks at one system. */
export class Liveness {
  readonly #system: System;
  readonly #core: () => Census;
  /**
   * Components that died some time ago. Some peers may not have noticed yet, because they were held
   * at that time.
   */
  #dead: { readonly id: number; readonly atUs: number }[] = [];

  constructor(system: System, core: () => Census) {
    this.#system = system;
    this.#core = core;
  }

  /** Returns the first thing that does not go on. */
  look(): string | undefined {
    return this.#starved() ?? this.#unheard() ?? this.#unansweredByTheDead();
  }

  #starved(): string | undefined {
    const { platform, scheduler } = this.#system;
    const longest = scheduler.waitsLongest;
    if (!longest || scheduler.nowUs - longest.sinceUs <= BOUND_US) return undefined;
    const { owner, describe } = longest.task;
    return `[${platform.labelOf(owner)}] gets no turn; for ${this.#since(longest.sinceUs)}, ${describe()}`;
  }

  #unheard(): string | undefined {
    const { platform, scheduler } = this.#system;
    for (const { id, label, ends, ending } of platform.live) {
      if (ending || this.#wasHeld(id)) continue;
      for (const { peer, unheardSinceUs } of ends) {
        if (unheardSinceUs === undefined || scheduler.nowUs - unheardSinceUs <= BOUND_US) continue;
        const since = this.#since(unheardSinceUs);
        return `[${label}] does not take what [${platform.labelOf(peer)}] has sent it; for ${since}`;
      }
    }
    return undefined;
  }

  /**
   * Finds components that still have a channel to a dead component: they may wait there for ever.
   */
  #unansweredByTheDead(): string | undefined {
    const { platform, scheduler } = this.#system;
    const beforeUs = scheduler.nowUs - BOUND_US;
    this.#dead.push(...platform.takeDeathsBefore(beforeUs).map((id) => ({ id, atUs: scheduler.nowUs })));
    const dead = new Set(this.#dead.map(({ id }) => id));
    if (dead.size === 0) return undefined;
    let held = false;
    for (const [id, census] of this.#censuses()) {
      held ||= this.#wasHeld(id);
      const left = this.#wasHeld(id) ? undefined : census.channels.find(({ peer }) => dead.has(peer));
      if (!left) continue;
      const names = `[${platform.labelOf(id)}] has not noticed that [${platform.labelOf(left.peer)}] is gone`;
      return `${names}; ${left.calls} calls wait for its answer`;
    }
    if (!held) this.#dead = [];
    return undefined;
  }

  *#censuses(): Iterable<[id: number, census: Census]> {
    yield [CORE, this.#core()];
    for (const { id, runtime, ending } of this.#system.platform.live) {
      if (runtime && !ending) yield [id, runtime.census()];
    }
  }

  /** Whether the fault plan held the component at some time within the bound. */
  #wasHeld(id: number): boolean {
    const { scheduler } = this.#system;
    return scheduler.heldUntilUs(id) > scheduler.nowUs - BOUND_US;
  }

  #since(us: number): string {
    return `${((this.#system.scheduler.nowUs - us) / 1e6).toFixed(3)} s`;
  }
}
