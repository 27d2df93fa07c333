/**
 * The head of a response of HTTP/1.1: a line with the status, then a header a line, then an empty
 * line. (Source: RFC 9110 and 9112.) Whatever a server sends, it makes us hold a bounded head.
 */
import type { ByteReader } from '../lib/byte-reader.ts';
import { unsuitable } from './http-error.ts';

const LINE_BYTES_MAX = 8 * 1024;
const HEADERS_MAX = 128;

export interface ResponseHead {
  readonly status: number;
  /** Values by names in small letters. Of headers that are there twice the last one counts. */
  readonly headers: ReadonlyMap<string, string>;
}

/** Takes a head out of a stream. Rejects with `HttpError`, or as the reader does. */
export async function takeHead(reader: ByteReader): Promise<ResponseHead> {
  const first = await takeLine(reader);
  const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(first)?.[1];
  if (status === undefined) throw unsuitable('the server does not speak HTTP/1.1');
  const headers = new Map<string, string>();
  for (let count = 0; count <= HEADERS_MAX; count++) {
    const line = await takeLine(reader);
    if (line === '') return { status: Number(status), headers };
    const [, name, value] = /^([!#$%&'*+\-.^_`|~\w]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw unsuitable('a header of the server is malformed');
    const key = name.toLowerCase();
    // Two lengths are how one message is smuggled into another.
    if ((key === 'content-length' || key === 'transfer-encoding') && headers.has(key)) {
      throw unsuitable(`the server sends the header ${key} twice`);
    }
    headers.set(key, value);
  }
  throw unsuitable(`the server sends more than ${HEADERS_MAX} headers`);
}

/** A line without its end, which must be CR LF. */
export async function takeLine(reader: ByteReader): Promise<string> {
  const bytes = await reader.takeLine(LINE_BYTES_MAX);
  if (bytes === undefined) throw unsuitable(`a line of the server has more than ${LINE_BYTES_MAX} bytes`);
  const text = new TextDecoder('latin1').decode(bytes);
  if (!text.endsWith('\r\n')) throw unsuitable('a line of the server does not end in CR LF');
  return text.slice(0, -2);
}

/** The range that `Content-Range` tells of; `undefined` if it is missing or malformed. */
export interface ContentRange {
  readonly first: number;
  readonly last: number;
  /** Bytes of the whole. */
  readonly total: number;
}

export function contentRange({ headers }: ResponseHead): ContentRange | undefined {
  const found = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16})$/.exec(headers.get('content-range') ?? '');
  if (!found) return undefined;
  const [first = 0, last = 0, total = 0] = found.slice(1).map(Number);
  const sound = [first, last, total].every(Number.isSafeInteger) && first <= last && last < total;
  return sound ? { first, last, total } : undefined;
}
