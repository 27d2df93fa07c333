/**
 * Domain processes that are started before it is certain that they are needed, because most of the time of a start is the
 * start of Node: while the config is still being checked there is little else to do. No component runs in one until core
 * starts one there.
 */
import type { Domain } from './domain.ts';

/** What a process that is going to be needed is for. */
export type SpareKind = 'own' | 'shared' | 'jailed';

/** Spares of both kinds, in the order in which they were started. */
export class SpareDomains {
  readonly #spares: Record<SpareKind, Domain[]> = { own: [], shared: [], jailed: [] };

  add(kind: SpareKind, domain: Domain): void {
    this.#spares[kind].push(domain);
  }

  /** One that still runs. */
  take(kind: SpareKind): Domain | undefined {
    const spares = this.#spares[kind];
    for (let domain = spares.shift(); domain; domain = spares.shift()) if (!domain.retired) return domain;
    return undefined;
  }

  /** Ends those that nobody has taken. */
  end(): void {
    for (const kind of ['own', 'shared', 'jailed'] as const)
      for (const domain of this.#spares[kind].splice(0)) void domain.destroy();
  }
}
