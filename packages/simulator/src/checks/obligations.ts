/**
 * Obligations of components (`env.assertEventually`) that are not met yet. By looking now and then
 * it is found for how long.
 */
import type { Obligation } from '@ginit/core/platform';
import type { Simulation } from '../world/simulation.ts';

/** The largest number of obligations that are named. */
const NAMED_MAX = 4;

/** The names of obligations, with the component that they belong to. */
export function nameUnmet(label: string, obligations: readonly Obligation[]): string {
  const names = obligations.slice(0, NAMED_MAX).map(({ what }) => what);
  const more = obligations.length - names.length;
  return `[${label}] has not met: ${names.join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

/** Remembers since when each obligation has been seen unmet. */
export class UnmetObligations {
  readonly #system: Pick<Simulation, 'platform' | 'scheduler'>;
  #sinceUs = new Map<Obligation, number>();

  constructor(system: Pick<Simulation, 'platform' | 'scheduler'>) {
    this.#system = system;
  }

  /** Looks at all components. */
  look(): void {
    const { nowUs } = this.#system.scheduler;
    const seen = new Map<Obligation, number>();
    for (const { runtime } of this.#system.platform.live) {
      for (const obligation of runtime?.obligations ?? []) {
        seen.set(obligation, this.#sinceUs.get(obligation) ?? nowUs);
      }
    }
    this.#sinceUs = seen;
  }

  /**
   * The obligations that have been unmet since before `us`, of the first component that has any.
   */
  before(us: number): string | undefined {
    for (const { label, runtime } of this.#system.platform.live) {
      const old = (runtime?.obligations ?? []).filter(
        (obligation) => (this.#sinceUs.get(obligation) ?? Number.POSITIVE_INFINITY) <= us,
      );
      if (old.length > 0) return nameUnmet(label, old);
    }
    return undefined;
  }
}
