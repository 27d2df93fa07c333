/**
 * The relays of one link: ports of components of this process, by channel number. Numbers only
 * grow, so a frame for an unknown channel is either early (its join command is still on the way) or
 * late (the channel is closed).
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { CLOSED_FRAME, postFrame } from '../thread/port-carrier.ts';
import { LIMITS } from '../../limits.ts';
import type { Place } from '../../memory/place.ts';
import { WaitingInPort } from '../wire/port-count.ts';
import type { Link } from '../wire/link.ts';

/** The end of a relay in this process. */
export interface RelayPort {
  readonly port: MessagePort;
  /** Wakes the thread that takes frames from the port. */
  readonly ring: () => void;
  /** Missing for the supervisor, which is trusted to send no more than it has been asked for. */
  readonly bound?: RelayBound;
}

/** Bounds what waits in a port. */
export interface RelayBound {
  /** What the thread has taken so far. */
  readonly taken: Place;
  /** Is told when too much waits there, and the channel ends for that. */
  readonly overrun: () => void;
}

interface OpenRelay extends RelayPort {
  readonly waiting: WaitingInPort | undefined;
}

/** The ports of one link, by channel. */
export class RelayTable {
  readonly #link: Pick<Link, 'send'>;
  readonly #ports = new Map<number, OpenRelay>();
  readonly #early: { channel: number; payload: Uint8Array }[] = [];
  #highest = 0;

  constructor(link: Pick<Link, 'send'>) {
    this.#link = link;
  }

  /** Joins a port to a channel of the link. */
  add(channel: number, relay: RelayPort): void {
    const { port, bound } = relay;
    this.#ports.set(channel, { ...relay, waiting: bound && new WaitingInPort(bound.taken) });
    this.#highest = Math.max(this.#highest, channel);
    port.on('message', (frame: unknown) => {
      if (frame instanceof Uint8Array) this.#link.send(channel, frame);
    });
    port.on('close', () => {
      if (this.#ports.delete(channel)) this.#link.send(channel, CLOSED_FRAME);
    });
    const early = this.#early.filter((frame) => frame.channel === channel);
    for (const frame of early) {
      this.#early.splice(this.#early.indexOf(frame), 1);
      this.deliver(channel, frame.payload);
    }
  }

  /** The port is about to be closed: frames that are in it are sent first. */
  drain(channel: number): void {
    const port = this.#ports.get(channel)?.port;
    for (
      let received = port && receiveMessageOnPort(port);
      received;
      received = port && receiveMessageOnPort(port)
    ) {
      if (received.message instanceof Uint8Array) this.#link.send(channel, received.message);
    }
  }

  /** Hands a frame from the link to its port. */
  deliver(channel: number, payload: Uint8Array): void {
    const relay = this.#ports.get(channel);
    if (relay && payload.byteLength === 0) this.#close(channel, relay);
    else if (relay && relay.waiting?.fits(payload.byteLength) === false) {
      this.#close(channel, relay);
      this.#link.send(channel, CLOSED_FRAME);
      relay.bound?.overrun();
    } else if (relay) {
      postFrame(relay.port, payload);
      relay.ring();
    } else if (channel > this.#highest && this.#early.length < LIMITS.earlyRelayFrames)
      this.#early.push({ channel, payload });
  }

  /** The link is gone, and every port of it is closed. */
  closeAll(): void {
    for (const [channel, relay] of this.#ports) this.#close(channel, relay);
  }

  #close(channel: number, { port, ring }: OpenRelay): void {
    this.#ports.delete(channel);
    // A parked thread sees messages, but not the end of a port, so it gets a last, empty frame.
    postFrame(port, CLOSED_FRAME);
    ring();
    port.close();
  }
}
