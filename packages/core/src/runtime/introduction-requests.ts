/**
 * A component's requests to the supervisor to introduce capabilities of others. The supervisor
 * answers a request when the owner has. An owner that does not answer must not use up the calls
 * that may be under way to the supervisor, so each owner has a few of them. Further requests wait,
 * bounded.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

interface Owner {
  atCore: number;
  readonly waiting: (() => void)[];
}

/** The introductions that this component has asked for, by owner. */
export class IntroductionRequests {
  readonly #owners = new Map<number, Owner>();

  /**
   * Makes sure that `more` requests for this owner's objects can be taken. Throws `LimitExceeded`
   * otherwise.
   */
  admit(owner: number, more: number): void {
    const known = this.#owners.get(owner);
    if (known && known.atCore + known.waiting.length + more > LIMITS.introductionsAsked) {
      throw new RpcError('LimitExceeded', 'too many introductions under way');
    }
  }

  /** Sends the request when it is its turn. Settles when it was answered, in either way. */
  async ask(ownerId: number, request: () => Promise<void>): Promise<void> {
    const owner = this.#owners.get(ownerId) ?? { atCore: 0, waiting: [] };
    this.#owners.set(ownerId, owner);
    if (owner.atCore >= LIMITS.introductionsAtCore) {
      await new Promise<void>((resolve) => owner.waiting.push(resolve));
    } else {
      owner.atCore++;
    }
    try {
      await request();
    } catch {
      // On failure nobody here is told: the supervisor tells the receiver.
    } finally {
      const next = owner.waiting.shift();
      if (next) next();
      else if (--owner.atCore === 0) this.#owners.delete(ownerId);
    }
  }
}
