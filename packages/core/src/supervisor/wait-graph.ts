/**
 * Which component waits for which other one in a synchronous call. A thread waits for one peer at a
 * time, so following the waits from it leads either to a component that runs, or round in a circle.
 * In a circle nobody would ever go on. A report that a wait has ended may still be on its way, so
 * each member of a circle is asked before the last one to join it is refused. A wait in a true
 * circle cannot have ended, except by its deadline.
 */
import { RpcError } from '../errors.ts';

/**
 * One wait: the peer that is waited for, and the number of the wait at the component that waits.
 */
export interface Wait {
  readonly peer: number;
  readonly wait: number;
}

/** The waits that the supervisor has been told of. */
export class WaitGraph {
  readonly #waits = new Map<number, Wait>();
  readonly #stillWaiting: (component: number, wait: number) => Promise<boolean>;

  /** `stillWaiting` asks a component whether it is still in the wait with this number. */
  constructor(stillWaiting: (component: number, wait: number) => Promise<boolean>) {
    this.#stillWaiting = stillWaiting;
  }

  /** A component says that it waits. Rejects with `WouldDeadlock` if that closes a circle. */
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

  /** A component says that its wait is over. */
  end(component: number, wait: number): void {
    if (this.#waits.get(component)?.wait === wait) this.#waits.delete(component);
  }

  /** A component has ended, and its waits with it. */
  ended(component: number): void {
    this.#waits.delete(component);
  }

  /** The other members of the circle that `component` closes; `undefined` if it closes none. */
  #circle(component: number, first: Wait): [number, Wait][] | undefined {
    const others = new Map<number, Wait>();
    for (let at = first.peer; at !== component; ) {
      const next = this.#waits.get(at);
      // The way ends at a component that runs, or in a circle without this component.
      if (!next || others.has(at)) return undefined;
      others.set(at, next);
      at = next.peer;
    }
    return [...others];
  }
}
