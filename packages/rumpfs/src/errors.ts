/**
 * The errors of a file system, as a closed set of words in the manner of errno. The server maps
 * them to the codes of the File_system interface; the message is for a log and names the structure
 * and its number.
 */
export type FsErrorCode =
  /** No entry of that name, or the directory was removed meanwhile. */
  | 'NotFound'
  | 'Exists'
  | 'NotDirectory'
  | 'IsDirectory'
  | 'NotEmpty'
  /** No free block or inode is left. */
  | 'NoSpace'
  /** The mount, the device or the format allows no writing. */
  | 'ReadOnly'
  /** The file is marked immutable or append-only. */
  | 'NotPermitted'
  | 'NameTooLong'
  | 'PathTooLong'
  /** An empty name, a dot name, or one with a slash or a zero byte in it. */
  | 'InvalidName'
  | 'InvalidArgument'
  | 'TooManyLinks'
  | 'FileTooLarge'
  | 'SymlinkLoop'
  /** Something on the device contradicts the format. */
  | 'Corrupt'
  /** The device failed. */
  | 'InputOutput'
  /** The format has this feature, but this implementation does not support it. */
  | 'NotSupported'
  /** The device holds no file system of the wanted kind. */
  | 'NoFileSystem'
  /** The memory budget is too small. */
  | 'NoMemory'
  /** The file system is in use, or a queue is full. */
  | 'Busy';

/** The only error that leaves this library on purpose. */
export class FsError extends Error {
  readonly code: FsErrorCode;

  constructor(code: FsErrorCode, message: string) {
    super(message);
    this.name = 'FsError';
    this.code = code;
  }
}

/** Checks an invariant of our own code. The contents of a device must never be able to break it. */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`rumpfs: broken invariant: ${what}`);
}

/** Reads an element that must exist. */
export function at(
  array: Float64Array | Uint32Array | Int32Array | Uint16Array | Uint8Array,
  index: number,
): number {
  const value = array[index];
  if (value === undefined) throw new Error(`rumpfs: broken invariant: index ${index} of ${array.length}`);
  return value;
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
