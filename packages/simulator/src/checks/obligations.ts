/** Obligations of components (`env.assertEventually`) that wait for being met: for how long is seen by looking now and then. */
import type { Obligation } from '@ginit/core';
import type { Simulation } from '../world/simulation.ts';

/** Obligations that are named one by one. */
const NAMED_MAX = 4;

/** Names of obligations with whose they are. */
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

  /** Those that have been unmet since before `us`, of the first component that has any. */
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
