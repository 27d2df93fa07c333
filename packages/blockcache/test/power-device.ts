import { PeerGone } from '@ginit/core';
import type { BlockInfo } from '@ginit/core/block';
import { SimulatedDisk } from '../../simulator/src/disk/simulated-disk.ts';
import type { Random } from '../../simulator/src/order/random.ts';
import type { BackendDevice } from '../src/backend-device.ts';

export const BLOCK_BYTES = 512;

/**
 * A device on the simulator's disk whose power fails before a certain event: a write, a SYNC or a
 * TRIM. Its requests take a random number of turns. Without power every request fails.
 */
export class PowerDevice implements BackendDevice {
  readonly info: BlockInfo;
  readonly requestBlocksMax: number;
  readonly waiting = 0;
  readonly disk: SimulatedDisk;
  /** The number of events that have begun. */
  events = 0;
  readonly #random: Random;
  readonly #cutBefore: number;
  #off = false;

  constructor(blockCount: number, random: Random, cutBefore = Infinity, requestBlocksMax = 32) {
    this.info = { blockSize: BLOCK_BYTES, blockCount, alignLog2: 12, writeable: true };
    this.requestBlocksMax = requestBlocksMax;
    this.disk = new SimulatedDisk(new Uint8Array(blockCount * BLOCK_BYTES));
    this.#random = random;
    this.#cutBefore = cutBefore;
  }

  /** Whether the power has failed. */
  get off(): boolean {
    return this.#off;
  }

  async readWith<Result>(
    first: number,
    count: number,
    use: (payload: Uint8Array) => Result,
  ): Promise<Result> {
    await this.#turns();
    const payload = new Uint8Array(count * BLOCK_BYTES);
    this.disk.read(payload, first * BLOCK_BYTES);
    await this.#turns();
    return use(payload);
  }

  async writeWith(first: number, count: number, fill: (payload: Uint8Array) => void): Promise<void> {
    const payload = new Uint8Array(count * BLOCK_BYTES);
    fill(payload);
    await this.#turns();
    this.#event();
    this.disk.write(payload, first * BLOCK_BYTES);
    await this.#turns();
  }

  async sync(): Promise<void> {
    const { mark } = this.disk;
    await this.#turns();
    this.#event();
    this.disk.sync(mark);
    await this.#turns();
  }

  async trim(first: number, count: number): Promise<void> {
    await this.writeZeroes(first, count);
  }

  async writeZeroes(first: number, count: number): Promise<void> {
    await this.#turns();
    this.#event();
    this.disk.write(new Uint8Array(count * BLOCK_BYTES), first * BLOCK_BYTES);
    await this.#turns();
  }

  #event(): void {
    if (this.events >= this.#cutBefore) this.#off = true;
    this.#checkPower();
    this.events++;
  }

  async #turns(): Promise<void> {
    for (let left = this.#random.below(4); left > 0; left--) await Promise.resolve();
    this.#checkPower();
  }

  #checkPower(): void {
    if (this.#off) throw new PeerGone('there is no power');
  }
}
