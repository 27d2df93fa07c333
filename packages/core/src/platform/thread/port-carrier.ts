/**
 * A carrier over a MessagePort that leads to a relay, and on to the supervisor or to a component in
 * another process. It shares no memory. The event loop takes its frames, or, while the thread
 * parks, the thread's loop does when the doorbell says that there are some. An empty frame says
 * that the other end is closed, because a parked thread does not notice the end of the port.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Carrier, SharedMemory } from '../../channel/carrier.ts';
import type { MemorySharing } from '../../memory/shared-memory.ts';
import type { Place } from '../../memory/place.ts';
import { PortCount } from '../wire/port-count.ts';
import type { WorkSource } from './ring/work-source.ts';

const NO_MEMORY: SharedMemory = [];

/** Says that the other end is closed. No frame of a channel is empty. */
export const CLOSED_FRAME = new Uint8Array(0);

/**
 * How many frames are taken in one turn, so that promises and other sources have their turns too.
 */
const FRAMES_PER_TURN = 1024;

/** Sends a frame through a port. Its memory is moved and not copied. */
export function postFrame(port: MessagePort, frame: Uint8Array): void {
  const { buffer } = frame;
  const whole =
    buffer instanceof ArrayBuffer && buffer.byteLength > 0 && buffer.byteLength === frame.byteLength;
  port.postMessage(frame, whole ? [buffer] : []);
}

/** Takes messages from a port that also has a listener. `again` asks for another turn. */
export function drainPort(port: MessagePort, take: (message: unknown) => void, again: () => void): void {
  for (let taken = 0; taken < FRAMES_PER_TURN; taken++) {
    const received = receiveMessageOnPort(port);
    if (!received) return;
    take(received.message);
  }
  again();
}

/** A carrier over `port`. */
export class PortCarrier implements Carrier, WorkSource {
  readonly sharing: MemorySharing;
  readonly #port: MessagePort;
  readonly #wake: () => void;
  readonly #taken: PortCount | undefined;
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closedHandler: (() => void) | undefined;
  #closed = false;

  /** `wake` asks for `drain` to be called soon. `taken` counts what is taken, for the other end. */
  constructor(port: MessagePort, wake: () => void, sharing: MemorySharing, taken?: Place) {
    this.sharing = sharing;
    this.#taken = taken && new PortCount(taken);
    this.#port = port;
    this.#wake = wake;
  }

  send(frame: Uint8Array): boolean {
    if (!this.#closed) postFrame(this.#port, new Uint8Array(frame));
    return false;
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#handler = handler;
    this.#port.on('message', (message: unknown) => this.#take(message));
  }

  closed(handler: () => void): void {
    this.#closedHandler = handler;
    this.#port.on('close', () => this.#end());
  }

  close(): void {
    this.#closed = true;
    this.#port.close();
  }

  drain(): void {
    if (this.#handler && !this.#closed) drainPort(this.#port, (message) => this.#take(message), this.#wake);
  }

  #take(message: unknown): void {
    if (this.#closed || !(message instanceof Uint8Array)) return;
    if (message.byteLength === 0) return this.#end();
    this.#taken?.add(message.byteLength);
    this.#handler?.(message, NO_MEMORY);
  }

  #end(): void {
    if (this.#closed) return;
    this.close();
    this.#closedHandler?.();
  }
}
