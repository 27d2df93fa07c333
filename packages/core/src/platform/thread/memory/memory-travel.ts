/**
 * How memory travels beside the frames of a ring. Within a process it goes through a port, by
 * reference. To another process its descriptors go, by way of the keeper (`memory-protocol.ts`).
 * Both ways keep the order, as the ring does, and memory is sent before its frame. So the reader
 * finds the memory when it meets the frame.
 */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { SharedMemory } from '../../../channel/carrier.ts';
import { LIMITS } from '../../../limits.ts';
import { type MemoryPiece, type MemorySharing, SHARES_ALL } from '../../../memory/shared-memory.ts';
import type { KeeperClient } from './keeper-client.ts';

/** The way that memory takes from and to one end of a channel. */
export interface MemoryTravel {
  readonly sharing: MemorySharing;
  /**
   * Sends the pieces from index `from` on. The result is how many pieces of the frame are on their
   * way by now; the others are to be tried again when the reader has taken something. `undefined`
   * if nothing can be sent any more.
   */
  send(memory: SharedMemory, from: number): number | undefined;
  /**
   * The memory of the frame that was just met; `undefined` if the peer has not sent it or has sent
   * something malformed.
   */
  receive(): SharedMemory | undefined;
  close(): void;
}

/** Memory that travels between threads of one process. */
export class PortTravel implements MemoryTravel {
  readonly sharing = SHARES_ALL;
  readonly #port: MessagePort;
  readonly #keeper: KeeperClient | undefined;

  /** `keeper` is there where memory can be shared with other processes too. */
  constructor(port: MessagePort, keeper?: KeeperClient) {
    this.#port = port;
    this.#keeper = keeper;
  }

  send(memory: SharedMemory): number {
    for (const piece of memory) this.#keeper?.lend(piece);
    this.#port.postMessage(memory, []);
    return memory.length;
  }

  receive(): SharedMemory | undefined {
    const received: unknown = receiveMessageOnPort(this.#port)?.message;
    if (!isSharedMemory(received)) return undefined;
    for (const piece of received) this.#keeper?.borrow(piece);
    return received;
  }

  close(): void {
    this.#port.close();
  }
}

/** Memory that travels between threads of two processes. */
export class FileTravel implements MemoryTravel {
  readonly sharing: MemorySharing;
  readonly #channel: number;
  readonly #keeper: KeeperClient;

  constructor(channel: number, keeper: KeeperClient) {
    this.#channel = channel;
    this.#keeper = keeper;
    this.sharing = {
      accepts: (piece) => keeper.holds(piece),
      allocate: (sizeBytes) => keeper.allocateShared(sizeBytes, true),
      release: (piece) => keeper.release(piece),
    };
  }

  send(memory: SharedMemory, from: number): number | undefined {
    const files = memory.map(({ file = 0, sealed = false, once = false, buffer }) => {
      return { file, sealed, once, sizeBytes: buffer.byteLength };
    });
    const sent = this.#keeper.ask({ kind: 'send', channel: this.#channel, files, from });
    for (const piece of memory.slice(from, sent ?? from)) if (piece.once) this.#keeper.sent(piece);
    return sent;
  }

  receive(): SharedMemory | undefined {
    const files = this.#keeper.ask({ kind: 'receive', channel: this.#channel });
    const pieces = files?.map((file) => this.#keeper.arrived(file));
    return pieces?.every((piece) => piece !== undefined) ? pieces : undefined;
  }

  close(): void {
    // After this turn, because until then the peer may still be rung.
    queueMicrotask(() => this.#keeper.tell({ kind: 'closed', channel: this.#channel }));
  }
}

function isSharedMemory(value: unknown): value is SharedMemory {
  return Array.isArray(value) && value.length <= LIMITS.capabilitiesPerMessage && value.every(isPiece);
}

function isPiece(value: unknown): value is MemoryPiece {
  return (
    typeof value === 'object' && value !== null && Reflect.get(value, 'buffer') instanceof SharedArrayBuffer
  );
}
