/** The device below the sessions of a block server. */
import { RpcError } from '../../errors.ts';
import type { BlockErrorCode, BlockInfo } from './declaration.ts';

/**
 * A device as `serveBlock` uses it. Requests come checked: inside the device, with a payload of
 * exactly the right size, no writing if `info.writeable` is false. Many are under way at a time,
 * and each may end at any time: at once by returning, later by a promise. A failure is an
 * `RpcError` with a `BlockErrorCode`, which the client gets. Any other error is taken for a fault
 * of the server and ends it.
 *
 * `into` and `from` lie in memory shared with the client, which may change it at any time. They are
 * borrowed until the request ends.
 */
export interface BlockBackend {
  readonly info: BlockInfo;
  read(block: number, count: number, into: Uint8Array): void | Promise<void>;
  write(block: number, count: number, from: Uint8Array): void | Promise<void>;
  /** Settles when every write that had ended before the call is on stable storage. */
  sync(): void | Promise<void>;
  /**
   * A hint that the blocks are not needed any more. What they hold afterwards is undefined until
   * they are written.
   */
  trim(block: number, count: number): void | Promise<void>;
}

/** The error for a request that has failed. */
export function blockError(code: BlockErrorCode, message?: string): RpcError<BlockErrorCode> {
  return new RpcError(code, message);
}
