/**
 * Errors as those of Node's `fs`: `code`, `errno` (the negative number that Linux has for it),
 * `syscall`, `path` and `dest`, with the texts of libuv. What the file system itself says of it is
 * the `cause`.
 */
import { type FailureCode, failureCode } from './failure.ts';

/** Numbers and texts by names of errors. */
const ERRORS = {
  EPERM: [1, 'operation not permitted'],
  ENOENT: [2, 'no such file or directory'],
  EIO: [5, 'i/o error'],
  EBADF: [9, 'bad file descriptor'],
  ENOMEM: [12, 'not enough memory'],
  EACCES: [13, 'permission denied'],
  EBUSY: [16, 'resource busy or locked'],
  EEXIST: [17, 'file already exists'],
  ENODEV: [19, 'no such device'],
  ENOTDIR: [20, 'not a directory'],
  EISDIR: [21, 'illegal operation on a directory'],
  EINVAL: [22, 'invalid argument'],
  EMFILE: [24, 'too many open files'],
  EFBIG: [27, 'file too large'],
  ENOSPC: [28, 'no space left on device'],
  EROFS: [30, 'read-only file system'],
  EMLINK: [31, 'too many links'],
  ENAMETOOLONG: [36, 'name too long'],
  ENOTEMPTY: [39, 'directory not empty'],
  ELOOP: [40, 'too many symbolic links encountered'],
  ENOTSUP: [95, 'operation not supported on socket'],
  EUCLEAN: [117, 'structure needs cleaning'],
} as const;

/** The name of an error of the system. */
export type ErrorName = keyof typeof ERRORS;

const NAMES: Readonly<Record<FailureCode, ErrorName>> = {
  NotFound: 'ENOENT',
  Exists: 'EEXIST',
  NotDirectory: 'ENOTDIR',
  IsDirectory: 'EISDIR',
  NotEmpty: 'ENOTEMPTY',
  NoSpace: 'ENOSPC',
  ReadOnly: 'EROFS',
  NotPermitted: 'EPERM',
  NameTooLong: 'ENAMETOOLONG',
  PathTooLong: 'ENAMETOOLONG',
  InvalidName: 'EINVAL',
  InvalidArgument: 'EINVAL',
  TooManyLinks: 'EMLINK',
  FileTooLarge: 'EFBIG',
  SymlinkLoop: 'ELOOP',
  Corrupt: 'EUCLEAN',
  InputOutput: 'EIO',
  NotSupported: 'ENOTSUP',
  NoFileSystem: 'EUCLEAN',
  NoMemory: 'ENOMEM',
  Busy: 'EBUSY',
  BadHandle: 'EBADF',
  TooManyOpen: 'EMFILE',
  Unmounted: 'ENODEV',
};

/** What was asked for when an error came up. */
export interface Attempt {
  readonly syscall: string;
  readonly path?: string | undefined;
  readonly dest?: string | undefined;
}

/** An error with the fields of Node's. */
export class NodeError extends Error {
  readonly errno: number;
  readonly code: ErrorName;
  readonly syscall: string;
  readonly path?: string;
  readonly dest?: string;

  constructor(code: ErrorName, { syscall, path, dest }: Attempt, cause?: unknown) {
    const [number, text] = ERRORS[code];
    const from = path === undefined ? '' : ` '${path}'`;
    const to = dest === undefined ? '' : ` -> '${dest}'`;
    super(`${code}: ${text}, ${syscall}${from}${to}`, cause === undefined ? {} : { cause });
    this.errno = -number;
    this.code = code;
    this.syscall = syscall;
    if (path !== undefined) this.path = path;
    if (dest !== undefined) this.dest = dest;
  }
}

/** The error for something that was thrown. A mistake of ours stays as it is. */
export function nodeError(error: unknown, attempt: Attempt): unknown {
  const code = failureCode(error);
  return code === undefined ? error : new NodeError(NAMES[code], attempt, error);
}

/** Carries something out; an error of it tells what was asked for. */
export async function attempting<Result>(attempt: Attempt, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw nodeError(error, attempt);
  }
}

/** An error about arguments, with the code that Node has for it. */
export function argumentError(code: string, message: string): TypeError {
  return Object.assign(new TypeError(message), { code });
}

/** Whether something was thrown for this reason. */
export function isNodeError(error: unknown, code: ErrorName): error is NodeError {
  return error instanceof NodeError && error.code === code;
}
