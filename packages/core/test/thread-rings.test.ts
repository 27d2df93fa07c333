/** Rings between real threads: every byte of every frame is checked, in both directions at once. */
import { MessageChannel } from 'node:worker_threads';
import { afterAll, afterEach, expect, test } from 'vitest';
import { channelMemory } from '../src/platform/wire/channel-memory.ts';
import { censusMemory, doorbellMemory } from '../src/platform/wire/doorbell.ts';
import { ThreadWorkers } from './thread-workers.ts';

const workers = new ThreadWorkers();
afterEach(() => workers.end());
afterAll(() => workers[Symbol.dispose]());

interface Case {
  readonly name: string;
  readonly channels: number;
  readonly frames: number;
  readonly window: number;
  readonly wordsMax: number;
  readonly ringBytes: number;
  readonly live: readonly [boolean, boolean];
}

const CASES: readonly Case[] = [
  {
    name: 'short and long frames, rings mostly with room',
    channels: 1,
    frames: 400_000,
    window: 60,
    wordsMax: 500,
    ringBytes: 65_536,
    live: [false, false],
  },
  {
    name: 'rings that are always full, frames in parts',
    channels: 1,
    frames: 100_000,
    window: 200,
    wordsMax: 3000,
    ringBytes: 1024,
    live: [false, false],
  },
  {
    name: 'one live end, one that parks',
    channels: 1,
    frames: 100_000,
    window: 20,
    wordsMax: 500,
    ringBytes: 4096,
    live: [true, false],
  },
  {
    name: 'two live ends',
    channels: 1,
    frames: 100_000,
    window: 20,
    wordsMax: 500,
    ringBytes: 4096,
    live: [true, true],
  },
  {
    name: '1500 channels, more than a doorbell has slots',
    channels: 1500,
    frames: 100,
    window: 10,
    wordsMax: 200,
    ringBytes: 512,
    live: [false, false],
  },
];

test.each(CASES)('$name', async ({ channels, live, ...parameters }) => {
  const census = censusMemory();
  const doorbells = [doorbellMemory(census), doorbellMemory(census)] as const;
  const made = Array.from({ length: channels }, (_, slot) => {
    const { port1, port2 } = new MessageChannel();
    return { slot, memory: channelMemory(parameters.ringBytes), ports: [port1, port2] as const };
  });
  const end = (own: 0 | 1): Promise<unknown> => {
    const other = own === 0 ? 1 : 0;
    const rings = made.map(({ slot, memory, ports }) => ({
      ring: { end: own, memory, peerSlot: slot % 1024 },
      port: ports[own],
      slot: slot % 1024,
      peerDoorbell: doorbells[other],
    }));
    const data = { ...parameters, live: live[own], seed: own + 7, census, doorbell: doorbells[own], rings };
    return workers.run(
      'traffic',
      data,
      made.map(({ ports }) => ports[own]),
    );
  };
  for (const result of await Promise.all([end(0), end(1)])) {
    expect(result).toMatchObject({ received: parameters.frames });
    const waited: unknown = Reflect.get(Object(result), 'waited');
    // A test of full rings must have seen some.
    if (parameters.ringBytes === 1024) expect(waited).toBeGreaterThan(1000);
  }
});
