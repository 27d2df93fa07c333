/** When a fault strikes. */
import type { Random } from '../lib/random.ts';

/** The operations of requests, by the words of the config. */
export type FaultOperation = 'read' | 'write' | 'sync' | 'trim' | 'zeroes';

/** A request as faults see it. A SYNC has no blocks: it touches all of them. */
export interface FaultRequest {
  readonly operation: FaultOperation;
  readonly first: number;
  readonly count: number;
}

/** The conditions of a fault. */
export interface TriggerConditions {
  readonly one_in: number;
  readonly operation: FaultOperation | 'any';
  readonly first: number;
  readonly count: number | undefined;
  readonly after: number;
  readonly most: number | undefined;
}

/** Decides by chance, and by conditions, which requests a fault strikes. */
export class FaultTrigger {
  readonly #conditions: TriggerConditions;
  readonly #random: Random;
  #seen = 0;
  #struck = 0;

  constructor(conditions: TriggerConditions, random: Random) {
    this.#conditions = conditions;
    this.#random = random;
  }

  /** How often it has struck. */
  get struck(): number {
    return this.#struck;
  }

  /**
   * Whether the fault strikes this request. It is asked once for each. `open` says whether it can:
   * what has failed already cannot fail another way.
   */
  strikes(request: FaultRequest, open = true): boolean {
    const { one_in: oneIn, operation, after, most } = this.#conditions;
    if (operation !== 'any' && operation !== request.operation) return false;
    if (!this.#touches(request)) return false;
    // Every request that could be struck draws, so that the conditions below do not change the
    // fate of the others.
    const drawn = this.#random.once(oneIn);
    if (this.#seen++ < after || !drawn || !open) return false;
    if (most !== undefined && this.#struck >= most) return false;
    this.#struck++;
    return true;
  }

  #touches({ operation, first, count }: FaultRequest): boolean {
    if (operation === 'sync') return true;
    const end =
      this.#conditions.count === undefined ? Infinity : this.#conditions.first + this.#conditions.count;
    return first + count > this.#conditions.first && first < end;
  }
}
