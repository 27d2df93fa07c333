/**
 * Names in file systems are bytes; ours are strings. Bytes that are valid UTF-8 become their characters; every other
 * byte becomes a lone surrogate from U+DC80 to U+DCFF, which no valid UTF-8 yields, so that each name has a string of
 * its own and can be reached by it (PEP 383, "surrogateescape"). Messages carry no lone surrogates: there such a name
 * goes as bytes.
 */
import { RpcError } from '../../errors.ts';
import { type FileSystemErrorCode, NAME_BYTES_MAX, type NameData, PATH_BYTES_MAX } from './declaration.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** With the flag `u`, halves of a pair are no match. */
const LONE_SURROGATE = /[\ud800-\udfff]/u;
const SLASH = 0x2f;

/** An error of the interface. */
export function fileSystemFailure(
  code: FileSystemErrorCode,
  message?: string,
): RpcError<FileSystemErrorCode> {
  return new RpcError(code, message);
}

/** The bytes of a name, path or target. `Invalid_name` at a surrogate that stands for no byte. */
export function encodeName(text: string): Uint8Array {
  if (!LONE_SURROGATE.test(text)) return encoder.encode(text);
  const bytes = new Uint8Array(text.length * 3);
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) bytes[length++] = code & 0xff;
    else if (code >= 0xd800 && code <= 0xdfff)
      throw fileSystemFailure('Invalid_name', 'half a surrogate pair');
    else length += encoder.encodeInto(character, bytes.subarray(length)).written;
  }
  return bytes.slice(0, length);
}

/** The string of a name, path or target. The bytes must not change meanwhile: copy what a peer shares. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return decodeEscaped(bytes);
  }
}

function decodeEscaped(bytes: Uint8Array): string {
  let text = '';
  let start = 0;
  for (let index = 0; index < bytes.length; ) {
    const length = sequenceLength(bytes, index);
    if (length > 0) {
      index += length;
      continue;
    }
    text += decoder.decode(bytes.subarray(start, index)) + String.fromCharCode(0xdc00 | (bytes[index] ?? 0));
    index += 1;
    start = index;
  }
  return text + decoder.decode(bytes.subarray(start));
}

/** Length of the valid UTF-8 sequence at `index` (Unicode 15, table 3-7); 0 if there is none. */
function sequenceLength(bytes: Uint8Array, index: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = bytes[index + 1] ?? 0;
  const lowest = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const highest = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < lowest || second > highest) return 0;
  for (let next = index + 2; next < index + length; next++) {
    if (((bytes[next] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  return length;
}

/** How a name, path or target goes into a message. */
export function toNameData(text: string): NameData {
  return LONE_SURROGATE.test(text) ? encodeName(text) : text;
}

/** What came in a message, as a string. */
export function fromNameData(data: NameData): string {
  return typeof data === 'string' ? data : decodeName(data);
}

/**
 * A name of one component out of a message. `Invalid_name` for an empty or dot name or one with a slash or zero byte,
 * `Name_too_long` beyond `NAME_BYTES_MAX`.
 */
export function checkedName(data: NameData): string {
  const bytes = typeof data === 'string' ? encodeName(data) : data;
  if (bytes.length > NAME_BYTES_MAX) throw fileSystemFailure('Name_too_long');
  const name = typeof data === 'string' ? data : decodeName(data);
  if (!validName(name, bytes)) throw fileSystemFailure('Invalid_name', 'not a name of one component');
  return name;
}

/** Whether a name may stand in a directory. */
export function validName(name: string, bytes: Uint8Array): boolean {
  return name !== '' && name !== '.' && name !== '..' && !bytes.includes(SLASH) && !bytes.includes(0);
}

/** An absolute path out of a message. `Invalid_name` or `Name_too_long`. */
export function checkedPath(data: NameData): string {
  const path = checkedTarget(data);
  if (!path.startsWith('/')) throw fileSystemFailure('Invalid_name', 'not an absolute path');
  return path;
}

/** The target of a symbolic link out of a message: any path. `Invalid_name` or `Name_too_long`. */
export function checkedTarget(data: NameData): string {
  const bytes = typeof data === 'string' ? encodeName(data) : data;
  if (bytes.length > PATH_BYTES_MAX) throw fileSystemFailure('Name_too_long');
  if (bytes.length === 0 || bytes.includes(0)) throw fileSystemFailure('Invalid_name', 'not a path');
  return typeof data === 'string' ? data : decodeName(data);
}

/** A path cut before its last component; `directory` says that it ended with a slash. */
export function splitPath(path: string): {
  readonly parent: string;
  readonly name: string;
  readonly directory: boolean;
} {
  let end = path.length;
  while (end > 0 && path[end - 1] === '/') end--;
  const slash = path.lastIndexOf('/', end - 1);
  const parent = slash <= 0 ? '/' : path.slice(0, slash);
  return { parent, name: path.slice(slash + 1, end), directory: end < path.length };
}
