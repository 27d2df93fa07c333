/**
 * Cuts the power before every write and SYNC of a run that the device gets: afterwards each block
 * holds what the last SYNC had promised, or something that was written later. Between two SYNCs the
 * device keeps no order, and each sector by itself holds any of the writes since.
 */
import { hasCode } from '@ginit/core';
import { describe, expect, test } from 'vitest';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import { Random } from '../../simulator/src/order/random.ts';
import { BlockCache, type WriteMode } from '../src/block-cache.ts';
import type { CacheClient } from '../src/cache-client.ts';
import { CacheMemory } from '../src/cache-memory.ts';
import { ChunkStore } from '../src/chunk-store.ts';
import { CHUNK_BYTES, Geometry } from '../src/geometry.ts';
import { POLICY_NAMES } from '../src/policy/replacement-policy.ts';
import { BLOCK_BYTES, PowerDevice } from './power-device.ts';

const BLOCKS = 24 * 8 + 5;
const GRANULE = 2;
const CLIENTS = 2;
const MODES: readonly WriteMode[] = ['write-back', 'write-through', 'write-around'];
const SEEDS_USUAL = 2;

/** The bytes of a block in one version; version 0 is the zeros at the start. */
function contentOf(block: number, version: number): Uint8Array {
  const words = new Uint32Array(BLOCK_BYTES / 4);
  if (version > 0)
    for (const at of words.keys()) words[at] = Math.imul(block + 1, 77_003) + version * 7919 + at;
  return new Uint8Array(words.buffer);
}

/** A run of several clients on a cache. */
class Run {
  readonly device: PowerDevice;
  readonly #random: Random;
  readonly #cache: BlockCache;
  readonly #memory: CacheMemory<{ attach(): Uint8Array }>;
  readonly #clients: readonly CacheClient[];
  /**
   * Of each block: the newest version, the newest that was answered, and what a SYNC has promised.
   */
  readonly #newest = new Uint32Array(BLOCKS);
  readonly #answered = new Uint32Array(BLOCKS);
  readonly #promised = new Uint32Array(BLOCKS);
  readonly #busy = new Uint8Array(BLOCKS);

  constructor(seed: number, mode: WriteMode, cutBefore?: number) {
    this.#random = new Random(seed, 'work');
    this.device = new PowerDevice(BLOCKS, new Random(seed, 'device'), cutBefore);
    const policy = POLICY_NAMES[seed % POLICY_NAMES.length] ?? 'auto';
    const store = new ChunkStore(new Geometry(BLOCK_BYTES, BLOCKS), policy, GRANULE);
    this.#cache = new BlockCache({ device: this.device, store, mode });
    const allocate = async (bytes: number) => ({ attach: () => new Uint8Array(bytes) });
    this.#memory = new CacheMemory({ ram: { allocate, free: async () => {} } }, this.#cache, GRANULE);
    this.#clients = Array.from({ length: CLIENTS }, (_, index) => this.#cache.join(`${index}`));
  }

  /** Works until it is done or the power fails. */
  async work(steps: number): Promise<void> {
    await this.#memory.grow(4 * GRANULE * CHUNK_BYTES);
    const running: Promise<void>[] = [];
    for (let step = 0; step < steps && !this.device.off; step++) {
      running.push(this.#step().catch((error: unknown) => this.#expectNoPower(error)));
      if (this.#random.below(3) > 0)
        for (let turns = this.#random.below(12); turns > 0; turns--) await Promise.resolve();
      if (this.#random.below(10) === 0) await Promise.all(running);
    }
    await Promise.all(running);
  }

  /**
   * The power goes off, or is off. Says what is wrong with what the disk holds then; '' if nothing.
   */
  afterwards(seed: number): string {
    this.device.disk.powerCut(new Random(seed, 'cut'), false);
    const bytes = new Uint8Array(BLOCK_BYTES);
    for (let block = 0; block < BLOCKS; block++) {
      this.device.disk.read(bytes, block * BLOCK_BYTES);
      const [from = 0, to = 0] = [this.#promised[block], this.#newest[block]];
      let found = false;
      for (let version = from; version <= to && !found; version++) {
        found = Buffer.compare(bytes, contentOf(block, version)) === 0;
      }
      if (!found) return `block ${block} holds none of the versions ${from} to ${to}`;
    }
    return '';
  }

  #expectNoPower(error: unknown): void {
    if (!hasCode(error, 'PeerGone') || !this.device.off) throw error;
  }

  async #step(): Promise<void> {
    const client = this.#clients[this.#random.below(CLIENTS)];
    if (!client) return;
    const block = this.#random.below(BLOCKS);
    const count = Math.min(BLOCKS - block, 1 + this.#random.below(this.#random.below(4) === 0 ? 40 : 10));
    const kind = this.#random.below(20);
    if (kind < 11) return this.#write(client, block, count);
    if (kind < 15) return void (await client.read(block, count, new Uint8Array(count * BLOCK_BYTES)));
    if (kind < 17) return this.#sync(client);
    if (kind < 19) return this.#cache.tick();
    return this.#memory.resize((2 + this.#random.below(5)) * GRANULE * CHUNK_BYTES);
  }

  async #write(client: CacheClient, block: number, count: number): Promise<void> {
    // Writes of one block at the same time have no order.
    for (let at = block; at < block + count; at++) if (this.#busy[at] !== 0) return;
    const bytes = new Uint8Array(count * BLOCK_BYTES);
    const versions = new Uint32Array(count);
    for (let at = 0; at < count; at++) {
      versions[at] = (this.#newest[block + at] ?? 0) + 1;
      this.#newest[block + at] = versions[at] ?? 0;
      this.#busy[block + at] = 1;
      bytes.set(contentOf(block + at, versions[at] ?? 0), at * BLOCK_BYTES);
    }
    await client.write(block, count, bytes);
    this.#answered.set(versions, block);
    this.#busy.fill(0, block, block + count);
  }

  async #sync(client: CacheClient): Promise<void> {
    const covers = this.#answered.slice();
    await client.sync();
    for (const [block, version] of covers.entries()) {
      this.#promised[block] = Math.max(this.#promised[block] ?? 0, version);
    }
  }
}

/** The events of a run that nothing interrupts. */
async function eventsOf(seed: number, mode: WriteMode, steps: number): Promise<number> {
  const run = new Run(seed, mode);
  await run.work(steps);
  return run.device.events;
}

/** One power cut. */
async function cut(
  seed: number,
  mode: WriteMode,
  steps: number,
  before: number,
  draw: number,
): Promise<void> {
  const run = new Run(seed, mode, before);
  await run.work(steps);
  expect(run.afterwards(draw), `seed ${seed}, ${mode}, the power fails before event ${before}`).toBe('');
}

describe.each(MODES)('%s', (mode) => {
  test('short runs: the power fails before every event', { timeout: 300_000 }, async () => {
    let states = 0;
    for (let seed = 1; seed <= (leftOut(true) ? SEEDS_USUAL : 40); seed++) {
      const events = await eventsOf(seed, mode, 60);
      expect(events).toBeGreaterThan(8);
      for (let before = 0; before <= events; before++) {
        for (let draw = 0; draw < 3; draw++, states++) await cut(seed, mode, 60, before, draw);
      }
    }
    if (!leftOut(true)) console.log(`${mode}, short runs: ${states} states`);
    expect(states).toBeGreaterThan(100);
  });

  test('long runs: the power fails before some events', { timeout: 1_800_000 }, async (context) => {
    skipIfLong(context);
    let states = 0;
    for (let seed = 1000; seed < 1040; seed++) {
      const events = await eventsOf(seed, mode, 1500);
      const chosen = new Random(seed, 'choice');
      for (let index = 0; index < 25; index++, states++)
        await cut(seed, mode, 1500, chosen.below(events + 1), index);
    }
    console.log(`${mode}, long runs: ${states} states`);
  });
});

test('a cache that forgets a write, or to pass on a SYNC, would be found', async () => {
  const broken = async (breakIt: (device: PowerDevice) => void): Promise<string[]> => {
    const found: string[] = [];
    for (let seed = 1; seed <= 6; seed++) {
      const run = new Run(seed, 'write-back');
      breakIt(run.device);
      await run.work(60);
      found.push(run.afterwards(seed));
    }
    return found.filter((problem) => problem !== '');
  };
  expect(await broken(() => {})).toEqual([]);
  expect((await broken((device) => (device.sync = async () => {}))).length).toBeGreaterThan(0);
  let writes = 0;
  const forgetful = (device: PowerDevice): void => {
    const write = device.writeWith.bind(device);
    device.writeWith = (first, count, fill) =>
      ++writes % 7 === 0
        ? Promise.resolve(fill(new Uint8Array(count * BLOCK_BYTES)))
        : write(first, count, fill);
  };
  expect((await broken(forgetful)).length).toBeGreaterThan(0);
});
