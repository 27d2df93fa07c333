/**
 * What a component asks core when it hands on the capabilities of others. Core answers when the owner has; an owner
 * that does not answer must not use up the calls that we may have under way to core, so each owner has a few of them,
 * and what goes beyond waits, bounded.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

interface Owner {
  atCore: number;
  readonly waiting: (() => void)[];
}

/** The introductions that we have asked for, by owner. */
export class IntroductionRequests {
  readonly #owners = new Map<number, Owner>();

  /** Throws `LimitExceeded` if no more of this owner's objects can be handed on for now. */
  admit(owner: number, more: number): void {
    const known = this.#owners.get(owner);
    if (known && known.atCore + known.waiting.length + more > LIMITS.introductionsAsked) {
      throw new RpcError('LimitExceeded', 'too many introductions under way');
    }
  }

  /** Asks as soon as it is this request's turn. Settles when it was answered, one way or the other. */
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
      // The receiver learns of a failure from core.
    } finally {
      const next = owner.waiting.shift();
      if (next) next();
      else if (--owner.atCore === 0) this.#owners.delete(ownerId);
    }
  }
}
