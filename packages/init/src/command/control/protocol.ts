/**
 * The protocol of the control socket: lines of JSON, in both directions.
 *
 * The server speaks first: `{"ginit":1,"system":"shop","pid":123,"config":"/srv/shop.xml"}`; the
 * number is the version. The client sends requests, `{"id":1,"do":"log","with":{"label":"init"}}`,
 * with ids of its own choice. Each is answered by any number of items, `{"id":1,"item":…}`, and
 * then by one end: `{"id":1,"result":…}` or `{"id":1,"error":{"code":"NOT_FOUND","message":"…"}}`.
 * `{"id":1,"cancel":true}` gives a request up; it is answered by an end all the same. Requests of
 * one connection run side by side. Fields that a reader does not know are ignored, so that later
 * versions can add some.
 */
import { oneOf, record, type ShapeType, text, u32, u53 } from '@ginit/core';

/** The version of the protocol. */
export const CONTROL_VERSION = 1;

/** Bounds of the protocol. */
export const CONTROL_LIMITS = {
  /** Bytes of one line from a client. */
  requestBytes: 64 * 1024,
  /** Bytes of one line from the server. */
  answerBytes: 64 * 1024 * 1024,
  /** Connections at a time, and requests of one connection that run at a time. */
  connections: 64,
  requestsPerConnection: 32,
  /** Characters of a name of a request, and of a message of an error. */
  nameCharacters: 64,
  messageCharacters: 4096,
  pathCharacters: 4096,
  /** Characters of a label that a client names, and how many one request names. */
  labelCharacters: 256,
  labels: 256,
} as const;

/** Why a request has failed. */
export const CONTROL_ERRORS = [
  /** The line is no request, or its arguments are not those of the request. */
  'BAD_REQUEST',
  /** This ginit knows no such request. */
  'UNKNOWN_REQUEST',
  /** There is no such component. */
  'NOT_FOUND',
  /** The system does not do that, or cannot do it now. */
  'REFUSED',
  /** Too many requests of this connection run already. */
  'LIMIT',
  /** The client has given the request up. */
  'CANCELLED',
  /** A fault of ginit. */
  'FAILED',
] as const;
/** One of `CONTROL_ERRORS`. */
export type ControlErrorCode = (typeof CONTROL_ERRORS)[number];

/** An error as the answer to a request. */
export class ControlError extends Error {
  readonly code: ControlErrorCode;

  constructor(code: ControlErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The first line of the server. */
export const greeting = record({
  ginit: u32,
  system: text(CONTROL_LIMITS.nameCharacters),
  pid: u53,
  /** The absolute path of the config. */
  config: text(CONTROL_LIMITS.pathCharacters),
});
/** How a server introduces itself. */
export type Greeting = ShapeType<typeof greeting>;

/** A line that asks for something. `with` holds the arguments. */
export const request = record({
  id: u53,
  do: text(CONTROL_LIMITS.nameCharacters),
});

/** The error in an answer. */
export const answerError = record({
  code: oneOf(CONTROL_ERRORS),
  message: text(CONTROL_LIMITS.messageCharacters),
});

/** The number of the request that a line belongs to. */
export const lineId = record({ id: u53 });

/** Cuts what arrives into lines, none of which is longer than a bound. */
export class LineReader {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The lines that this piece completes. Throws `RangeError` when a line is too long. */
  take(piece: Uint8Array): string[] {
    const lines: string[] = [];
    let rest = piece;
    for (let end = rest.indexOf(0x0a); end !== -1; end = rest.indexOf(0x0a)) {
      this.#keep(rest.subarray(0, end));
      lines.push(Buffer.concat(this.#parts).toString('utf8'));
      this.#parts = [];
      this.#bytes = 0;
      rest = rest.subarray(end + 1);
    }
    this.#keep(rest);
    return lines;
  }

  #keep(part: Uint8Array): void {
    if (part.byteLength === 0) return;
    this.#bytes += part.byteLength;
    if (this.#bytes > this.#maxBytes) throw new RangeError(`a line is longer than ${this.#maxBytes} bytes`);
    this.#parts.push(part);
  }
}
