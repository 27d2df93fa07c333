/** The errors of files. */
import { RpcError } from '@ginit/core';
import type { FileSystemErrorCode } from '@ginit/core/file_system';

/** An error that a client of the file system sees by this code. */
export function fileSystemFailure(code: FileSystemErrorCode, message?: string): RpcError {
  return new RpcError(code, message);
}
