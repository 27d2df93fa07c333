/**
 * Names, paths and targets as File_system sessions have them: strings in the form of
 * `byte-text.ts`. Messages carry no lone surrogates: there a name that is not valid UTF-8 goes as
 * bytes.
 */
import { bytesOfText, hasLoneSurrogate, textOfBytes } from '../../byte-text.ts';
import { RpcError } from '../../errors.ts';
import { type FileSystemErrorCode, NAME_BYTES_MAX, type NameData, PATH_BYTES_MAX } from './declaration.ts';

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
  const bytes = bytesOfText(text);
  if (bytes === undefined) throw fileSystemFailure('Invalid_name', 'half a surrogate pair');
  return bytes;
}

/**
 * The string of a name, path or target. The bytes must not change meanwhile: copy what a peer
 * shares.
 */
export function decodeName(bytes: Uint8Array): string {
  return textOfBytes(bytes);
}

/** How a name, path or target goes into a message. */
export function toNameData(text: string): NameData {
  return hasLoneSurrogate(text) ? encodeName(text) : text;
}

/** The string of a name, path or target that came in a message. */
export function fromNameData(data: NameData): string {
  return typeof data === 'string' ? data : decodeName(data);
}

/**
 * A name of one component out of a message. `Invalid_name` for an empty or dot name or one with a
 * slash or zero byte, `Name_too_long` beyond `NAME_BYTES_MAX`.
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
