import type { BlockInfo } from '@ginit/core/block';

/** The device below the cache, as the cache uses it: a `BlockClient` is one. */
export interface BackendDevice {
  readonly info: BlockInfo;
  /** The largest number of blocks in one request. */
  readonly requestBlocksMax: number;
  /** The number of requests that wait for room in the stream to the device. */
  readonly waiting: number;
  /**
   * Reads blocks and calls `use` with them. Settles with the result of `use`. The blocks are valid
   * only during that call.
   */
  readWith<Result>(first: number, count: number, use: (payload: Uint8Array) => Result): Promise<Result>;
  /** Writes the payload that `fill` puts together, perhaps only later. */
  writeWith(first: number, count: number, fill: (payload: Uint8Array) => void): Promise<void>;
  sync(): Promise<void>;
  trim(first: number, count: number): Promise<void>;
  writeZeroes(first: number, count: number): Promise<void>;
}
