/** The errors of a File_system session as those of Linux. */
import { RpcError } from '@ginit/core';
import type { FileSystemErrorCode } from '@ginit/core/file_system';
import { ERRNO, NinePError } from './wire.ts';

const OF_FILE_SYSTEM: Readonly<Record<FileSystemErrorCode, number>> = {
  Invalid_handle: ERRNO.badHandle,
  Invalid_name: ERRNO.invalid,
  Lookup_failed: ERRNO.notFound,
  Node_already_exists: ERRNO.exists,
  Not_empty: ERRNO.notEmpty,
  Not_a_directory: ERRNO.notADirectory,
  Is_a_directory: ERRNO.isADirectory,
  No_space: ERRNO.noSpace,
  Permission_denied: ERRNO.accessDenied,
  Unavailable: ERRNO.stale,
  Unsupported: ERRNO.notSupported,
  Too_many_links: ERRNO.tooManyLinks,
  Size_limit_reached: ERRNO.tooLarge,
  Out_of_node_handles: ERRNO.tooManyFiles,
  Out_of_ram: ERRNO.noMemory,
  Out_of_caps: ERRNO.noMemory,
  Input_output: ERRNO.inputOutput,
  Corrupt: ERRNO.inputOutput,
  Name_too_long: ERRNO.nameTooLong,
  Invalid_argument: ERRNO.invalid,
  Is_a_symlink: ERRNO.tooManySymlinks,
  Too_many_symlinks: ERRNO.tooManySymlinks,
  Busy: ERRNO.busy,
  Cross_device: ERRNO.crossDevice,
};
const OF_FILE_SYSTEM_BY_CODE = new Map<string, number>(Object.entries(OF_FILE_SYSTEM));

/** The number for an error that the client may have caused. Throws any other again. */
export function errnoOf(error: unknown): number {
  if (error instanceof NinePError) return error.errno;
  if (!(error instanceof RpcError)) throw error;
  if (error.code === 'LimitExceeded') return ERRNO.tryAgain;
  return OF_FILE_SYSTEM_BY_CODE.get(error.code) ?? ERRNO.inputOutput;
}
