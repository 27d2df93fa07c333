/** Counts how often a child may still be started again after crashes of its own doing. */
import type { RestartBudget } from '../model/index.ts';

/** The crashes of one child that count against its budget. */
export class RestartRecord {
  readonly #budget: RestartBudget | undefined;
  #crashesUs: number[] = [];

  constructor(budget: RestartBudget | undefined) {
    this.#budget = budget;
  }

  /** The number of restarts within the period so far, including the one just granted. */
  get count(): number {
    return this.#crashesUs.length;
  }

  /**
   * Whether the child may be started again. Only a child that brought its process down spends
   * budget. A child that merely lived in that process is started again at no cost.
   */
  grant(culprit: boolean, nowUs: number): boolean {
    if (!this.#budget) return false;
    if (!culprit) return true;
    const since = nowUs - this.#budget.periodS * 1_000_000;
    this.#crashesUs = this.#crashesUs.filter((us) => us > since);
    if (this.#crashesUs.length >= this.#budget.max) return false;
    this.#crashesUs.push(nowUs);
    return true;
  }
}
