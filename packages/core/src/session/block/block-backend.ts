/** The device below the sessions of a block server. */
import { RpcError } from '../../errors.ts';
import type { BlockErrorCode, BlockInfo } from './declaration.ts';

/**
 * The request is taken. It has been carried out if there is nothing more to wait for; otherwise it
 * ends with the promise. A promise that rejects with a `blockError` tells the client why the
 * request has failed.
 */
export type Accepted = void | Promise<void>;

/** The request cannot be carried out, and the client is told why. Made by `rejected`. */
export interface Rejected {
  readonly rejected: BlockErrorCode;
}

/**
 * The request cannot be taken now. It stays first in line, the session's requests behind it wait,
 * and it is offered again when one of the session's requests has ended or the backend calls its
 * `onReady` handlers.
 */
export const RETRY: unique symbol = Symbol('retry');

/**
 * What a backend says to a request that it is offered. A server never takes a request that it could
 * not answer: `serveBlock` keeps a slot for each acknowledgement.
 *
 * | answer   | how a backend gives it                                                           |
 * |----------|----------------------------------------------------------------------------------|
 * | accepted | returns nothing (carried out at once) or a promise: an `async` method just works |
 * | rejected | returns `rejected('NoSpace')`, or throws `blockError('NoSpace')`                 |
 * | retry    | returns `RETRY`                                                                  |
 */
export type BlockAnswer = Accepted | Rejected | typeof RETRY;

/**
 * A device as `serveBlock` uses it. Requests come checked: inside the device, with a payload of
 * exactly the right size, no writing if `info.writeable` is false. Many are under way at a time,
 * and each may end at any time. Any error but an `RpcError` is taken for a fault of the server and
 * ends it. A `BlockClient` is such a device, too.
 *
 * `into` and `from` lie in memory shared with the client, which may change it at any time. They are
 * borrowed until the request ends.
 */
export interface BlockBackend {
  /** The device as it is now. Only `blockCount` and `writeable` may change. */
  readonly info: BlockInfo;
  read(block: number, count: number, into: Uint8Array): BlockAnswer;
  write(block: number, count: number, from: Uint8Array): BlockAnswer;
  /** Ends when every write that had ended before the call is on stable storage. */
  sync(): BlockAnswer;
  /**
   * A hint that the blocks are not needed any more. What they hold afterwards is undefined until
   * they are written.
   */
  trim(block: number, count: number): BlockAnswer;
  /**
   * Afterwards the blocks read as zeros. A backend that has nothing better writes them by
   * `writeZeroesByWriting`.
   */
  writeZeroes(block: number, count: number): BlockAnswer;
  /**
   * Has `handler` called whenever `info` has changed. The result ends that. A backend without it
   * never changes.
   */
  onInfoChanged?(handler: () => void): () => void;
  /**
   * Has `handler` called when a request that was answered by `RETRY` may be taken. The result ends
   * that. A backend without it answers `RETRY` only while a request of the same session is under
   * way.
   */
  onReady?(handler: () => void): () => void;
}

const REJECTED: Readonly<Record<BlockErrorCode, Rejected>> = {
  InputOutput: { rejected: 'InputOutput' },
  OutOfRange: { rejected: 'OutOfRange' },
  ReadOnly: { rejected: 'ReadOnly' },
  NoSpace: { rejected: 'NoSpace' },
  Invalid: { rejected: 'Invalid' },
  Gone: { rejected: 'Gone' },
};

/** The answer "rejected": the request cannot be carried out, for this reason. */
export function rejected(code: BlockErrorCode): Rejected {
  return REJECTED[code];
}

/** The error for a request that has failed. */
export function blockError(code: BlockErrorCode, message?: string): RpcError<BlockErrorCode> {
  return new RpcError(code, message);
}
