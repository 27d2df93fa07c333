/** The errors of files. */
import { RpcError } from '@ginit/core';
import { FILE_SYSTEM_ERRORS, type FileSystemErrorCode } from '@ginit/core/file_system';

/** An error that a client of the file system sees by this code. */
export function fileSystemFailure(code: FileSystemErrorCode, message?: string): RpcError {
  return new RpcError(code, message);
}

/** Errors of sessions to other servers, as errors of files. */
const OTHERS: Readonly<Record<string, FileSystemErrorCode>> = {
  PeerGone: 'Input_output',
  Revoked: 'Input_output',
  LimitExceeded: 'Busy',
  OUT_OF_RAM: 'No_space',
  OUT_OF_CAPS: 'Out_of_caps',
  Invalid: 'Input_output',
  InputOutput: 'Input_output',
  OutOfRange: 'No_space',
  ReadOnly: 'Permission_denied',
  NoSpace: 'No_space',
  Gone: 'Input_output',
};

/** The code for an error of a session, be it one of files or of another server. */
export function codeOf(error: unknown): FileSystemErrorCode | undefined {
  if (!(error instanceof RpcError)) return undefined;
  return FILE_SYSTEM_ERRORS.find((code) => code === error.code) ?? OTHERS[error.code];
}
