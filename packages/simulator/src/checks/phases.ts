/**
 * The two phases of a run with faults. While there are any to come nothing may break that must always hold (safety).
 * After the last one everything works as it should, components have their turns, and frames arrive at once: now the system
 * must come to what it is there for (liveness).
 */
import type { Simulation } from '../world/simulation.ts';

const seconds = (us: number): string => (us / 1e6).toFixed(6);

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

  /** The problem, and among its particulars when and in which phase it was found. */
  tell(problem: string): string {
    const at = `${problem}; at ${seconds(this.#system.scheduler.nowUs)} s`;
    if (!this.#planned) return at;
    if (this.#healedUs === undefined) return `${at}, with faults still to come`;
    return `${at}, after the last fault (which was over at ${seconds(this.#healedUs)} s)`;
  }
}
