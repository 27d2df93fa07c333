/**
 * The progress of a component as a number: calls that it has answered or that were answered to
 * it, packets that were acknowledged at either end, and requests to the host that are done. Whoever
 * waits for the component to end sees by this number whether it gets on. What passes between a
 * component and the supervisor is not counted: a component that only waits for its timer, over and
 * over, gets nothing done.
 */
import { ServedCounter } from './served-counter.ts';

/** The count of one component. */
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
