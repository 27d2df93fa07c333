import { PeerGone, RpcError } from '@ginit/core';
import { FILE_SYSTEM_ERRORS, type FileSystemErrorCode } from '@ginit/core/file_system';

/** Error numbers of Linux that are answered here. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  ENOMEM: 12,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EFBIG: 27,
  ENOSPC: 28,
  EMLINK: 31,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EUCLEAN: 117,
} as const;

const NUMBERS: Readonly<Record<FileSystemErrorCode, number>> = {
  Invalid_handle: ERRNO.EBADF,
  Invalid_name: ERRNO.EINVAL,
  Lookup_failed: ERRNO.ENOENT,
  Node_already_exists: ERRNO.EEXIST,
  Not_empty: ERRNO.ENOTEMPTY,
  Not_a_directory: ERRNO.ENOTDIR,
  Is_a_directory: ERRNO.EISDIR,
  No_space: ERRNO.ENOSPC,
  Permission_denied: ERRNO.EPERM,
  Unavailable: ERRNO.ESTALE,
  // ENOSYS would have the kernel never ask again.
  Unsupported: ERRNO.EOPNOTSUPP,
  Too_many_links: ERRNO.EMLINK,
  Size_limit_reached: ERRNO.EFBIG,
  Out_of_node_handles: ERRNO.ENFILE,
  Out_of_ram: ERRNO.ENOMEM,
  Out_of_caps: ERRNO.ENOMEM,
  Input_output: ERRNO.EIO,
  Corrupt: ERRNO.EUCLEAN,
  Name_too_long: ERRNO.ENAMETOOLONG,
  Invalid_argument: ERRNO.EINVAL,
  Is_a_symlink: ERRNO.ELOOP,
  Too_many_symlinks: ERRNO.ELOOP,
  Busy: ERRNO.EBUSY,
  Cross_device: ERRNO.EXDEV,
};

/** A refusal of ours, by the number that the kernel gets. */
export class Refused extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`refused with ${errno}`);
    this.errno = errno;
  }
}

/** The number for an error; undefined if nobody meant to throw it. */
export function errnoOf(error: unknown): number | undefined {
  if (error instanceof Refused) return error.errno;
  if (error instanceof PeerGone) return ERRNO.EIO;
  if (!(error instanceof RpcError)) return undefined;
  if (error.code === 'LimitExceeded') return ERRNO.ENOMEM;
  const code = FILE_SYSTEM_ERRORS.find((known) => known === error.code);
  return code && NUMBERS[code];
}
