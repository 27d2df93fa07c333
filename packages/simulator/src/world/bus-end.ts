/**
 * One end of a carrier that goes over the simulated bus. What its component sends goes to the
 * channel of its node; what arrives there waits for a turn of the component, as on other carriers.
 */
import { type SharedMemory, SHARES_NO_MACHINE } from '@ginit/core/platform';
import type { LinkChannel } from '@ginit/core/nats';
import { assert } from '@ginit/core';
import type { Random } from '../order/random.ts';
import { type CarrierWorld, Lane, type SimulatedEnd } from './simulated-carrier.ts';

const NO_MEMORY: SharedMemory = [];

interface Waiting {
  readonly frame: Uint8Array;
  readonly left: (() => void) | undefined;
}

/** The end of one component. */
export class BusEnd implements SimulatedEnd {
  readonly sharing = SHARES_NO_MACHINE;
  readonly peer: number;
  readonly #own: number;
  readonly #world: CarrierWorld;
  /** What has arrived, until the component takes it. */
  readonly #arrived: Lane;
  #channel: LinkChannel | undefined;
  /** What is sent before the channel is there. */
  readonly #waiting: Waiting[] = [];
  /** Frames that this end has sent, and that have come to it. */
  #sent = 0;
  #come = 0;
  #closed = false;
  #ended = false;
  #other: BusEnd | undefined;

  constructor(world: CarrierWorld, own: number, peer: number) {
    this.#world = world;
    this.#own = own;
    this.peer = peer;
    this.#arrived = new Lane(world, peer, own);
  }

  /** Makes two of them the ends of one carrier. */
  static join(first: BusEnd, second: BusEnd): void {
    first.#other = second;
    second.#other = first;
  }

  get quiet(): boolean {
    const other = this.#other;
    return this.#arrived.empty && !this.#isUnderWay && !(other && other.#isUnderWay);
  }

  /** Whether something that this end has sent, or its end, is on the bus or in front of it. */
  get #isUnderWay(): boolean {
    const other = this.#other;
    if (!other || other.#ended || other.#closed) return false;
    return other.#come < this.#sent || this.#closed;
  }

  get unheardSinceUs(): number | undefined {
    return this.#arrived.unheardSinceUs;
  }

  /** The channel is there. */
  attach(channel: LinkChannel): void {
    channel.closed(() => this.#peerEnded());
    channel.receive((frame) => {
      this.#come++;
      this.#arrived.put(frame.slice(), NO_MEMORY);
    });
    if (!this.#ended) this.#channel = channel;
    for (const { frame, left } of this.#waiting.splice(0)) channel.send(frame, NO_MEMORY, left);
    if (this.#closed || this.#ended) channel.close();
  }

  /** There will be no channel. */
  fail(): void {
    this.#waiting.length = 0;
    this.#peerEnded();
  }

  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean {
    assert(memory.length === 0, 'memory does not travel to other machines');
    if (this.#closed || this.#ended) return false;
    this.#world.sent(this.#own, this.peer, frame);
    const copies = this.#world.copies(this.#own, this.peer, frame);
    this.#sent += copies;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#channel) this.#channel.send(frame, NO_MEMORY, left);
      else this.#waiting.push({ frame: frame.slice(), left });
    }
    return true;
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#arrived.listen(handler);
  }

  closed(handler: () => void): void {
    this.#arrived.onClosed(handler);
  }

  close(): void {
    this.#arrived.deafen();
    this.#end();
  }

  /** Of what a dead component has sent, the link carries what it has; the rest is lost. */
  die(fate: Random): void {
    this.#arrived.deafen();
    this.#waiting.splice(fate.below(this.#waiting.length + 1));
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#world.closed(this.#own, this.peer);
    this.#channel?.close();
  }

  /** The other end, or the link, has ended: the component learns of it behind what has arrived. */
  #peerEnded(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#channel = undefined;
    this.#arrived.end();
  }
}
