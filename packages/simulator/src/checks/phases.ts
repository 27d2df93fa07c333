/**
 * The two phases of a run with faults. As long as faults are still to come, everything that must
 * always hold has to hold (safety). After the last fault everything works as it should, components
 * get their turns, and frames arrive at once: now the system must reach its purpose (liveness).
 */
import type { Simulation } from '../world/simulation.ts';

const seconds = (us: number): string => (us / 1e6).toFixed(6);

/** The phase of one run. */
export class Phases {
  readonly #system: Pick<Simulation, 'platform' | 'scheduler'>;
  readonly #planned: boolean;
  #healedUs: number | undefined;

  /** `faults` is the number of faults that are still to come. */
  constructor(system: Pick<Simulation, 'platform' | 'scheduler'>, faults: number) {
    this.#system = system;
    this.#planned = faults > 0;
  }

  /**
   * The time of the last fault's end; `undefined` while faults are to come, or if there never were
   * any.
   */
  get healedUs(): number | undefined {
    return this.#healedUs;
  }

  /** Takes the number of faults that are still to come. */
  look(faultsLeft: number): void {
    if (!this.#planned || this.#healedUs !== undefined || faultsLeft > 0) return;
    const { platform, scheduler } = this.#system;
    if (Math.max(scheduler.allGoOnUs, platform.allAnswerUs) > scheduler.nowUs) return;
    this.#healedUs = scheduler.nowUs;
    platform.calm();
  }

  /** The problem, with the time and the phase in which it was found added to its particulars. */
  tell(problem: string): string {
    const at = `${problem}; at ${seconds(this.#system.scheduler.nowUs)} s`;
    if (!this.#planned) return at;
    if (this.#healedUs === undefined) return `${at}, with faults still to come`;
    return `${at}, after the last fault (which was over at ${seconds(this.#healedUs)} s)`;
  }
}
