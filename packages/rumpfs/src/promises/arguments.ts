/** The arguments of `fs.promises`, in the forms that Node takes. */
import { argumentError } from './node-error.ts';

/** A path. Relative ones begin at the root. */
export type PathLike = string | Uint8Array | URL;
/** A time: seconds since 1970, also as a text, or a date. */
export type TimeLike = number | string | Date;
/** A mode: a number, or a text of octal digits. */
export type Mode = number | string;
/** Data that can be written at once. */
export type Writeable = string | ArrayBufferView;
/** Data that can be written, or come piece by piece. */
export type WriteableData = Writeable | Iterable<Writeable> | AsyncIterable<Writeable>;

/** The path as a text. */
export function pathText(path: PathLike, name = 'path'): string {
  const text = textOf(path, name);
  if (!text.includes('\0')) return text;
  const problem = 'must be a string, Uint8Array, or URL without null bytes';
  throw argumentError('ERR_INVALID_ARG_VALUE', `The argument '${name}' ${problem}`);
}

function textOf(path: PathLike, name: string): string {
  if (typeof path === 'string') return path;
  if (path instanceof Uint8Array) return Buffer.from(path).toString();
  if (path instanceof URL) {
    if (path.protocol === 'file:') return decodeURIComponent(path.pathname);
    throw argumentError('ERR_INVALID_URL_SCHEME', 'The URL must be of scheme file');
  }
  const problem = 'must be of type string or an instance of Buffer or URL';
  throw argumentError('ERR_INVALID_ARG_TYPE', `The "${name}" argument ${problem}`);
}

/** The time in milliseconds. */
export function timeMs(time: TimeLike): number {
  // To the microsecond: a number of seconds is no more exact than that.
  const ms = time instanceof Date ? time.getTime() : Math.round(Number(time) * 1e6) / 1e3;
  if (Number.isFinite(ms)) return ms;
  throw argumentError('ERR_INVALID_ARG_TYPE', 'The "time" argument must be a number, a string or a Date');
}

/** The mode as a number. */
export function modeNumber(mode: Mode | null | undefined, fallback: number): number {
  if (mode === undefined || mode === null) return fallback;
  const number =
    typeof mode === 'number' ? mode : /^[0-7]+$/.test(mode) ? Number.parseInt(mode, 8) : Number.NaN;
  if (Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff) return number;
  throw argumentError(
    'ERR_INVALID_ARG_VALUE',
    `The argument 'mode' must be a 32-bit unsigned integer or an octal string`,
  );
}

/** The bytes of data that is written at once; those of a view are not copied. */
export function bytesOf(data: Writeable, encoding: BufferEncoding = 'utf8'): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data, encoding);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const problem = 'must be of type string or an instance of Buffer, TypedArray, or DataView';
  throw argumentError('ERR_INVALID_ARG_TYPE', `The "data" argument ${problem}`);
}

/** Whether data is written at once. */
export function isWriteable(data: WriteableData): data is Writeable {
  return typeof data === 'string' || ArrayBuffer.isView(data);
}

/** A Buffer of these bytes, which are not copied. */
export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Bytes as a Buffer, or as a text in an encoding. */
export function decoded(bytes: Uint8Array, encoding: BufferEncoding | null | undefined): Buffer | string {
  const buffer = bufferOf(bytes);
  return encoding ? buffer.toString(encoding) : buffer;
}

/** The option `encoding` of options, or of a word in their place. */
export function encodingOf<Encoding>(
  options: Encoding | { readonly encoding?: Encoding | null | undefined } | null | undefined,
): Encoding | null | undefined {
  if (typeof options !== 'object' || options === null) return options;
  return 'encoding' in options ? options.encoding : undefined;
}

/** A path with a name behind it. */
export function joined(directory: string, name: string): string {
  return directory.endsWith('/') || directory === '' ? `${directory}${name}` : `${directory}/${name}`;
}

/** The directory in which the last name of a path stands, and that name. */
export function splitPath(path: string): { readonly directory: string; readonly name: string } {
  const names = path.replace(/\/+$/, '');
  const at = names.lastIndexOf('/');
  return { directory: at <= 0 ? '/' : names.slice(0, at), name: names.slice(at + 1) };
}

/** A path from the root, without `.` and `..` and doubled slashes. */
export function normalPath(path: string): string {
  const way: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') way.pop();
    else if (name !== '' && name !== '.') way.push(name);
  }
  return `/${way.join('/')}`;
}
