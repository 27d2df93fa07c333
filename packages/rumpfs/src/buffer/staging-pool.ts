import { Condition } from '@ginit/core/async';
import { WAITERS } from '../hypercall/waiters.ts';

/**
 * The contiguous areas through which several adjacent blocks go to or from the device in one
 * request. A write is copied into its area before it starts, so its buffers may change while it is
 * under way. The number of areas bounds how many such requests are in flight.
 */
export class StagingPool {
  readonly areaBytes: number;
  readonly #free: Uint8Array[] = [];
  readonly #returned = new Condition(WAITERS);
  #unmade: number;

  constructor(areaBytes: number, areaCount: number) {
    this.areaBytes = areaBytes;
    this.#unmade = areaCount;
  }

  /** Returns an area if one is free. It must be returned with `back`. */
  tryTake(): Uint8Array | undefined {
    const area = this.#free.pop();
    if (area !== undefined || this.#unmade === 0) return area;
    this.#unmade -= 1;
    return new Uint8Array(this.areaBytes);
  }

  /** Returns an area as soon as one is free. It must be returned with `back`. */
  async take(): Promise<Uint8Array> {
    for (;;) {
      const area = this.tryTake();
      if (area !== undefined) return area;
      await this.#returned.wait();
    }
  }

  back(area: Uint8Array): void {
    this.#free.push(area);
    this.#returned.wakeOne();
  }
}
