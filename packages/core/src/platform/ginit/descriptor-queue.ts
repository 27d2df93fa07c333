/**
 * Descriptors on their way to a domain process, and the commands that need them, in order. The
 * socket holds a bounded number of descriptors. While the process does not take them, the rest
 * waits here.
 */
import { closeDescriptor, DescriptorSocket, SharedMemoryError } from 'sharedarraybuffer-polyfill';
import { assert } from '../../errors.ts';
import { type SupplyTag, supplyLabel } from '../wire/supplies.ts';

const RETRY_MS = 5;

/** A descriptor that is closed when nobody is going to send it any more. */
export class CountedDescriptor {
  readonly fd: number;
  #uses = 1;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Counts one more use of the descriptor. */
  use(): this {
    assert(this.#uses > 0, 'a closed descriptor is not used');
    this.#uses++;
    return this;
  }

  release(): void {
    if (--this.#uses === 0) closeDescriptor(this.fd);
  }
}

type Entry =
  | { readonly descriptor: CountedDescriptor; readonly tag: SupplyTag }
  | { readonly command: () => void };

/** The descriptors and commands for one process, in order. */
export class DescriptorQueue {
  readonly #socket: DescriptorSocket;
  #entries: Entry[] = [];
  #retry: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(socket: DescriptorSocket) {
    this.#socket = socket;
  }

  /** Sends a descriptor. The caller hands over one use of it. */
  send(descriptor: CountedDescriptor, tag: SupplyTag): void {
    this.#push({ descriptor, tag });
  }

  /** Calls `command` when every descriptor before it is on its way. */
  tell(command: () => void): void {
    this.#push({ command });
  }

  /** The process is gone, and nothing more is sent. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#retry);
    this.#socket.close();
    for (const entry of this.#entries.splice(0)) if ('descriptor' in entry) entry.descriptor.release();
  }

  #push(entry: Entry): void {
    if (this.#ended) {
      if ('descriptor' in entry) entry.descriptor.release();
      return;
    }
    this.#entries.push(entry);
    if (this.#entries.length === 1) this.#flush();
  }

  #flush(): void {
    let done = 0;
    for (const entry of this.#entries) {
      if ('command' in entry) entry.command();
      else if (this.#sent(entry.descriptor.fd, entry.tag)) entry.descriptor.release();
      else break;
      done++;
    }
    this.#entries = this.#entries.slice(done);
    if (this.#entries.length > 0) this.#retry = setTimeout(() => this.#flush(), RETRY_MS);
  }

  #sent(fd: number, tag: SupplyTag): boolean {
    try {
      return this.#socket.send(fd, supplyLabel(tag));
    } catch (error) {
      if (!(error instanceof SharedMemoryError)) throw error;
      // Either the process is about to be known as gone, or the kernel has too many descriptors
      // under way. In the second case a later attempt succeeds.
      return error.code === 'PeerGone';
    }
  }
}
