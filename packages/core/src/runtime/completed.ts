/**
 * What a component has got done, as a number: calls that it has answered or had answered, packets acknowledged at either end,
 * requests to the host that are done. Whoever waits for it to come to an end sees by this whether it gets on. What passes
 * between a component and core is not counted: one that only waits for its timer, over and over, gets nothing done.
 */
import { ServedCounter } from './served-counter.ts';

/** Counts for one component. */
export class Completed {
  readonly packets = new ServedCounter();
  readonly #calls: { readonly completed: number };
  hostRequests = 0;

  constructor(calls: { readonly completed: number }) {
    this.#calls = calls;
  }

  get total(): number {
    return this.#calls.completed + this.packets.total + this.hostRequests;
  }
}
