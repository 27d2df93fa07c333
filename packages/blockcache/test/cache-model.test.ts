/**
 * Tests the cache against a model, over a device that begins and ends requests in any order and
 * fails some of them. A read returns the latest write. A SYNC that succeeds has brought everything
 * that was answered before it to the medium. Errors reach only requests for a bad block. Nothing
 * hangs, and when the device works again nothing is lost.
 */
import { RpcError } from '@ginit/core';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../test/property-runs.ts';
import { BlockCache, type WriteMode } from '../src/block-cache.ts';
import type { CacheClient } from '../src/cache-client.ts';
import { CacheMemory } from '../src/cache-memory.ts';
import { ChunkStore } from '../src/chunk-store.ts';
import { CHUNK_BYTES, Geometry } from '../src/geometry.ts';
import { POLICY_NAMES, type PolicyName } from '../src/policy/replacement-policy.ts';
import { BLOCK_BYTES, FakeDevice } from './fake-device.ts';

const BLOCKS = 40 * 8 + 3;
const GRANULE = 4;
/** The size at the start. */
const GRANULES = 4;
const CLIENTS = 3;

const block = fc.nat(BLOCKS - 1);
const count = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 9 }) },
  fc.integer({ min: 1, max: 64 }),
);
const operation = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant('write' as const), block, count }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant('read' as const), block, count }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('sync' as const), block, count }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('trim' as const), block, count }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('zeroes' as const), block, count }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('resize' as const), block, count }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('tick' as const), block, count }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('break' as const), block, count }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('mend' as const), block, count }) },
);
type Step = typeof operation extends fc.Arbitrary<infer T> ? T : never;

/**
 * The model of one block: the values written to it, and the version that must at least be on the
 * medium.
 */
class BlockModel {
  /** The newest version that was written. Version 0 is the zeros at the start. */
  newest = 0;
  /** The versions that are zeros. */
  readonly zeros = new Set([0]);
  /** The newest version that was answered. */
  answered = 0;
  /** The medium must have this version or a newer one. */
  floor = 0;
  /** Anything may be read until the next write is answered. */
  undefinedContent = false;
  /** Anything may be on the medium: the block was discarded since the last SYNC. */
  undefinedMedium = false;
  writing = false;
  /** Who has written it last, unless it was made zeros. */
  writer: CacheClient | undefined;
  trims = 0;
  trimsEver = 0;
}

const patternOf = (number: number, version: number): Uint8Array => {
  const words = new Uint32Array(BLOCK_BYTES / 4);
  for (const index of words.keys()) words[index] = number * 1_000_003 + version * 7919 + index;
  return new Uint8Array(words.buffer);
};

/** Memory that is spoilt when it has been given back. */
class PlainMemory {
  readonly #bytes: Uint8Array;

  constructor(bytes: number) {
    this.#bytes = new Uint8Array(bytes);
  }

  attach(): Uint8Array {
    return this.#bytes;
  }

  spoil(): void {
    this.#bytes.fill(0xdd);
  }
}

/** The quota suffices always. */
const SOURCE = {
  ram: {
    allocate: async (bytes: number) => new PlainMemory(bytes),
    free: async (memory: PlainMemory) => memory.spoil(),
  },
};

class World {
  readonly device: FakeDevice;
  readonly cache: BlockCache;
  readonly memory: CacheMemory<PlainMemory>;
  readonly clients: readonly CacheClient[];
  turn = 0;
  readonly models = Array.from({ length: BLOCKS }, () => new BlockModel());
  readonly running: Promise<void>[] = [];
  readonly mode: WriteMode;
  errors = 0;

  constructor(mode: WriteMode, requestBlocksMax: number, policy: PolicyName) {
    this.mode = mode;
    this.device = new FakeDevice(BLOCKS, requestBlocksMax);
    const store = new ChunkStore(new Geometry(BLOCK_BYTES, BLOCKS), policy, GRANULE);
    this.cache = new BlockCache({ device: this.device, store, mode });
    this.memory = new CacheMemory(SOURCE, this.cache, GRANULE);
    this.clients = Array.from({ length: CLIENTS }, (_, index) => this.cache.join(`client ${index}`));
  }

  /** The clients take turns. */
  nextClient(): CacheClient {
    const client = this.clients[this.turn++ % CLIENTS];
    if (!client) throw new Error('there are clients');
    return client;
  }

  do(step: Step): void {
    const to = Math.min(BLOCKS, step.block + step.count);
    const numbers = Array.from({ length: to - step.block }, (_, at) => step.block + at);
    switch (step.type) {
      case 'read':
        return this.start(() => this.read(numbers));
      case 'write':
        // Writes of the same block at the same time have no order: no client does that.
        if (numbers.every((number) => this.free(number))) this.start(() => this.write(numbers));
        return;
      case 'trim':
        if (numbers.every((number) => this.free(number))) this.start(() => this.trim(numbers));
        return;
      case 'zeroes':
        if (numbers.every((number) => this.free(number))) this.start(() => this.writeZeroes(numbers));
        return;
      case 'sync':
        return this.start(() => this.sync());
      case 'resize':
        return this.start(() => this.memory.resize((1 + (step.count % 6)) * GRANULE * CHUNK_BYTES));
      case 'tick':
        return this.cache.tick();
      case 'break':
        this.device.badWrites.add(step.block);
        if (step.count > 4) this.device.badReads.add(step.block);
        if (step.count > 32) this.device.syncFails = true;
        return;
      case 'mend':
        return this.mend();
    }
  }

  mend(): void {
    this.device.badWrites.clear();
    this.device.badReads.clear();
    this.device.syncFails = false;
  }

  free(number: number): boolean {
    const model = this.model(number);
    return !model.writing && model.trims === 0;
  }

  model(number: number): BlockModel {
    const model = this.models[number];
    if (!model) throw new Error('no such block');
    return model;
  }

  start(work: () => Promise<void>): void {
    const running = work();
    // The result is checked in `finish`.
    running.catch(() => {});
    this.running.push(running);
  }

  async read(numbers: readonly number[]): Promise<void> {
    const before = numbers.map((number) => ({ ...this.model(number) }));
    const bytes = new Uint8Array(numbers.length * BLOCK_BYTES);
    const bad = numbers.some((number) => this.device.badReads.has(number));
    try {
      await this.nextClient().read(numbers[0] ?? 0, numbers.length, bytes);
    } catch (error) {
      this.expectDeviceError(error);
      expect(bad || numbers.some((number) => this.everBad.has(number)), 'a good read failed').toBe(true);
      return;
    }
    for (const [index, number] of numbers.entries()) {
      const old = before[index];
      const now = this.model(number);
      if (!old || old.undefinedContent || now.undefinedContent || old.trims > 0 || now.trims > 0) continue;
      const content = bytes.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
      let found = false;
      for (let version = old.answered; version <= now.newest; version++)
        found ||= this.isVersion(content, number, version);
      expect(found, `block ${number} has none of the versions ${old.answered} to ${now.newest}`).toBe(true);
    }
  }

  isVersion(bytes: Uint8Array, number: number, version: number): boolean {
    const zeros = this.model(number).zeros.has(version);
    return Buffer.compare(bytes, zeros ? new Uint8Array(BLOCK_BYTES) : patternOf(number, version)) === 0;
  }

  readonly everBad = new Set<number>();

  async write(numbers: readonly number[]): Promise<void> {
    const bytes = new Uint8Array(numbers.length * BLOCK_BYTES);
    const client = this.nextClient();
    const versions = numbers.map((number, index) => {
      const model = this.model(number);
      model.writing = true;
      model.writer = client;
      model.newest++;
      bytes.set(patternOf(number, model.newest), index * BLOCK_BYTES);
      return model.newest;
    });
    await this.finishWrite(numbers, versions, client.write(numbers[0] ?? 0, numbers.length, bytes));
    // The memory belongs to the client again, which may overwrite it.
    bytes.fill(0x99);
  }

  async writeZeroes(numbers: readonly number[]): Promise<void> {
    const versions = numbers.map((number) => {
      const model = this.model(number);
      model.writing = true;
      model.writer = undefined;
      model.newest++;
      model.zeros.add(model.newest);
      return model.newest;
    });
    await this.finishWrite(numbers, versions, this.cache.writeZeroes(numbers[0] ?? 0, numbers.length));
  }

  async finishWrite(
    numbers: readonly number[],
    versions: readonly number[],
    write: void | Promise<void>,
  ): Promise<void> {
    let failed = false;
    try {
      await write;
    } catch (error) {
      this.expectDeviceError(error);
      failed = true;
    }
    for (const [index, number] of numbers.entries()) {
      const model = this.model(number);
      model.writing = false;
      // A write that failed may be there or not, or in part.
      if (!failed) {
        model.answered = versions[index] ?? 0;
        model.undefinedContent = false;
        if (this.mode !== 'write-back') this.checkWritten(number);
      }
    }
  }

  /**
   * Checks that, with write-through, the device has every write that was answered; it need not be
   * on the medium.
   */
  checkWritten(number: number): void {
    const content = this.device.content.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
    expect(
      this.isVersion(content, number, this.model(number).answered),
      `block ${number} is not written`,
    ).toBe(true);
  }

  async trim(numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      const model = this.model(number);
      model.trims++;
      model.trimsEver++;
      model.undefinedContent = true;
      model.undefinedMedium = true;
    }
    try {
      await this.cache.trim(numbers[0] ?? 0, numbers.length);
    } catch (error) {
      this.expectDeviceError(error);
    }
    for (const number of numbers) this.model(number).trims--;
  }

  async sync(client = this.nextClient()): Promise<void> {
    // A SYNC that succeeds may have left out what others have written and the device did not take.
    const answered = this.models.map(({ writer, answered: version, floor }) =>
      writer === client || writer === undefined || this.everBad.size === 0 ? version : floor,
    );
    const trims = this.models.map((model) => (model.undefinedContent ? -1 : model.trimsEver));
    try {
      await client.sync();
    } catch (error) {
      this.expectDeviceError(error);
      return;
    }
    for (const [number, model] of this.models.entries()) {
      model.floor = Math.max(model.floor, answered[number] ?? 0);
      if (trims[number] === model.trimsEver) model.undefinedMedium = false;
    }
    this.checkMedium();
  }

  /** Checks that a crash now would leave at least the versions that the last SYNC covered. */
  checkMedium(): void {
    for (const [number, model] of this.models.entries()) {
      if (model.undefinedMedium) continue;
      const content = this.device.durable.subarray(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES);
      let found = false;
      for (let version = model.floor; version <= model.newest; version++)
        found ||= this.isVersion(content, number, version);
      expect(found, `the medium has no version from ${model.floor} on of block ${number}`).toBe(true);
    }
  }

  expectDeviceError(error: unknown): void {
    if (!(error instanceof RpcError) || error.code !== 'InputOutput') throw error;
    this.errors++;
    for (const set of [this.device.badReads, this.device.badWrites])
      for (const bad of set) this.everBad.add(bad);
  }

  /** Lets the device work until every request has ended. */
  async finish(): Promise<void> {
    const state = { open: this.running.length };
    for (const promise of this.running) void promise.catch(() => {}).then(() => state.open--);
    for (let turns = 0; state.open > 0; turns++) {
      if (turns > 20_000) throw new Error(`${state.open} requests never end`);
      this.device.step(0);
      await new Promise((done) => setImmediate(done));
    }
    await Promise.all(this.running.splice(0));
    await this.device.drain();
  }
}

describe.each<WriteMode>(['write-back', 'write-through', 'write-around'])('%s', (mode) => {
  test.each([16, 64])(
    'reads see writes, syncs last, errors hit only whom they concern (requests of %i blocks)',
    async (requestBlocksMax) => {
      const steps = fc.array(
        fc.record({ operation, device: fc.array(fc.nat(1000), { maxLength: 12 }), leak: fc.option(block) }),
        { minLength: 20, maxLength: 150 },
      );
      await fc.assert(
        fc.asyncProperty(steps, fc.constantFrom(...POLICY_NAMES), async (chosen, policy) => {
          const world = new World(mode, requestBlocksMax, policy);
          await world.memory.grow(GRANULES * GRANULE * CHUNK_BYTES);
          for (const { operation: step, device, leak } of chosen) {
            if (step.type === 'break') world.everBad.add(step.block);
            world.do(step);
            for (const choice of device) {
              world.device.step(choice);
              if (choice % 3 === 0) await new Promise((done) => setImmediate(done));
            }
            if (leak !== null) world.device.leak(leak);
            if (step.block % 16 === 0) world.checkMedium();
          }
          await world.finish();
          world.checkMedium();
          // The device works again: no write that was answered is lost.
          world.mend();
          world.everBad.clear();
          // Each client hears of what had failed before; after that there is nothing to tell.
          for (const client of world.clients) world.start(() => world.sync(client));
          await world.finish();
          const errors = world.errors;
          for (const client of world.clients) world.start(() => world.sync(client));
          world.start(() => world.sync());
          world.start(() => world.read(Array.from({ length: BLOCKS }, (_, at) => at)));
          await world.finish();
          expect(world.errors).toBe(errors);
          expect(world.cache.statistics.dirty).toBe(0);
          for (const [number, model] of world.models.entries()) {
            if (model.undefinedContent) continue;
            const at = number * BLOCK_BYTES;
            const content = world.device.durable.subarray(at, at + BLOCK_BYTES);
            const versions = Array.from(
              { length: model.newest - model.answered + 1 },
              (_, index) => model.answered + index,
            );
            expect(versions.some((version) => world.isVersion(content, number, version))).toBe(true);
          }
        }),
        { numRuns: propertyRuns(30) },
      );
    },
  );
});
