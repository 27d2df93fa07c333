/**
 * Memory files that a peer has sent over the descriptor socket of a channel. A component takes the
 * files of a frame when it meets the frame. If an owner takes memory back before that, it must not
 * stay in the socket: then everything is taken out of the socket and waits here. A malformed
 * message ends what can be taken, and the channel is lost when a frame needs it.
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
  /** Undefined if the owner has taken the memory back. */
  readonly descriptor: number | undefined;
}

/** The memory files that have arrived over one socket. */
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

  /**
   * The next file, whose descriptor belongs to the caller. `undefined` if there is none, or if the
   * next message is malformed.
   */
  next(): Arrival | undefined {
    return this.#waiting.shift() ?? this.#take();
  }

  /**
   * Whether it is the memory of a packet stream, which nobody takes back from its users. Memory
   * that another process than its maker has sent is never that.
   */
  isStream({ tag, label }: Arrival): boolean {
    return tag.once && label.process === this.giver;
  }

  /** Takes back the files with these labels that are on their way. */
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

  /** Closes the files that nobody will take any more. */
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
