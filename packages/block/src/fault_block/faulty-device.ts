/**
 * A device with faults: requests are delayed, reordered, fail, are carried out in part or never
 * answered. Which ones these are follows from the seed and the order in which requests come.
 * There is one such device for each session, so that what is stuck ends with its session.
 */
import { type BlockBackend, blockError, type BlockInfo } from '@ginit/core/block';
import { type Deferred, deferred } from '@ginit/core/async';
import type { DeviceBelow } from '../lib/device-below.ts';
import type { FaultRequest } from './fault-trigger.ts';
import type { Fate, Faults } from './faults.ts';
import { SECTOR_BYTES, tornBlock } from './torn.ts';

/** The device of one session. */
export class FaultyDevice implements BlockBackend {
  readonly #device: DeviceBelow;
  readonly #faults: Faults;
  readonly #stuck = new Set<Deferred<void>>();
  #closing = false;

  constructor(device: DeviceBelow, faults: Faults) {
    this.#device = device;
    this.#faults = faults;
  }

  get info(): BlockInfo {
    return this.#device.info;
  }

  read(first: number, count: number, into: Uint8Array): Promise<void> {
    return this.#request({ operation: 'read', first, count }, () => this.#device.read(first, count, into));
  }

  write(first: number, count: number, from: Uint8Array): Promise<void> {
    return this.#request({ operation: 'write', first, count }, ({ tornShare }) =>
      tornShare === undefined
        ? this.#device.write(first, count, from)
        : this.#tear(first, count, from, tornShare),
    );
  }

  sync(): Promise<void> {
    return this.#request({ operation: 'sync', first: 0, count: 0 }, ({ lost }) =>
      lost ? undefined : this.#device.sync(),
    );
  }

  trim(first: number, count: number): Promise<void> {
    return this.#request({ operation: 'trim', first, count }, () => this.#device.trim(first, count));
  }

  writeZeroes(first: number, count: number): Promise<void> {
    return this.#request({ operation: 'zeroes', first, count }, () => this.#device.writeZeroes(first, count));
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#device.onInfoChanged?.(handler) ?? (() => {});
  }

  /** Ends what is stuck: the session is about to be closed. */
  release(): void {
    this.#closing = true;
    for (const { reject } of this.#stuck) reject(blockError('Gone'));
    this.#stuck.clear();
  }

  async #request(request: FaultRequest, perform: (fate: Fate) => void | Promise<void>): Promise<void> {
    const fate = this.#faults.fateOf(request);
    // A request that nothing holds up begins before the next one is looked at.
    const powerCut = this.#faults.powerCutBefore();
    if (powerCut) await powerCut;
    const gate = this.#faults.gate();
    if (gate) await gate;
    if (fate.delayMs > 0) await this.#faults.sleep(fate.delayMs);
    if (fate.error !== undefined) throw blockError(fate.error);
    if (fate.stuck) await this.#neverAnswered();
    await perform(fate);
  }

  async #neverAnswered(): Promise<void> {
    if (this.#closing) throw blockError('Gone');
    const stuck = deferred<void>();
    this.#stuck.add(stuck);
    try {
      await stuck.promise;
    } finally {
      this.#stuck.delete(stuck);
      this.#faults.unstuck();
    }
  }

  /** Writes the first `share` of the sectors, and fails. */
  async #tear(first: number, count: number, from: Uint8Array, share: number): Promise<void> {
    const { blockSize } = this.info;
    const perBlock = blockSize / SECTOR_BYTES;
    const sectors = Math.floor(share * count * perBlock);
    const whole = Math.floor(sectors / perBlock);
    if (whole > 0) await this.#device.write(first, whole, from.subarray(0, whole * blockSize));
    const rest = sectors - whole * perBlock;
    if (rest > 0) {
      const after = from.slice(whole * blockSize, (whole + 1) * blockSize);
      const torn = await tornBlock(this.#device, first + whole, after, rest);
      await this.#device.write(first + whole, 1, torn);
    }
    throw blockError('InputOutput');
  }
}
