/** Counts how often a child may still be started again after crashes of its own doing. */
import type { RestartBudget, StartNode } from '../model/index.ts';
import { sameNode } from '../plan/index.ts';

/** The pause before the second restart in a period; it doubles with each further one. */
const PAUSE_MS = 100;
const PAUSE_MAX_MS = 10_000;

/**
 * The pause before the next attempt when `count` have failed in a row, or in a period: none for the
 * first, so that a fault that stays the only one costs as little as possible.
 */
export function pauseAfter(count: number): number {
  return count < 2 ? 0 : Math.min(PAUSE_MS * 2 ** (count - 2), PAUSE_MAX_MS);
}

/** The crashes of one child that count against its budget. */
export class RestartRecord {
  /** The budget of its start node. */
  readonly budget: RestartBudget | undefined;
  #crashesUs: number[] = [];

  constructor(budget: RestartBudget | undefined) {
    this.budget = budget;
  }

  /** The number of restarts within the period so far, including the one just granted. */
  get count(): number {
    return this.#crashesUs.length;
  }

  /**
   * The pause before the restart just granted. None is longer than the budget lasts for one
   * restart.
   */
  get pauseMs(): number {
    const { max = 0, periodS = 0 } = this.budget ?? {};
    return max === 0 ? 0 : Math.min(pauseAfter(this.count), (periodS * 1000) / max);
  }

  /** Forgets all crashes. */
  clear(): void {
    this.#crashesUs = [];
  }

  /**
   * Whether the child may be started again. Only a child that brought its process down spends
   * budget. A child that merely lived in that process is started again at no cost.
   */
  grant(culprit: boolean, nowUs: number): boolean {
    if (!this.budget) return false;
    if (!culprit) return true;
    const since = nowUs - this.budget.periodS * 1_000_000;
    this.#crashesUs = this.#crashesUs.filter((us) => us > since);
    if (this.#crashesUs.length >= this.budget.max) return false;
    this.#crashesUs.push(nowUs);
    return true;
  }
}

/** The records of start nodes. */
export class RestartRecords {
  readonly #records = new Map<string, { readonly start: StartNode; readonly record: RestartRecord }>();

  of(name: string): RestartRecord | undefined {
    return this.#records.get(name)?.record;
  }

  /**
   * The record of a start node. One that says something else than before begins without crashes.
   */
  update(start: StartNode): RestartRecord {
    const known = this.#records.get(start.name);
    if (known && sameNode(known.start.element, start.element)) return known.record;
    const record = new RestartRecord(start.restart);
    this.#records.set(start.name, { start, record });
    return record;
  }

  /** Drops the records of all other names. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#records.keys()) if (!names.has(name)) this.#records.delete(name);
  }

  forget(name: string): void {
    this.of(name)?.clear();
  }
}
