/**
 * Random requests to a device, many at a time, compared with a model of it. Each request has blocks
 * of its own while it is under way, so that it is certain what has to be there.
 */
import { RpcError } from '@ginit/core';
import type { BlockClient } from '@ginit/core/block';
import { expect } from 'vitest';
import { Random } from '../src/lib/random.ts';

/** How the requests are mixed. */
export interface MixOptions {
  readonly seed: number;
  readonly requests: number;
  readonly underWayMax?: number;
  readonly blocksMax?: number;
  /** Whether the device is only read. */
  readonly readOnly?: boolean;
  /** The codes with which a request may fail; a write that fails leaves anything in its blocks. */
  readonly mayFail?: readonly string[];
}

/** What was done. */
export interface MixResult {
  readonly failed: number;
  readonly compared: number;
}

/** The content of a device as far as it is known. */
export class DeviceModel {
  readonly #bytes: Uint8Array;
  /** Blocks that hold nobody knows what. */
  readonly #unknown: Set<number>;
  readonly blockSize: number;

  constructor(content: Uint8Array, blockSize: number) {
    this.#bytes = content;
    this.#unknown = new Set();
    this.blockSize = blockSize;
  }

  get blockCount(): number {
    return this.#bytes.byteLength / this.blockSize;
  }

  write(first: number, bytes: Uint8Array): void {
    this.#bytes.set(bytes, first * this.blockSize);
    for (let at = 0; at < bytes.byteLength / this.blockSize; at++) this.#unknown.delete(first + at);
  }

  forget(first: number, count: number): void {
    for (let at = first; at < first + count; at++) this.#unknown.add(at);
  }

  /** A copy of the content. */
  content(): Uint8Array {
    return this.#bytes.slice();
  }

  /** The number of blocks that were compared. */
  expectSame(first: number, bytes: Uint8Array, what = 'block'): number {
    let compared = 0;
    for (let at = 0; at < bytes.byteLength / this.blockSize; at++) {
      if (this.#unknown.has(first + at)) continue;
      const range = (from: number): [number, number] => [from * this.blockSize, (from + 1) * this.blockSize];
      const same = Buffer.compare(bytes.subarray(...range(at)), this.#bytes.subarray(...range(first + at)));
      expect(same, `${what} ${first + at}`).toBe(0);
      compared++;
    }
    return compared;
  }
}

/** Sends the requests, and compares the whole device at the end. */
export async function mixRequests(
  device: BlockClient,
  model: DeviceModel,
  options: MixOptions,
): Promise<MixResult> {
  const { seed, requests, underWayMax = 16, blocksMax = 8, readOnly = false, mayFail = [] } = options;
  const random = new Random(seed, 'mixed requests');
  const busy = new Set<number>();
  const result = { failed: 0, compared: 0 };
  let sent = 0;

  const survives = async (work: Promise<void>): Promise<boolean> => {
    try {
      await work;
      return true;
    } catch (error) {
      if (!(error instanceof RpcError) || !mayFail.includes(error.code)) throw error;
      result.failed++;
      return false;
    }
  };

  const write = async (first: number, count: number): Promise<void> => {
    const bytes = new Uint8Array(count * model.blockSize);
    for (let at = 0; at < bytes.length; at += 4) new DataView(bytes.buffer).setUint32(at, random.u32());
    model.forget(first, count);
    if (await survives(device.write(first, count, bytes))) model.write(first, bytes);
  };

  const writeZeroes = async (first: number, count: number): Promise<void> => {
    model.forget(first, count);
    if (await survives(device.writeZeroes(first, count)))
      model.write(first, new Uint8Array(count * model.blockSize));
  };

  const trim = async (first: number, count: number): Promise<void> => {
    model.forget(first, count);
    await survives(device.trim(first, count));
  };

  const read = async (first: number, count: number): Promise<void> => {
    const bytes = new Uint8Array(count * model.blockSize);
    if (await survives(device.read(first, count, bytes))) result.compared += model.expectSame(first, bytes);
  };

  const lane = async (): Promise<void> => {
    while (sent < requests) {
      sent++;
      if (random.once(12)) {
        await survives(device.sync());
        continue;
      }
      const count = random.below(blocksMax) + 1;
      const first = random.below(model.blockCount - count + 1);
      const blocks = Array.from({ length: count }, (_, at) => first + at);
      if (blocks.some((block) => busy.has(block))) continue;
      for (const block of blocks) busy.add(block);
      const kind = readOnly ? 9 : random.below(10);
      if (kind < 5) await write(first, count);
      else if (kind < 6) await writeZeroes(first, count);
      else if (kind < 7) await trim(first, count);
      else await read(first, count);
      for (const block of blocks) busy.delete(block);
    }
  };
  await Promise.all(Array.from({ length: underWayMax }, lane));

  const whole = new Uint8Array(model.blockCount * model.blockSize);
  for (let left = 100; !(await survives(device.read(0, model.blockCount, whole))); left--) {
    expect(left).toBeGreaterThan(0);
  }
  result.compared += model.expectSame(0, whole);
  return result;
}
