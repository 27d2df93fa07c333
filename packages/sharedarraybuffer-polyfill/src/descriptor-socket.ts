/**
 * A socket that passes descriptors between processes, one a message, each with a tag by which both
 * sides know what it is. Node's own sockets drop descriptors that come with data, so this one is
 * never read by libuv: who expects a descriptor is told so by other means (a frame on a usual
 * connection) and calls `receive`, which does not block.
 *
 * It is one end of a SOCK_SEQPACKET pair: messages keep their borders, and the end of the other
 * side is noticed.
 */
import { callFailure, SharedMemoryError } from './errors.ts';
import { DescriptorMessage, type ReceivedMessage } from './descriptor-message.ts';
import { ERRNO, type Kernel } from './kernel.ts';
import { kernelOrThrow } from './support.ts';

const AF_UNIX = 1;
const SOCK_SEQPACKET_CLOEXEC_NONBLOCK = 5 | 0o2000000 | 0o4000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_GETFD = 1;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** Longest tag. */
export const TAG_BYTES_MAX = 256;

/** A descriptor that arrived; it is the receiver's to close. */
export interface ReceivedDescriptor {
  readonly fd: number;
  readonly tag: Uint8Array;
}

/** One end of a pair. It belongs to the thread that made it. */
export class DescriptorSocket {
  readonly #kernel: Kernel;
  readonly #message: DescriptorMessage;
  #fd: number | undefined;

  private constructor(kernel: Kernel, fd: number) {
    this.#kernel = kernel;
    this.#fd = fd;
    this.#message = new DescriptorMessage(kernel, TAG_BYTES_MAX);
  }

  /**
   * Makes two connected ends: one for us, and a descriptor that a child inherits as an entry of
   * spawn's `stdio`. Close the latter by `closeDescriptor` when the child has been spawned.
   */
  static pair(): { readonly near: DescriptorSocket; readonly farDescriptor: number } {
    const kernel = kernelOrThrow();
    const [near, farDescriptor] = kernel.socketPair(AF_UNIX, SOCK_SEQPACKET_CLOEXEC_NONBLOCK);
    return { near: new DescriptorSocket(kernel, near), farDescriptor };
  }

  /** Makes two connected ends as descriptors, both for others, and both the caller's to close. */
  static descriptors(): [number, number] {
    return kernelOrThrow().socketPair(AF_UNIX, SOCK_SEQPACKET_CLOEXEC_NONBLOCK);
  }

  /** Takes over an inherited descriptor; from now on it is closed on exec, and by `close`. */
  static adopt(fd: number): DescriptorSocket {
    const kernel = kernelOrThrow();
    const flags = kernel.fcntl(fd, F_GETFD, 0);
    if (flags < 0) throw callFailure('fcntl(F_GETFD)', flags);
    kernel.fcntl(fd, F_SETFD, FD_CLOEXEC);
    return new DescriptorSocket(kernel, fd);
  }

  /**
   * Sends a descriptor; it stays the sender's to close, at once if it likes. False if the other
   * side has too many messages waiting: try again later. Throws `PeerGone` when the other end is
   * closed.
   */
  send(fd: number, tag: Uint8Array): boolean {
    if (tag.byteLength === 0 || tag.byteLength > TAG_BYTES_MAX) {
      throw new SharedMemoryError('InvalidArgument', `a tag has 1 to ${TAG_BYTES_MAX} bytes`);
    }
    const header = this.#message.compose(fd, tag);
    let result: number;
    do result = this.#kernel.sendMessage(this.#open, header, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (result === -ERRNO.EINTR);
    if (result >= 0) return true;
    if (result === -ERRNO.EAGAIN) return false;
    if (result === -ERRNO.EPIPE || result === -ERRNO.ECONNRESET) throw peerGone();
    throw callFailure('sendmsg', result);
  }

  /**
   * The next descriptor that has arrived; undefined if there is none yet. A message that is not
   * what `send` sends is an error, `NoDescriptor`, `TooManyDescriptors` or `Malformed`; its
   * descriptors are closed, and the next call gets the next message. Throws `PeerGone` when the
   * other end is closed and everything has been received.
   */
  receive(): ReceivedDescriptor | undefined {
    const header = this.#message.expect();
    let result: number;
    do result = this.#kernel.receiveMessage(this.#open, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (result === -ERRNO.EINTR);
    if (result === -ERRNO.EAGAIN) return undefined;
    if (result === -ERRNO.ECONNRESET) throw peerGone();
    if (result < 0) throw callFailure('recvmsg', result);
    const message = this.#message.parse(result);
    const checked = checkMessage(message);
    if (!(checked instanceof SharedMemoryError)) return checked;
    for (const descriptor of message.descriptors) this.#kernel.close(descriptor);
    throw checked;
  }

  /** Closes our end; descriptors that nobody received are closed by the kernel. Idempotent. */
  close(): void {
    if (this.#fd !== undefined) this.#kernel.close(this.#fd);
    this.#fd = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #open(): number {
    if (this.#fd === undefined) throw new SharedMemoryError('Closed', 'the socket is closed');
    return this.#fd;
  }
}

/** The content of a message, or its fault. An empty message is the end of the stream. */
function checkMessage(message: ReceivedMessage): ReceivedDescriptor | SharedMemoryError {
  const { descriptors, payload } = message;
  const [fd] = descriptors;
  if (descriptors.length > 1) {
    return new SharedMemoryError('TooManyDescriptors', 'a message carried more than one descriptor');
  }
  if (message.controlStrange || message.payloadCut) {
    return new SharedMemoryError(
      'Malformed',
      'a message was longer than a tag, or carried something strange',
    );
  }
  if (fd === undefined) {
    if (payload.byteLength === 0) return peerGone();
    return new SharedMemoryError('NoDescriptor', 'a message carried no descriptor');
  }
  if (payload.byteLength === 0) return new SharedMemoryError('Malformed', 'a descriptor came without a tag');
  return { fd, tag: payload };
}

function peerGone(): SharedMemoryError {
  return new SharedMemoryError('PeerGone', 'the other end of the descriptor socket is closed');
}
