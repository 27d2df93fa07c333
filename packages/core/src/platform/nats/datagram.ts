/**
 * The header of a datagram, and how the body of one is sealed. docs/cluster.md has the layout of
 * everything.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto';

/** The version of the protocol between nodes. */
export const PROTOCOL_VERSION = 1;

/** The kinds of datagrams. */
export const DatagramKind = { hello: 1, welcome: 2, refusal: 3, data: 4, state: 5 } as const;
export type DatagramKind = (typeof DatagramKind)[keyof typeof DatagramKind];

export const DATAGRAM_HEADER_BYTES = 20;
/** Bytes of the number of a link. */
export const LINK_ID_BYTES = 8;
const LINK_ID_AT = 4;
const NUMBER_AT = 12;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Sets the nonces of state datagrams apart from those of data. */
const STATE_BIT = 0x80;
const TWO_32 = 2 ** 32;

/** Bytes that a sealed datagram has beside its content. */
export const SEALED_OVERHEAD_BYTES = DATAGRAM_HEADER_BYTES + TAG_BYTES;

/** A header, read. */
export interface DatagramHeader {
  readonly version: number;
  readonly kind: number;
  readonly number: number;
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads and writes whole numbers up to 2^53 as 64 bits. */
export function readU53(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * TWO_32 + view.getUint32(at, true);
}

export function writeU53(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % TWO_32, true);
  view.setUint32(at + 4, Math.floor(value / TWO_32), true);
}

function writeHeader(
  bytes: Uint8Array,
  kind: DatagramKind,
  linkId: Uint8Array | undefined,
  number: number,
): void {
  bytes[0] = PROTOCOL_VERSION;
  bytes[1] = kind;
  if (linkId) bytes.set(linkId, LINK_ID_AT);
  writeU53(viewOf(bytes), NUMBER_AT, number);
}

/** The header of a datagram; `undefined` if there is none, or if it has what must be zero. */
export function readHeader(bytes: Uint8Array): DatagramHeader | undefined {
  if (bytes.byteLength < DATAGRAM_HEADER_BYTES || bytes[2] !== 0 || bytes[3] !== 0) return undefined;
  const number = readU53(viewOf(bytes), NUMBER_AT);
  if (!Number.isSafeInteger(number)) return undefined;
  return { version: bytes[0] ?? 0, kind: bytes[1] ?? 0, number };
}

/** The number of the link that a datagram says it belongs to, as text. */
export const linkIdOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + LINK_ID_AT, LINK_ID_BYTES).toString('hex');

/** A datagram that is not sealed: of a handshake. */
export function plainDatagram(kind: DatagramKind, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(DATAGRAM_HEADER_BYTES + body.byteLength);
  writeHeader(bytes, kind, undefined, 0);
  bytes.set(body, DATAGRAM_HEADER_BYTES);
  return bytes;
}

function nonceOf(kind: DatagramKind, number: number): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES);
  writeU53(viewOf(nonce), NONCE_BYTES - 8, number);
  if (kind === DatagramKind.state) nonce[NONCE_BYTES - 1] = STATE_BIT;
  return nonce;
}

/** One direction of a link: its key, and its number as part of each header. */
export class Seal {
  readonly #key: KeyObject;
  readonly #linkId: Uint8Array;

  constructor(key: Uint8Array, linkId: Uint8Array) {
    this.#key = createSecretKey(key);
    this.#linkId = linkId;
  }

  /** Seals a body. No number may be used twice for a kind. */
  close(kind: DatagramKind, number: number, body: Uint8Array): Uint8Array {
    // Every byte of it is written here, so it need not be zero before.
    const bytes = Buffer.allocUnsafe(SEALED_OVERHEAD_BYTES + body.byteLength);
    bytes.fill(0, 0, DATAGRAM_HEADER_BYTES);
    writeHeader(bytes, kind, this.#linkId, number);
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(kind, number));
    cipher.setAAD(bytes.subarray(0, DATAGRAM_HEADER_BYTES));
    bytes.set(cipher.update(body), DATAGRAM_HEADER_BYTES);
    cipher.final();
    bytes.set(cipher.getAuthTag(), bytes.byteLength - TAG_BYTES);
    return bytes;
  }

  /** The body of a sealed datagram, as a copy; `undefined` if it was not sealed with this key. */
  open(kind: DatagramKind, number: number, bytes: Uint8Array): Uint8Array | undefined {
    const end = bytes.byteLength - TAG_BYTES;
    if (end < DATAGRAM_HEADER_BYTES) return undefined;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(kind, number), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(bytes.subarray(0, DATAGRAM_HEADER_BYTES));
    decipher.setAuthTag(bytes.subarray(end));
    const body = decipher.update(bytes.subarray(DATAGRAM_HEADER_BYTES, end));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return body;
  }
}
