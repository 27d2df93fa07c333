/**
 * Who waits for whom in a synchronous call. A thread waits for one peer at a time, so whoever follows the waits from it
 * finds either somebody who runs, or a circle: then nobody in it would ever go on. Reports of waits that have ended may
 * still be on their way, so each member is asked before the last one to join is refused. A wait in a true circle cannot
 * have ended, except by its deadline.
 */
import { RpcError } from '../errors.ts';

/** One wait: for whom, and its number at the component that waits. */
export interface Wait {
  readonly peer: number;
  readonly wait: number;
}

/** The waits that core was told of. */
export class WaitGraph {
  readonly #waits = new Map<number, Wait>();
  readonly #stillWaiting: (component: number, wait: number) => Promise<boolean>;

  /** `stillWaiting` asks a component. */
  constructor(stillWaiting: (component: number, wait: number) => Promise<boolean>) {
    this.#stillWaiting = stillWaiting;
  }

  /** A component waits. Rejects with `WouldDeadlock` if that closes a circle. */
  async begin(component: number, wait: Wait): Promise<void> {
    this.#waits.set(component, wait);
    const others = this.#circle(component, wait);
    if (!others) return;
    const answers = await Promise.all(
      others.map(([member, { wait: number }]) => this.#stillWaiting(member, number).catch(() => false)),
    );
    if (!answers.every(Boolean)) return;
    throw new RpcError('WouldDeadlock', 'the component that was called waits for the caller');
  }

  /** A wait is over. */
  end(component: number, wait: number): void {
    if (this.#waits.get(component)?.wait === wait) this.#waits.delete(component);
  }

  /** A component is gone. */
  ended(component: number): void {
    this.#waits.delete(component);
  }

  /** The others of the circle that `component` closes, if it does. */
  #circle(component: number, first: Wait): [number, Wait][] | undefined {
    const others = new Map<number, Wait>();
    for (let at = first.peer; at !== component; ) {
      const next = this.#waits.get(at);
      // Somebody who runs, or a circle that others have closed.
      if (!next || others.has(at)) return undefined;
      others.set(at, next);
      at = next.peer;
    }
    return [...others];
  }
}
