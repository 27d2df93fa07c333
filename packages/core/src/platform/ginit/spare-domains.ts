/**
 * Domain processes that are started before it is certain that they are needed. Most of the time of
 * a start is the start of Node, and while the config is being checked there is little else to do.
 * No component runs in such a process until the supervisor starts one there.
 */
import type { Domain } from './domain.ts';

/** The use that a process is started for: one component, several, or one in a jail. */
export type SpareKind = 'own' | 'shared' | 'jailed';

/** Processes that were started ahead, in the order of their start. */
export class SpareDomains {
  readonly #spares: Record<SpareKind, Domain[]> = { own: [], shared: [], jailed: [] };

  add(kind: SpareKind, domain: Domain): void {
    this.#spares[kind].push(domain);
  }

  /** Takes out a process of this kind that still runs. */
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
