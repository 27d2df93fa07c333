/**
 * The two phases of a run with faults. While there are any to come nothing may break that must always hold (safety).
 * After the last one everything works as it should, components have their turns, and frames arrive at once: now the system
 * must come to what it is there for (liveness).
 */
import type { Simulation } from '@ginit/core/platform/sim/index';

/** The phase of one run. */
export class Phases {
  readonly #system: Pick<Simulation, 'platform' | 'scheduler'>;
  readonly #planned: boolean;
  #healedUs: number | undefined;

  /** `faults`: how many are to come in all. */
  constructor(system: Pick<Simulation, 'platform' | 'scheduler'>, faults: number) {
    this.#system = system;
    this.#planned = faults > 0;
  }

  /** Since when there are no faults any more; nothing while there are, or if there never were any. */
  get healedUs(): number | undefined {
    return this.#healedUs;
  }

  /** So many faults are still to come. */
  look(faultsLeft: number): void {
    if (!this.#planned || this.#healedUs !== undefined || faultsLeft > 0) return;
    const { platform, scheduler } = this.#system;
    if (scheduler.allGoOnUs > scheduler.nowUs) return;
    this.#healedUs = scheduler.nowUs;
    platform.calm();
  }

  /** The problem, with the phase in which it was found. */
  tell(problem: string): string {
    if (!this.#planned) return problem;
    if (this.#healedUs === undefined) return `with faults still to come: ${problem}`;
    return `after the last fault, since ${(this.#healedUs / 1e6).toFixed(6)} s: ${problem}`;
  }
}
