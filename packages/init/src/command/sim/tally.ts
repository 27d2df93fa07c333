/**
 * Adds up the results of many seeds: how often each fault happened, and how often each property
 * failed.
 */
import type { Output } from '../output.ts';
import { propertyOf, type SeedVerdict, verdictOf } from '@ginit/simulator';

/** The largest number of failed seeds of one property that are listed one by one. */
const TOLD_MAX = 3;
/** The largest number of properties that are listed. */
const PROPERTIES_MAX = 100;

/** Counts the results. */
export class Tally {
  readonly #faults = new Map<string, number>();
  readonly #failures = new Map<string, { readonly count: number; readonly first: readonly SeedVerdict[] }>();
  #failed = 0;

  /** Counts one more seed. */
  add(verdict: SeedVerdict, failed: boolean): void {
    for (const [kind, count] of verdict.happened) {
      this.#faults.set(kind, (this.#faults.get(kind) ?? 0) + count);
    }
    if (!failed) return;
    this.#failed++;
    const property = propertyOf(verdict);
    const known = this.#failures.get(property);
    if (!known && this.#failures.size >= PROPERTIES_MAX) return;
    const { count, first } = known ?? { count: 0, first: [] };
    const lowest = [...first, verdict].toSorted((a, b) => a.seed - b.seed).slice(0, TOLD_MAX);
    this.#failures.set(property, { count: count + 1, first: lowest });
  }

  /** Lists the faults, if there were any. */
  sayFaults(output: Output): void {
    if (this.#faults.size === 0) return;
    const names = [...this.#faults].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const total = names.reduce((sum, [, count]) => sum + count, 0);
    output.say(`sim: ${total} faults: ${names.map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
  }

  /** Lists the failures, the property that failed most often first. */
  sayFailures(output: Output): void {
    output.say(`sim: ${this.#failed} seeds failed`);
    const most = [...this.#failures].toSorted(([, a], [, b]) => b.count - a.count);
    for (const [property, { count, first }] of most) {
      output.say(`sim: ${count} times: ${property}`);
      for (const verdict of first) output.say(`sim:   ${verdictOf(verdict)}`);
    }
  }
}
