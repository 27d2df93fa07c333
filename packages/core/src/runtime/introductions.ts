/**
 * Capabilities that one component (the giver) passes to us and that another one (the owner)
 * introduces. The giver's message and the owner's frame come on two channels, in any order, and
 * either may never come. Each is one half; when the second half comes, the capability is ready. A
 * giver numbers its announcements upwards, so a half that comes after its pair was made, or has
 * failed, is known to be late. Nobody can use the number of somebody else's object: a half counts
 * only for its own owner.
 */
import { PendingReference, type Reference } from '../capability/reference.ts';
import { PeerGone } from '../errors.ts';
import { LIMITS } from '../limits.ts';

interface Half {
  readonly pending: PendingReference;
  /**
   * True if the giver's message has come, so that somebody may be waiting. False if the owner's
   * frame has come, or the supervisor's word that there will be none.
   */
  readonly announced: boolean;
}

type Halves = Map<number, Half>;

interface Giver {
  /** The number that it announced last. */
  last: number | undefined;
  readonly owners: Map<number, Halves>;
  size: number;
}

/** The introductions that are under way to one component. */
export class Introductions {
  readonly #givers = new Map<number, Giver>();

  /** The number of halves that wait for the other half. */
  get size(): number {
    let size = 0;
    for (const giver of this.#givers.values()) size += giver.size;
    return size;
  }

  /** `giver` has passed us an object of `owner`'s as number `number`. */
  announced(giverId: number, number: number, owner: number): Reference {
    const giver = this.#giver(giverId);
    if (isLate(giver, number)) return PendingReference.failed('announced twice');
    giver.last = number;
    const half = giver.owners.get(owner)?.get(number);
    if (!half) return this.#remember(giver, owner, number, true);
    this.#forget(giver, owner, number);
    return half.pending;
  }

  /** `owner` has put the object into our channel that `giver` announces as `number`. */
  introduced(giverId: number, number: number, owner: number, reference: Reference): void {
    const giver = this.#giver(giverId);
    const half = giver.owners.get(owner)?.get(number);
    if (half?.announced) {
      this.#forget(giver, owner, number);
      half.pending.resolve(reference);
    } else if (half || isLate(giver, number)) {
      reference.release();
    } else {
      const pending = this.#remember(giver, owner, number, false);
      pending.resolve(reference);
      if (!pending.target) reference.release();
    }
  }

  /**
   * The supervisor says that the object which `giver` announces as `number` will not come. `final`
   * means that an announcement which comes later fails even if this is not remembered.
   */
  failed(giverId: number, number: number, owner: number, reason: string, final: boolean): void {
    const giver = this.#giver(giverId);
    const half = giver.owners.get(owner)?.get(number);
    if (half?.announced) {
      this.#forget(giver, owner, number);
      half.pending.fail(new PeerGone(reason, 'no'));
    } else if (!half && !final && !isLate(giver, number)) {
      this.#remember(giver, owner, number, false).fail(new PeerGone(reason, 'no'));
    }
  }

  /** The channel to `peer` has ended: it announces and introduces nothing any more. */
  ended(peer: number): void {
    const giver = this.#givers.get(peer);
    this.#givers.delete(peer);
    for (const halves of giver?.owners.values() ?? []) {
      for (const { pending, announced } of halves.values()) {
        pending.fail(new PeerGone(undefined, 'no'));
        // The giver is gone, so nobody will ever ask for this object.
        if (!announced) pending.release();
      }
    }
    for (const other of this.#givers.values()) this.#ownerEnded(other, peer);
  }

  #ownerEnded(giver: Giver, owner: number): void {
    for (const [number, { pending }] of giver.owners.get(owner) ?? []) {
      this.#forget(giver, owner, number);
      pending.fail(new PeerGone(undefined, 'no'));
    }
  }

  #giver(id: number): Giver {
    let giver = this.#givers.get(id);
    if (!giver) {
      giver = { last: undefined, owners: new Map(), size: 0 };
      this.#givers.set(id, giver);
    }
    return giver;
  }

  #remember(giver: Giver, owner: number, number: number, announced: boolean): PendingReference {
    const halves: Halves = giver.owners.get(owner) ?? new Map<number, Half>();
    if (halves.size >= LIMITS.introductionsPerPair || giver.size >= LIMITS.introductionsPerGiver) {
      return PendingReference.failed('too many introductions under way');
    }
    const pending = new PendingReference();
    giver.owners.set(owner, halves);
    halves.set(number, { pending, announced });
    giver.size++;
    return pending;
  }

  #forget(giver: Giver, owner: number, number: number): void {
    const halves = giver.owners.get(owner);
    if (!halves?.delete(number)) return;
    giver.size--;
    if (halves.size === 0) giver.owners.delete(owner);
  }
}

/**
 * Whether the giver has announced this number, or a later one, already. Numbers have 32 bits and
 * wrap.
 */
function isLate(giver: Giver, number: number): boolean {
  return giver.last !== undefined && ((number - giver.last) | 0) <= 0;
}
