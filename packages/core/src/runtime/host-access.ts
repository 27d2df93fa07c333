/**
 * What a driver sees of the host: the things its start node grants, each by the name the config gives it. The
 * platform implements this; a driver itself imports nothing of Node, so the simulator only swaps the platform.
 */
import type { RpcError } from '../errors.ts';

/** Why the host refused. */
export type HostErrorCode =
  | 'NotGranted'
  | 'NotFound'
  /** Another program, or another component, writes to it. */
  | 'InUse'
  | 'AccessDenied'
  | 'NoSpace'
  | 'InputOutput'
  | 'Unsupported'
  | 'Closed';

/** An error of the host, worded without its paths beyond what the config itself says. */
export type HostError = RpcError<HostErrorCode>;

/**
 * An open file. Many operations may be under way; they complete in any order. Those on memory of a dataspace that its owner
 * takes back meanwhile are completed in the old memory; on one that is gone they reject with `Revoked`.
 */
export interface HostFile {
  readonly writeable: boolean;
  /** Size when it was opened, in bytes; for block devices the capacity. */
  readonly sizeBytes: number;
  /** Reads exactly `into.byteLength` bytes at `position`; rejects with `InputOutput` at the end of the file. */
  read(into: Uint8Array, position: number): Promise<void>;
  /** Writes all of `from` at `position`. */
  write(from: Uint8Array, position: number): Promise<void>;
  /** Everything written before is on stable storage when this settles. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The granted part of the host. */
export interface HostAccess {
  /** Opens a granted file by the path that the config spells. Rejects with `HostError`. */
  openFile(path: string, access: 'ro' | 'rw'): Promise<HostFile>;
}
