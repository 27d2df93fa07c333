/** Errors of the host in our own words. */
import { RpcError } from '../../errors.ts';
import type { HostError, HostErrorCode } from '../../runtime/host-access.ts';

/** Our codes for error codes of the system. Any other is an input/output error. */
const CODES: Readonly<Record<string, HostErrorCode>> = {
  ENOENT: 'NotFound',
  ENOTDIR: 'NotFound',
  EACCES: 'AccessDenied',
  EPERM: 'AccessDenied',
  EROFS: 'AccessDenied',
  ENOSPC: 'NoSpace',
  EDQUOT: 'NoSpace',
  EFBIG: 'NoSpace',
  EBADF: 'Closed',
  EEXIST: 'Exists',
  ENOTEMPTY: 'NotEmpty',
  // There is a link where none is followed.
  ELOOP: 'Escapes',
  EADDRINUSE: 'InUse',
  ECONNREFUSED: 'Unreachable',
  ETIMEDOUT: 'Unreachable',
  EHOSTUNREACH: 'Unreachable',
  ENETUNREACH: 'Unreachable',
  EADDRNOTAVAIL: 'Unreachable',
  ENOTFOUND: 'Unreachable',
  EAI_AGAIN: 'Unreachable',
  EMFILE: 'LimitExceeded',
  ENFILE: 'LimitExceeded',
};

/**
 * The error that a component gets for an error of Node's. `path` is the component's name for the
 * thing.
 */
export function hostError(error: unknown, path: string, what = 'file'): HostError {
  const system: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined;
  if (system === 'EISDIR') return new RpcError('Unsupported', `${what} "${path}" is a directory`);
  const code = (typeof system === 'string' ? CODES[system] : undefined) ?? 'InputOutput';
  return new RpcError(code, `${what} "${path}": ${code}${typeof system === 'string' ? ` (${system})` : ''}`);
}
