import type { StreamLink } from './stream-link.ts';

/**
 * The events that one end of a stream can wait for, as bits: a new entry in the queue that it reads
 * (`packets`), and a free slot in the queue that it writes (`room`). For the other end the same
 * bits say what a batch has brought.
 */
export const WAIT_FOR = { nothing: 0, packets: 1, room: 2 } as const;

/** How one end makes its progress known to the other. */
export interface Carrier {
  /** Called when this end begins to wait for `bit`, before it looks a last time. */
  arm(bit: number): void;
  /** Ends a batch. `news` has the bits of everything that was published since the last one. */
  wakeup(news: number): void;
  /**
   * Takes a frame. Returns the bits, out of those armed, that came true; `PROTOCOL_BROKEN` on
   * nonsense.
   */
  receive(frame: Uint8Array): number;
}

export const PROTOCOL_BROKEN = -1;

const doorbell = new Uint8Array(0);

/**
 * The carrier over shared memory. Each end has a word in which it sets the bits it waits for; the
 * other one, after it has published, takes the bits that came true and rings. Both sides write
 * first and then read what the other one writes (Atomics are sequentially consistent), so at least
 * one of them sees it: no wake-up is missed, and while the reader is busy none is sent.
 */
export class SharedCarrier implements Carrier {
  readonly #link: StreamLink;
  readonly #control: Int32Array;
  readonly #ownWaitsAt: number;
  readonly #peerWaitsAt: number;
  /** The bits set in memory; the peer may have taken some, then its doorbell is under way. */
  #armed: number = WAIT_FOR.nothing;

  constructor(link: StreamLink, control: Int32Array, ownWaitsAt: number, peerWaitsAt: number) {
    this.#link = link;
    this.#control = control;
    this.#ownWaitsAt = ownWaitsAt;
    this.#peerWaitsAt = peerWaitsAt;
  }

  arm(bit: number): void {
    if ((this.#armed & bit) !== 0) return;
    this.#armed |= bit;
    Atomics.or(this.#control, this.#ownWaitsAt, bit);
  }

  wakeup(news: number): void {
    if (news === WAIT_FOR.nothing) return;
    if ((Atomics.load(this.#control, this.#peerWaitsAt) & news) === 0) return;
    Atomics.and(this.#control, this.#peerWaitsAt, ~news);
    this.#link.send(doorbell);
  }

  receive(): number {
    const left = Atomics.load(this.#control, this.#ownWaitsAt);
    const taken = this.#armed & ~left;
    this.#armed &= left;
    return taken;
  }
}
