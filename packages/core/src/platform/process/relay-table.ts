/**
 * The relays of one link: ports of components of this process, by channel number. Numbers only ever grow, so a frame
 * for a channel that is not here is either early (its join command is still on the way) or late (it is closed).
 */
import type { MessagePort } from 'node:worker_threads';
import { postFrame } from '../thread/port-carrier.ts';
import type { Link } from './link.ts';

/** On a link: the channel is closed at the other end. No frame of a channel is empty. */
const CLOSED = new Uint8Array(0);
/** Frames kept for channels whose join command has not come yet. */
const EARLY_FRAMES = 4096;

/** Ports by channel. */
export class RelayTable {
  readonly #link: Link;
  readonly #ports = new Map<number, MessagePort>();
  readonly #early: { channel: number; payload: Uint8Array }[] = [];
  #highest = 0;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Joins a port to a channel of the link. */
  add(channel: number, port: MessagePort): void {
    this.#ports.set(channel, port);
    this.#highest = Math.max(this.#highest, channel);
    port.on('message', (frame: unknown) => {
      if (frame instanceof Uint8Array) this.#link.send(channel, frame);
    });
    port.on('close', () => {
      if (this.#ports.delete(channel)) this.#link.send(channel, CLOSED);
    });
    const early = this.#early.filter((frame) => frame.channel === channel);
    for (const frame of early) {
      this.#early.splice(this.#early.indexOf(frame), 1);
      this.deliver(channel, frame.payload);
    }
  }

  /** Hands a frame from the link to its port. */
  deliver(channel: number, payload: Uint8Array): void {
    const port = this.#ports.get(channel);
    if (port && payload.byteLength === 0) this.#close(channel, port);
    else if (port) postFrame(port, payload);
    else if (channel > this.#highest && this.#early.length < EARLY_FRAMES)
      this.#early.push({ channel, payload });
  }

  /** The link is gone. */
  closeAll(): void {
    for (const [channel, port] of this.#ports) this.#close(channel, port);
  }

  #close(channel: number, port: MessagePort): void {
    this.#ports.delete(channel);
    port.close();
  }
}
