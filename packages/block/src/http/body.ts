/** The body of a response, moved into its place as it comes. */
import type { ByteReader } from '../lib/byte-reader.ts';
import { unsuitable } from './http-error.ts';
import { type ResponseHead, takeLine } from './response-head.ts';

/** Whether the connection may be used again after the body. */
export type Afterwards = 'reusable' | 'spent';

/**
 * Fills `into` with a body of exactly that length. `mayGoOn` is asked before anything is written:
 * it throws when the reader of the body has gone.
 */
export async function takeBody(
  reader: ByteReader,
  { headers }: ResponseHead,
  into: Uint8Array,
  mayGoOn: () => void,
): Promise<Afterwards> {
  const coding = headers.get('transfer-encoding');
  const length = headers.get('content-length');
  let at = 0;
  const move = async (bytes: number): Promise<void> => {
    await reader.moveInto(into.subarray(at, at + bytes), mayGoOn);
    at += bytes;
  };
  if (coding === undefined) {
    if (length !== undefined && length !== String(into.byteLength)) {
      throw unsuitable(`the body has ${length} bytes, and not the ${into.byteLength} of the range`);
    }
    await move(into.byteLength);
    return length === undefined ? 'spent' : 'reusable';
  }
  if (coding.toLowerCase() !== 'chunked' || length !== undefined) {
    throw unsuitable(`the body comes by the transfer coding ${coding}`);
  }
  for (;;) {
    const size = /^([0-9A-Fa-f]{1,8})(?:[ \t]*;.*)?$/.exec(await takeLine(reader))?.[1];
    const bytes = size === undefined ? -1 : Number.parseInt(size, 16);
    if (bytes < 0 || at + bytes > into.byteLength)
      throw unsuitable('a chunk of the body is malformed, or too long');
    if (bytes === 0) break;
    await move(bytes);
    if ((await takeLine(reader)) !== '') throw unsuitable('a chunk of the body is longer than it says');
  }
  if (at < into.byteLength) throw unsuitable(`the body ends after ${at} of ${into.byteLength} bytes`);
  // Headers behind the body are not worth the work: the connection is given up if there are any.
  return (await takeLine(reader)) === '' ? 'reusable' : 'spent';
}
