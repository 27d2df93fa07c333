/** One connection to a server of HTTP/1.1, for one request after the other. */
import { RpcError } from '@ginit/core';
import type { HostConnection } from '@ginit/core/host';
import { ByteReader } from '../lib/byte-reader.ts';
import { takeBody } from './body.ts';
import { ended, HttpError, passing, unsuitable } from './http-error.ts';
import type { HttpPlace } from './http-place.ts';
import { contentRange, type ContentRange, type ResponseHead, takeHead } from './response-head.ts';

/** A range that has come, with what says that it is of the same thing as another one. */
export interface TakenRange {
  readonly range: ContentRange;
  /** `ETag` and `Last-Modified`, as far as the server sends them. */
  readonly version: string;
}

/** The server has the thing somewhere else. */
export class Redirected extends Error {
  readonly location: string;

  constructor(location: string) {
    super(`the server redirects to ${location}`);
    this.location = location;
  }
}

export class RangeConnection {
  readonly #connection: HostConnection;
  readonly #reader: ByteReader;
  #open = true;

  constructor(connection: HostConnection) {
    this.#connection = connection;
    this.#reader = new ByteReader(connection, ended);
  }

  /** Whether it can be used for another request. */
  get reusable(): boolean {
    return this.#open;
  }

  /**
   * Reads a range into `into`, or its beginning: the result says how much. Rejects with `HttpError`
   * or `Redirected`; then the connection is closed.
   */
  async read(place: HttpPlace, first: number, into: Uint8Array): Promise<TakenRange> {
    try {
      await this.#connection.write(new TextEncoder().encode(requestOf(place, first, into.byteLength)));
      const head = await this.#head();
      const range = checkedRange(head, first, into.byteLength);
      const part = into.subarray(0, range.last - range.first + 1);
      const afterwards = await takeBody(this.#reader, head, part, () => this.#mustBeOpen());
      const leaves = head.headers.get('connection')?.toLowerCase() === 'close';
      if (afterwards === 'spent' || leaves || this.#reader.held > 0) await this.close();
      return { range, version: versionOf(head) };
    } catch (error) {
      await this.close();
      if (error instanceof HttpError || error instanceof Redirected) throw error;
      if (error instanceof RpcError) throw ended(error.message);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#open = false;
    await this.#connection.close();
  }

  /** Responses that only announce another one are passed over. */
  async #head(): Promise<ResponseHead> {
    for (let count = 0; count < 8; count++) {
      const head = await takeHead(this.#reader);
      if (head.status >= 200) return head;
    }
    throw unsuitable('the server announces a response and does not send it');
  }

  #mustBeOpen(): void {
    if (!this.#open) throw ended('the connection is closed');
  }
}

function requestOf({ path, host }: HttpPlace, first: number, bytes: number): string {
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: ${host}`,
    `Range: bytes=${first}-${first + bytes - 1}`,
    'Accept-Encoding: identity',
    'User-Agent: ginit',
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function checkedRange(head: ResponseHead, first: number, bytes: number): ContentRange {
  const { status, headers } = head;
  const location = headers.get('location');
  if (status >= 300 && status < 400 && location !== undefined) throw new Redirected(location);
  if (status === 200) throw unsuitable('the server does not honour ranges: it sends the whole');
  if (status === 404 || status === 410) throw new HttpError('Gone', `the server answers with ${status}`);
  if (status === 416)
    throw new HttpError('Gone', 'the server has no such range: there is less than there was');
  if (status === 408 || status === 429 || status >= 500) throw passing(`the server answers with ${status}`);
  if (status !== 206) throw unsuitable(`the server answers with ${status}`);
  const coding = headers.get('content-encoding') ?? 'identity';
  if (coding !== 'identity') throw unsuitable(`the server sends the range encoded (${coding})`);
  const range = contentRange(head);
  if (!range) throw unsuitable('the server does not say which range of how much it sends');
  if (range.first !== first || range.last > first + bytes - 1) {
    throw unsuitable(`the server sends bytes ${range.first} to ${range.last}, which nobody has asked for`);
  }
  return range;
}

const versionOf = ({ headers }: ResponseHead): string =>
  JSON.stringify([headers.get('etag'), headers.get('last-modified')]);
