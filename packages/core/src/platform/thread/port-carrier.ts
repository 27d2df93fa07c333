/**
 * A carrier over a MessagePort that leads to a relay: to core, or to a component in another process. It shares no
 * memory. Its frames are taken by the event loop, or, while the thread parks, when its doorbell says that there are some.
 * A frame of no bytes says that the other end is closed: a parked thread does not see the port's own end.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { Carrier, SharedMemory } from '../../channel/carrier.ts';
import { SHARES_NONE } from '../../memory/shared-memory.ts';
import type { WorkSource } from './ring/work-source.ts';

const NO_MEMORY: SharedMemory = [];

/** The other end is closed. No frame of a channel is empty. */
export const CLOSED_FRAME = new Uint8Array(0);

/** Frames taken in one turn, so that promises and other sources get theirs. */
const FRAMES_PER_TURN = 1024;

/** Sends a frame through a port; its memory is moved, not copied. */
export function postFrame(port: MessagePort, frame: Uint8Array): void {
  const { buffer } = frame;
  const whole =
    buffer instanceof ArrayBuffer && buffer.byteLength > 0 && buffer.byteLength === frame.byteLength;
  port.postMessage(frame, whole ? [buffer] : []);
}

/** Takes messages from a port that a listener takes them from too; `again` asks for another turn. */
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
  readonly sharing = SHARES_NONE;
  readonly #port: MessagePort;
  readonly #wake: () => void;
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closedHandler: (() => void) | undefined;
  #closed = false;

  /** `wake` asks for `drain` to be called soon. */
  constructor(port: MessagePort, wake: () => void) {
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
    if (message.byteLength === 0) this.#end();
    else this.#handler?.(message, NO_MEMORY);
  }

  #end(): void {
    if (this.#closed) return;
    this.close();
    this.#closedHandler?.();
  }
}
