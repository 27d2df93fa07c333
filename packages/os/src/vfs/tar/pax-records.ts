/**
 * The records of pax headers: `LENGTH KEY=VALUE\n`, where LENGTH in decimal counts the whole record
 * in bytes (IEEE 1003.1, pax interchange format).
 */
import { textOfBytes } from '@ginit/core/file_system';
import { TarError } from './tar-header.ts';

const EQUALS = 0x3d;
const SPACE = 0x20;
const NEWLINE = 0x0a;
const LENGTH_DIGITS_MAX = 10;

/** Reads records; `position` is theirs in the archive. An empty value takes a key away. */
export function readPaxRecords(bytes: Uint8Array, position: number): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const wrong = (): TarError => new TarError('a record of a pax header is malformed', position + at);
    const space = bytes.indexOf(SPACE, at);
    if (space < 0 || space - at > LENGTH_DIGITS_MAX) throw wrong();
    const digits = textOfBytes(bytes.subarray(at, space));
    if (!/^[0-9]+$/.test(digits)) throw wrong();
    const end = at + Number(digits);
    if (end > bytes.length || end <= space + 1 || bytes[end - 1] !== NEWLINE) throw wrong();
    const record = bytes.subarray(space + 1, end - 1);
    const equals = record.indexOf(EQUALS);
    if (equals < 1) throw wrong();
    records.set(textOfBytes(record.subarray(0, equals)), textOfBytes(record.subarray(equals + 1)));
    at = end;
  }
  return records;
}
