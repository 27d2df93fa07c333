/**
 * A virtio 9P device: a transport of messages between the driver in the guest and a server of 9P
 * (Linux, `net/9p/trans_virtio.c`; the tag of the mount stands in the configuration). A request has
 * the message in what the device reads, and room for the answer in what it writes.
 */
import {
  gather,
  GuestFault,
  type GuestMemory,
  scatter,
  sliceSegments,
  totalLength,
} from '../guest-memory.ts';
import { lostAnswer, MESSAGE_HEADER_BYTES, type MessageServer } from '../message-server.ts';
import { FEATURE, type VirtioDevice } from './device.ts';
import type { DescriptorChain, SplitQueue } from './split-queue.ts';

/** What the device tells its surroundings. */
export interface SharedFolderHost {
  /** A request has been given back, and the driver wants to know. */
  interrupt(): void;
  /** The guest has told us something impossible. */
  fail(reason: string): void;
  /** The server cannot go on. */
  lost(error: unknown): void;
}

/** The number of the type `9P transport`. */
const NINE_P_TYPE = 9;
const FEATURE_MOUNT_TAG = 0;

/** One shared folder of a guest. */
export class SharedFolderDevice implements VirtioDevice {
  readonly type = NINE_P_TYPE;
  readonly pciClass = [0, 2, 0] as const;
  readonly features = [FEATURE_MOUNT_TAG, FEATURE.indirectDescriptors, FEATURE.version1] as const;
  readonly config: Uint8Array;
  readonly #makeServer: () => MessageServer;
  readonly #memory: GuestMemory;
  readonly #queue: SplitQueue;
  readonly #host: SharedFolderHost;
  #server: MessageServer;
  /** Grows with every reset, so that answers from before it find that out. */
  #generation = 0;

  /** `makeServer` makes one for each driver; `tag` is the name by which the guest mounts it. */
  constructor(
    tag: string,
    makeServer: () => MessageServer,
    memory: GuestMemory,
    queue: SplitQueue,
    host: SharedFolderHost,
  ) {
    this.#makeServer = makeServer;
    this.#memory = memory;
    this.#queue = queue;
    this.#host = host;
    this.#server = makeServer();
    const name = new TextEncoder().encode(tag);
    this.config = new Uint8Array(2 + name.byteLength);
    new DataView(this.config.buffer).setUint16(0, name.byteLength, true);
    this.config.set(name, 2);
  }

  driverReady(): void {}

  notified(): void {
    for (let chain = this.#queue.take(); chain; chain = this.#queue.take()) void this.#serve(chain);
  }

  resumed(): void {
    this.notified();
  }

  reset(): void {
    this.#generation++;
    const before = this.#server;
    this.#server = this.#makeServer();
    before.close().catch((error: unknown) => this.#host.lost(error));
  }

  async #serve(chain: DescriptorChain): Promise<void> {
    const generation = this.#generation;
    try {
      const message = this.#message(chain);
      const answer = await this.#server.answer(message).catch((error: unknown) => {
        if (error instanceof GuestFault) throw error;
        this.#host.lost(error);
        return lostAnswer(message);
      });
      if (generation !== this.#generation) return;
      const room = totalLength(chain.writable);
      if (answer.byteLength > room)
        throw new GuestFault(`an answer of ${answer.byteLength} bytes has room for ${room}`);
      scatter(this.#memory, sliceSegments(chain.writable, 0, answer.byteLength), answer);
      if (this.#queue.complete(chain, answer.byteLength)) this.#host.interrupt();
    } catch (error) {
      if (!(error instanceof GuestFault)) throw error;
      if (generation === this.#generation) this.#host.fail(error.message);
    }
  }

  /** The message of a request, which says itself how long it is. */
  #message({ readable }: DescriptorChain): Uint8Array {
    const room = totalLength(readable);
    if (room < MESSAGE_HEADER_BYTES) throw new GuestFault('a request without a message');
    const header = new Uint8Array(MESSAGE_HEADER_BYTES);
    gather(this.#memory, sliceSegments(readable, 0, MESSAGE_HEADER_BYTES), header);
    const size = new DataView(header.buffer).getUint32(0, true);
    if (size < MESSAGE_HEADER_BYTES || size > room || size > this.#server.messageBytes)
      throw new GuestFault(`a message of ${size} bytes`);
    const message = new Uint8Array(size);
    gather(this.#memory, sliceSegments(readable, 0, size), message);
    return message;
  }
}
