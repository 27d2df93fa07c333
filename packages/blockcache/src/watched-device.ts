import { hasCode } from '@ginit/core';
import { type BlockInfo } from '@ginit/core/block';
import type { BackendDevice } from './backend-device.ts';

/** A device that tells, once, when its server is gone, but not that it has been closed. */
export class WatchedDevice implements BackendDevice {
  readonly info: BlockInfo;
  readonly requestBlocksMax: number;
  readonly #device: BackendDevice;
  readonly #onGone: () => void;
  readonly #look = (error: unknown): never => {
    if (hasCode(error, 'PeerGone') && !this.#gone && !this.#closing) {
      this.#gone = true;
      this.#onGone();
    }
    throw error;
  };
  #gone = false;
  #closing = false;

  constructor(device: BackendDevice, onGone: () => void) {
    this.info = device.info;
    this.requestBlocksMax = device.requestBlocksMax;
    this.#device = device;
    this.#onGone = onGone;
  }

  get gone(): boolean {
    return this.#gone;
  }

  get waiting(): number {
    return this.#device.waiting;
  }

  /**
   * The session to the device is about to be closed. That ends the requests under way, such as
   * reads ahead, as the end of the server does.
   */
  closing(): void {
    this.#closing = true;
  }

  readWith<Result>(first: number, count: number, use: (payload: Uint8Array) => Result): Promise<Result> {
    return this.#device.readWith(first, count, use).catch(this.#look);
  }

  writeWith(first: number, count: number, fill: (payload: Uint8Array) => void): Promise<void> {
    return this.#device.writeWith(first, count, fill).catch(this.#look);
  }

  sync(): Promise<void> {
    return this.#device.sync().catch(this.#look);
  }

  trim(first: number, count: number): Promise<void> {
    return this.#device.trim(first, count).catch(this.#look);
  }

  writeZeroes(first: number, count: number): Promise<void> {
    return this.#device.writeZeroes(first, count).catch(this.#look);
  }
}
