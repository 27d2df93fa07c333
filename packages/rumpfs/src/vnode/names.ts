import { bytesOfText } from '@ginit/core/file_system';
import { FsError } from '../errors.ts';

/**
 * A checked name of one directory entry, as the text that stands for its bytes (`byte-text.ts` of
 * core), and as bytes.
 */
export interface EntryName {
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** Checks the name of an entry. Throws `InvalidName` or `NameTooLong`. */
export function entryName(text: string, bytesMax: number): EntryName {
  if (text === '' || text === '.' || text === '..') throw new FsError('InvalidName', `"${text}" is no name`);
  // A UTF-16 unit makes at least one byte, so a text that is too long by its length alone is
  // refused at once.
  if (text.length > bytesMax) throw tooLong(bytesMax);
  const bytes = encodeText(text);
  if (bytes.length > bytesMax) throw tooLong(bytesMax);
  if (bytes.includes(0x2f) || bytes.includes(0)) {
    throw new FsError('InvalidName', 'a name holds no slash and no zero byte');
  }
  return { text, bytes };
}

function tooLong(bytesMax: number): FsError {
  return new FsError('NameTooLong', `a name has at most ${bytesMax} bytes`);
}

/**
 * The bytes of a name or a symbolic link's target. Throws `InvalidName` at a surrogate that stands
 * for no byte.
 */
export function encodeText(text: string): Uint8Array {
  const bytes = bytesOfText(text);
  if (bytes === undefined) throw new FsError('InvalidName', 'a name holds half a surrogate pair');
  return bytes;
}
