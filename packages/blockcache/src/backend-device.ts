import type { BlockInfo } from '@ginit/core/block';

/** What the cache uses of the device below it: a `BlockClient` is one. */
export interface BackendDevice {
  readonly info: BlockInfo;
  /** The most blocks of one request. */
  readonly requestBlocksMax: number;
  /** Requests that wait for room in the stream to the device. */
  readonly waiting: number;
  /** Settles with what `use` makes of the blocks, which are valid only during its call. */
  readWith<Result>(first: number, count: number, use: (payload: Uint8Array) => Result): Promise<Result>;
  /** Writes what `fill` puts together, perhaps only later. */
  writeWith(first: number, count: number, fill: (payload: Uint8Array) => void): Promise<void>;
  sync(): Promise<void>;
  trim(first: number, count: number): Promise<void>;
}
