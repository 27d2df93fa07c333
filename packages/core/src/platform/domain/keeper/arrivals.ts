/**
 * Memory files that a peer has sent over the descriptor socket of a channel. A component takes those of a frame when it meets
 * the frame; what its owner takes back before that must not stay in the socket, so then everything is taken out of it
 * and waits here. What is not what it should be ends what can be taken: the channel is lost when a frame needs it.
 */
import {
  checkMemory,
  closeDescriptor,
  type DescriptorSocket,
  SharedMemoryError,
} from 'sharedarraybuffer-polyfill';
import { LIMITS } from '../../../limits.ts';
import { labelOf, type MemoryLabel, STAND_IN } from './memory-label.ts';
import { type MemoryTag, readTag } from './memory-tag.ts';

/** A memory file of the size that its tag says, which can neither grow nor shrink. */
export interface Arrival {
  readonly tag: MemoryTag;
  readonly label: MemoryLabel;
  /** Undefined if its owner has taken it back. */
  readonly descriptor: number | undefined;
}

/** What arrives over one socket. */
export class Arrivals {
  readonly #socket: DescriptorSocket;
  /** The process at the other end. */
  readonly giver: number;
  #waiting: Arrival[] = [];
  #broken = false;

  constructor(socket: DescriptorSocket, giver: number) {
    this.#socket = socket;
    this.giver = giver;
  }

  /** The next one; undefined if there is none, or nonsense. The descriptor is the caller's. */
  next(): Arrival | undefined {
    return this.#waiting.shift() ?? this.#take();
  }

  /** Whether it is a packet stream's memory: nobody takes that from those who use it. What is passed on is none. */
  isStream({ tag, label }: Arrival): boolean {
    return tag.once && label.process === this.giver;
  }

  /** Takes back what is on its way. */
  revoke(matches: (label: MemoryLabel) => boolean): void {
    while (this.#waiting.length < LIMITS.memoryWaiting) {
      const arrival = this.#take();
      if (!arrival) break;
      this.#waiting.push(arrival);
    }
    this.#waiting = this.#waiting.map((arrival) => {
      if (arrival.descriptor === undefined || this.isStream(arrival) || !matches(arrival.label))
        return arrival;
      closeDescriptor(arrival.descriptor);
      return { ...arrival, descriptor: undefined };
    });
  }

  /** Nobody takes any more. */
  close(): void {
    for (const { descriptor } of this.#waiting.splice(0))
      if (descriptor !== undefined) closeDescriptor(descriptor);
    this.#socket.close();
  }

  #take(): Arrival | undefined {
    if (this.#broken) return undefined;
    const arrival = receiveOne(this.#socket);
    if (arrival === 'nonsense') this.#broken = true;
    return arrival === 'nonsense' || arrival === 'none' ? undefined : arrival;
  }
}

function receiveOne(socket: DescriptorSocket): Arrival | 'none' | 'nonsense' {
  let descriptor: number | undefined;
  try {
    const received = socket.receive();
    if (!received) return 'none';
    descriptor = received.fd;
    const tag = readTag(received.tag);
    const label = labelOf(descriptor);
    if (tag && label) {
      checkMemory(descriptor, tag.sizeBytes, { writeable: !tag.sealed });
      if (label.serial !== STAND_IN) return { descriptor, tag, label };
      closeDescriptor(descriptor);
      return { descriptor: undefined, tag, label };
    }
  } catch (error) {
    if (!(error instanceof SharedMemoryError)) throw error;
  }
  if (descriptor !== undefined) closeDescriptor(descriptor);
  return 'nonsense';
}
