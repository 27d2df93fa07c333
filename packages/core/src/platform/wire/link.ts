/**
 * A link joins two of ginit's processes by a stream socket and carries the frames of any number of
 * channels:
 *
 *     u32 payload bytes · u32 channel · payload           (little endian)
 *
 * Channel 0 is for the processes themselves (commands as JSON), the others belong to pairs of
 * components.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { LIMITS } from '../../limits.ts';

/** The channel for messages of the two processes themselves. */
export const CONTROL_CHANNEL = 0;

const HEADER_BYTES = 8;
const PROOF_BYTES = 32;

/**
 * The first bytes that both ends of a link send, if the socket was not inherited. Each end knows
 * which bytes to expect of the other.
 */
export interface LinkProof {
  readonly own: Uint8Array;
  readonly expected: Uint8Array;
}

/** The proofs for the two ends of a new link. */
export function linkProofs(): [LinkProof, LinkProof] {
  const [own, expected] = [randomBytes(PROOF_BYTES), randomBytes(PROOF_BYTES)];
  return [
    { own, expected },
    { own: expected, expected: own },
  ];
}

/** While more than this waits to be sent, output that may be dropped is dropped. */
const CONGESTED_BYTES = 1024 * 1024;

/** One end of a link. */
export class Link {
  readonly #socket: Socket;
  #chunks: Buffer[] = [];
  #buffered = 0;
  #wanted = HEADER_BYTES;
  #closed = false;
  #expected: Uint8Array | undefined;

  /** `received` is called for each frame, and `closed` once when the link has ended. */
  constructor(
    socket: Socket,
    received: (channel: number, payload: Uint8Array) => void,
    closed: (reason: string) => void,
    proof?: LinkProof,
  ) {
    this.#socket = socket;
    if (proof) {
      this.#expected = proof.expected;
      this.#wanted = PROOF_BYTES;
      socket.write(proof.own);
    }
    const end = (reason: string): void => {
      if (this.#closed) return;
      this.#closed = true;
      socket.destroy();
      closed(reason);
    };
    socket.on('data', (chunk) => this.#take(chunk, received, end));
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end('closed'));
    socket.resume();
  }

  /** Whether so much waits to be sent that droppable output should be dropped. */
  get congested(): boolean {
    return this.#socket.writableLength > CONGESTED_BYTES;
  }

  /** How much waits to be sent. */
  get waitingBytes(): number {
    return this.#socket.writableLength;
  }

  /** Sends a frame; ignored when the link is closed. */
  send(channel: number, payload: Uint8Array): void {
    if (this.#closed) return;
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    header.writeUInt32LE(payload.byteLength, 0);
    header.writeUInt32LE(channel, 4);
    this.#socket.cork();
    this.#socket.write(header);
    this.#socket.write(payload);
    this.#socket.uncork();
  }

  /** Sends a command of the processes themselves. */
  sendControl(command: object): void {
    this.send(CONTROL_CHANNEL, Buffer.from(JSON.stringify(command)));
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #take(
    chunk: Buffer,
    received: (channel: number, payload: Uint8Array) => void,
    end: (reason: string) => void,
  ): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#wanted) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let offset = 0;
    if (this.#expected) {
      if (!timingSafeEqual(bytes.subarray(0, PROOF_BYTES), this.#expected))
        return end('not the expected process');
      this.#expected = undefined;
      offset = PROOF_BYTES;
    }
    while (!this.#closed && bytes.length - offset >= HEADER_BYTES) {
      const length = bytes.readUInt32LE(offset);
      if (length > LIMITS.frameBytes) return end(`a frame of ${length} bytes`);
      if (bytes.length - offset - HEADER_BYTES < length) break;
      const start = offset + HEADER_BYTES;
      // The frame is copied, so that it can be moved to another thread and the chunk can be freed.
      received(bytes.readUInt32LE(offset + 4), new Uint8Array(bytes.subarray(start, start + length)));
      offset = start + length;
    }
    this.#keep(bytes.subarray(offset));
  }

  #keep(rest: Buffer): void {
    this.#chunks = rest.length > 0 ? [rest] : [];
    this.#buffered = rest.length;
    this.#wanted = rest.length >= HEADER_BYTES ? HEADER_BYTES + rest.readUInt32LE(0) : HEADER_BYTES;
  }
}
