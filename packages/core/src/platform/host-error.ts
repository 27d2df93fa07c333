/** What went wrong with a file of the host, in words of ours. */
import { RpcError } from '../errors.ts';
import type { HostError, HostErrorCode } from '../runtime/host-access.ts';

/** Error codes of the system; anything else is an input/output error. */
const CODES: Readonly<Record<string, HostErrorCode>> = {
  ENOENT: 'NotFound',
  ENOTDIR: 'NotFound',
  EACCES: 'AccessDenied',
  EPERM: 'AccessDenied',
  EROFS: 'AccessDenied',
  EISDIR: 'Unsupported',
  ENOSPC: 'NoSpace',
  EDQUOT: 'NoSpace',
  EFBIG: 'NoSpace',
  EBADF: 'Closed',
};

/** The error of a component for an error of Node's; `path` is what it calls the file. */
export function hostError(error: unknown, path: string): HostError {
  const system: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  const code = (typeof system === 'string' ? CODES[system] : undefined) ?? 'InputOutput';
  return new RpcError(code, `file "${path}": ${code}${typeof system === 'string' ? ` (${system})` : ''}`);
}
