/**
 * Fits the quota of running children to their start nodes: first everything is taken back that can
 * be, then everything is given that is there, to the children that come first in the config first.
 */
import type { Resources } from '@ginit/core/system';
import { isNothing, minus } from './amounts.ts';
import type { Child } from './child.ts';
import type { Treasury } from './treasury.ts';

/** The services of the sandbox that the budgets need. */
export interface BudgetsHost {
  readonly treasury: Treasury;
  /** The quota that could be given to children at this moment. */
  spare(): Promise<Resources>;
  /** The children in the order of the config. */
  children(): Iterable<Child>;
}

/** The budgets of all children of a sandbox. */
export class Budgets {
  readonly #host: BudgetsHost;

  constructor(host: BudgetsHost) {
    this.#host = host;
  }

  /**
   * Takes back what children have more than their start nodes say, as far as they do not use it.
   */
  async shrink(): Promise<void> {
    for (const child of this.#running()) await child.shrink();
    this.#host.treasury.lookAgain();
  }

  /**
   * Gives children what they have less than their start nodes say. What is not there now is tried
   * again with the next config.
   */
  grow(): Promise<void> {
    return this.#host.treasury.inTurn(async () => {
      if (this.#running().every(({ assigned, start }) => isNothing(minus(start, assigned)))) return;
      let spare = await this.#host.spare();
      for (const child of this.#running()) {
        spare = minus(spare, await child.grow(spare));
      }
      this.#host.treasury.lookAgain();
    });
  }

  /**
   * A child has freed what it could. It is asked for more only if that was something: a child that
   * answers and frees nothing could be asked without end.
   */
  async yielded(child: Child): Promise<void> {
    if (child.over || child.stuck) return;
    const before = child.assigned;
    const rest = await child.quota.shrink(child.start);
    this.#host.treasury.lookAgain();
    if (isNothing(rest) || isNothing(minus(before, child.assigned))) return;
    await child.shrink();
  }

  /** A stuck child is left as it is. */
  #running(): Child[] {
    return [...this.#host.children()].filter(({ over, stuck }) => !over && !stuck);
  }
}
