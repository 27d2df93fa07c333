import type { BlockInfo } from '@ginit/core/block';

/**
 * The device under a component that stands between it and its clients: a `BlockBackend` that takes
 * every request, as a `BlockClient` is.
 */
export interface DeviceBelow {
  readonly info: BlockInfo;
  read(block: number, count: number, into: Uint8Array): void | Promise<void>;
  write(block: number, count: number, from: Uint8Array): void | Promise<void>;
  sync(): void | Promise<void>;
  trim(block: number, count: number): void | Promise<void>;
  writeZeroes(block: number, count: number): void | Promise<void>;
  onInfoChanged?(handler: () => void): () => void;
}
