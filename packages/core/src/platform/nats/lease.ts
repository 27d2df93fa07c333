/**
 * The lease of one end of a link. It knows when this end may go on (`heldUntilUs`: a lease after
 * the latest of its own datagrams that the peer has provably got, counted from when it was sent),
 * and when the peer has surely stopped (`grantedUntilUs`: a lease after the latest news of the
 * peer, and an eighth more, because clocks differ). An end that gives its peer up has
 * waited for both.
 */

/** A proof older than this part of a lease is renewed. */
const RENEW_PART = 4;
/** Without an answer it is asked again after this part of a lease. */
const ASK_AGAIN_PART = 16;
const DRIFT_PART = 8;
/** How many of the latest questions are remembered. */
const QUESTIONS_KEPT = 64;

/** What an end may do: go on, nothing, or nothing any more. */
export type LeaseStanding = 'held' | 'fenced' | 'over';

export class Lease {
  readonly #leaseUs: number;
  #provenUs: number;
  #heardUs: number;
  #askedUs: number;
  /** When the latest state datagrams were sent, by their numbers, the oldest first. */
  readonly #sent = new Map<number, number>();

  constructor(leaseUs: number, nowUs: number) {
    this.#leaseUs = leaseUs;
    this.#provenUs = nowUs;
    this.#heardUs = nowUs;
    this.#askedUs = nowUs;
  }

  get heldUntilUs(): number {
    return this.#provenUs + this.#leaseUs;
  }

  get grantedUntilUs(): number {
    return this.#heardUs + this.#leaseUs + Math.ceil(this.#leaseUs / DRIFT_PART);
  }

  standing(nowUs: number): LeaseStanding {
    if (nowUs < this.heldUntilUs) return 'held';
    return nowUs < this.grantedUntilUs ? 'fenced' : 'over';
  }

  /** When the peer should be asked for a proof. */
  get askUs(): number {
    const renewUs = this.#provenUs + this.#leaseUs / RENEW_PART;
    return Math.ceil(Math.max(renewUs, this.#askedUs + this.#leaseUs / ASK_AGAIN_PART));
  }

  /** The next time at which the standing may change. */
  get nextChangeUs(): number {
    return Math.max(this.heldUntilUs, this.grantedUntilUs);
  }

  /** The state datagram with that number is being sent. `asks`: it wants an answer. */
  sending(number: number, nowUs: number, asks: boolean): void {
    if (asks) this.#askedUs = nowUs;
    this.#sent.set(number, nowUs);
    if (this.#sent.size <= QUESTIONS_KEPT) return;
    for (const oldest of this.#sent.keys()) {
      this.#sent.delete(oldest);
      break;
    }
  }

  /** The peer says that it has got the state datagram with that number. */
  echoed(number: number): void {
    const sentUs = this.#sent.get(number);
    if (sentUs !== undefined) this.proven(sentUs);
  }

  /** The peer has got something that was sent at that time. */
  proven(sentUs: number): void {
    this.#provenUs = Math.max(this.#provenUs, sentUs);
  }

  /** Something new has come from the peer. */
  heard(nowUs: number): void {
    this.#heardUs = nowUs;
  }
}
