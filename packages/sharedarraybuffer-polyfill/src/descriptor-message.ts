/**
 * The layout of a message that carries a descriptor, for sendmsg(2) and recvmsg(2) of a 64-bit
 * Linux:
 *
 *     struct msghdr    0 name   8 name length   16 iovec   24 iovecs   32 control   40 control length   48 flags
 *     struct iovec     0 base   8 length
 *     struct cmsghdr   0 length   8 level   12 type   16 … descriptors, 32 bits each
 *
 * All of it and the payload lie in one buffer that does not move: the structures point into it.
 */
import { endianness } from 'node:os';
import { assert } from './errors.ts';
import type { Kernel } from './kernel.ts';

const IOVEC = 56;
const CONTROL = IOVEC + 16;
const CONTROL_HEADER_BYTES = 16;
/**
 * Room for more descriptors than are allowed, so that too many are noticed; what does not fit the
 * kernel closes.
 */
const DESCRIPTORS_MAX = 4;
const CONTROL_BYTES = CONTROL_HEADER_BYTES + DESCRIPTORS_MAX * 4;
const PAYLOAD = CONTROL + CONTROL_BYTES;

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_CTRUNC = 8;
const MSG_TRUNC = 0x20;

/** The content of a received message. The receiver closes the descriptors. */
export interface ReceivedMessage {
  readonly descriptors: readonly number[];
  readonly payload: Uint8Array;
  /** Whether the payload was longer than there is room for. */
  readonly payloadCut: boolean;
  /** Whether there were more descriptors than there is room for, or other control messages. */
  readonly controlStrange: boolean;
}

/** A buffer for messages, used for one after the other. */
export class DescriptorMessage {
  readonly #bytes: Buffer;
  readonly #payloadMax: number;

  constructor(kernel: Kernel, payloadMax: number) {
    assert(endianness() === 'LE', 'the layout below is for little-endian processors');
    this.#payloadMax = payloadMax;
    this.#bytes = Buffer.allocUnsafeSlow(PAYLOAD + payloadMax).fill(0);
    const address = BigInt(kernel.addressOf(this.#bytes));
    this.#bytes.writeBigUInt64LE(address + BigInt(IOVEC), 16);
    this.#bytes.writeBigUInt64LE(1n, 24);
    this.#bytes.writeBigUInt64LE(address + BigInt(CONTROL), 32);
    this.#bytes.writeBigUInt64LE(address + BigInt(PAYLOAD), IOVEC);
  }

  /** Makes a message to be sent; returns its header. */
  compose(fd: number, payload: Uint8Array): Uint8Array {
    assert(payload.byteLength <= this.#payloadMax, 'the payload fits');
    this.#bytes.writeBigUInt64LE(BigInt(payload.byteLength), IOVEC + 8);
    this.#bytes.writeBigUInt64LE(BigInt(CONTROL_HEADER_BYTES + 8), 40);
    this.#bytes.writeBigUInt64LE(BigInt(CONTROL_HEADER_BYTES + 4), CONTROL);
    this.#bytes.writeInt32LE(SOL_SOCKET, CONTROL + 8);
    this.#bytes.writeInt32LE(SCM_RIGHTS, CONTROL + 12);
    this.#bytes.writeInt32LE(fd, CONTROL + CONTROL_HEADER_BYTES);
    this.#bytes.set(payload, PAYLOAD);
    return this.#bytes;
  }

  /** Makes room for a message to be received; returns its header. */
  expect(): Uint8Array {
    this.#bytes.writeBigUInt64LE(BigInt(this.#payloadMax), IOVEC + 8);
    this.#bytes.writeBigUInt64LE(BigInt(CONTROL_BYTES), 40);
    this.#bytes.writeInt32LE(0, 48);
    return this.#bytes;
  }

  /** The message that was received, with `payloadBytes` bytes of payload. */
  parse(payloadBytes: number): ReceivedMessage {
    const flags = this.#bytes.readInt32LE(48);
    const controlEnd = CONTROL + Number(this.#bytes.readBigUInt64LE(40));
    const descriptors: number[] = [];
    let controlStrange = (flags & MSG_CTRUNC) !== 0;
    // Written by the kernel, so it can be believed.
    let at = CONTROL;
    while (at + CONTROL_HEADER_BYTES <= controlEnd) {
      const end = at + Number(this.#bytes.readBigUInt64LE(at));
      if (this.#isRights(at)) {
        for (let entry = at + CONTROL_HEADER_BYTES; entry + 4 <= end; entry += 4) {
          descriptors.push(this.#bytes.readInt32LE(entry));
        }
      } else controlStrange = true;
      at += Math.max(CONTROL_HEADER_BYTES, (end - at + 7) & ~7);
    }
    return {
      descriptors,
      payload: Uint8Array.from(this.#bytes.subarray(PAYLOAD, PAYLOAD + payloadBytes)),
      payloadCut: (flags & MSG_TRUNC) !== 0,
      controlStrange,
    };
  }

  #isRights(at: number): boolean {
    return this.#bytes.readInt32LE(at + 8) === SOL_SOCKET && this.#bytes.readInt32LE(at + 12) === SCM_RIGHTS;
  }
}
