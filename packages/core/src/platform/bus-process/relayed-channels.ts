/**
 * The channels of one link to a process of this machine that go on over the bus. Numbers only grow
 * on a link, so a frame for an unknown channel is either early (its command is still on the way) or
 * late (the channel is closed). An empty frame says that a channel is closed.
 */
import type { Carrier } from '../../channel/carrier.ts';
import { LIMITS } from '../../limits.ts';
import type { Link } from '../wire/link.ts';

const CLOSED_FRAME = new Uint8Array(0);

interface Relayed {
  readonly carrier: Carrier;
  readonly ended: (reason: string) => void;
}

/** The channels of one link. */
export class RelayedChannels {
  readonly #link: Link;
  readonly #channels = new Map<number, Relayed>();
  readonly #early: { channel: number; payload: Uint8Array }[] = [];
  #highest = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Joins a channel of the link to a carrier; `ended` is called once, when either has ended. */
  add(channel: number, carrier: Carrier, ended: (reason: string) => void): void {
    this.#channels.set(channel, { carrier, ended });
    this.#highest = Math.max(this.#highest, channel);
    carrier.closed((reason) => {
      if (!this.#channels.delete(channel)) return;
      ended(reason ?? 'the other end has closed');
      this.#link.send(channel, CLOSED_FRAME);
    });
    carrier.receive((frame) => {
      // Whoever does not read loses the channel: what waits here is bounded.
      if (this.#link.waitingBytes > LIMITS.busRelayBytes) {
        this.close(channel, 'its end on this machine reads too little');
        return this.#link.send(channel, CLOSED_FRAME);
      }
      this.#link.send(channel, new Uint8Array(frame));
    });
    for (const early of this.#early.filter((frame) => frame.channel === channel)) {
      this.#early.splice(this.#early.indexOf(early), 1);
      this.deliver(channel, early.payload);
    }
  }

  /** Takes a frame from the link. */
  deliver(channel: number, payload: Uint8Array): void {
    const carrier = this.#channels.get(channel)?.carrier;
    if (!carrier) {
      if (channel > this.#highest && this.#early.length < LIMITS.earlyRelayFrames)
        this.#early.push({ channel, payload });
    } else if (payload.byteLength === 0) this.close(channel);
    else carrier.send(payload, []);
  }

  /** The end on this machine closes. */
  close(channel: number, reason = 'this end has closed'): void {
    const relayed = this.#channels.get(channel);
    this.#channels.delete(channel);
    relayed?.carrier.close();
    relayed?.ended(reason);
  }

  /** The link is gone. */
  closeAll(): void {
    for (const channel of this.#channels.keys()) this.close(channel);
  }
}
