/**
 * Two processes hammer one ring, and either is killed at any time: what the other one has read is
 * whole and in order, it hears of the death and is not stuck, and the ring serves the next process.
 * Nothing is left of the dead.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SharedMemory } from 'sharedarraybuffer-polyfill';
import { describe, expect, test } from 'vitest';
import { holdings, holdingsAfter, skipReason } from '../../sharedarraybuffer-polyfill/test/observe.ts';
import type { Place } from '../src/memory/place.ts';
import {
  CHANNEL_BYTES,
  type ChannelEnd,
  markClosed,
  otherEnd,
  RING_BYTES,
  ringFrom,
} from '../src/platform/wire/channel-memory.ts';
import { Bell, DOORBELL_BYTES, resetDoorbell } from '../src/platform/wire/doorbell.ts';

const PROGRAM = fileURLToPath(new URL('./ring-process.mjs', import.meta.url));
const LIBRARY = new URL('../dist/platform', import.meta.url).href;

/** More are had by GINIT_RING_KILLS=1000 npm test -- ring-killed, which takes some minutes. */
const KILLS = Number(process.env['GINIT_RING_KILLS'] ?? 80);
/** The number of rings that run side by side, each with two processes. */
const RINGS = 3;
const SLOT = 7;
/** An end is killed before so much has gone one way, mostly. */
const KILLED_WITHIN_BYTES = 64 * 1024;
const LOOKS_MAX = 30;

/** Small rings: they are full and go round all the time, and most frames go in parts. */
const SMALL_CHANNEL_BYTES = CHANNEL_BYTES - 2 * RING_BYTES + 2 * 512;
const LAYOUT = {
  slot: SLOT,
  sizeBytes: 8192,
  doorbells: [
    { at: 0, bytes: DOORBELL_BYTES },
    { at: 512, bytes: DOORBELL_BYTES },
  ],
  censuses: [
    { at: 1024, bytes: 4 },
    { at: 1088, bytes: 4 },
  ],
  channel: { at: 2048, bytes: SMALL_CHANNEL_BYTES },
} as const;

/** The report of one end when a life of the ring is over. */
interface Over {
  readonly sent: number;
  readonly received: number;
  readonly error?: string;
}

/** The end of a life, as told by a process. */
function overOf(process: ChildProcess): Promise<Over> {
  return new Promise((resolve) => {
    const take = (message: { readonly over?: Over }): void => {
      if (!message.over) return;
      process.off('message', take);
      resolve(message.over);
    };
    process.on('message', take);
  });
}

const ENDS: readonly [ChannelEnd, ChannelEnd] = [0, 1];

/** A ring, and the processes at its ends. */
class Ring {
  received = 0;
  readonly #memory = SharedMemory.create(LAYOUT.sizeBytes);
  readonly #processes: [ChildProcess, ChildProcess];

  constructor() {
    for (const end of ENDS) this.#resetDoorbell(end);
    this.#processes = [this.#start(0), this.#start(1)];
  }

  /**
   * One life of the ring: ends when one of its ends has been killed and the other one has noticed.
   */
  async life(): Promise<void> {
    const victim = ENDS[Math.random() < 0.5 ? 0 : 1];
    const survivor = this.#processes[otherEnd(victim)];
    const over = overOf(survivor);
    for (const process of this.#processes)
      process.send({ seed: Date.now() >>> 0, park: Math.random() < 0.5 });
    await this.#sent(Math.random() * KILLED_WITHIN_BYTES);
    await this.#kill(this.#processes[victim]);
    this.#announceDeath(victim);
    const { received, error } = await over;
    expect(error).toBe(undefined);
    this.received += received;
    new Uint8Array(
      this.#memory.buffer,
      this.#memory.byteOffset + LAYOUT.channel.at,
      SMALL_CHANNEL_BYTES,
    ).fill(0);
    this.#resetDoorbell(victim);
    this.#processes[victim] = this.#start(victim);
    // Some are killed before they have come so far.
    if (Math.random() < 0.8) await once(this.#processes[victim], 'message');
  }

  /** So much has gone through the ring, or some time has passed: not all processes are up. */
  async #sent(bytes: number): Promise<void> {
    const { control } = ringFrom(this.#place(LAYOUT.channel), 0);
    for (let looks = 0; looks < LOOKS_MAX && Atomics.load(control, 0) < bytes; looks++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.#processes.map((process) => this.#kill(process)));
    this.#memory.close();
  }

  async #kill(process: ChildProcess): Promise<void> {
    const exited = once(process, 'exit');
    expect(process.exitCode).toBe(null);
    process.kill('SIGKILL');
    await exited;
    if (process.connected) await once(process, 'disconnect');
  }

  /** Does as the supervisor does when a process has ended. */
  #announceDeath(victim: ChannelEnd): void {
    markClosed(this.#place(LAYOUT.channel), victim);
    const bell = (end: ChannelEnd): Bell =>
      new Bell(this.#place(LAYOUT.doorbells[end]), this.#place(LAYOUT.censuses[end]), true);
    bell(victim).ownerGone();
    bell(otherEnd(victim)).ringSurely(SLOT);
  }

  #resetDoorbell(end: ChannelEnd): void {
    resetDoorbell(this.#place(LAYOUT.doorbells[end]), this.#place(LAYOUT.censuses[end]));
  }

  #place({ at, bytes }: { readonly at: number; readonly bytes: number }): Place {
    const { buffer, byteOffset } = this.#memory;
    return { buffer, byteOffset: byteOffset + at, byteLength: bytes };
  }

  #start(end: ChannelEnd): ChildProcess {
    return spawn(process.execPath, [PROGRAM, LIBRARY, String(end), JSON.stringify(LAYOUT)], {
      stdio: ['ignore', 'inherit', 'inherit', this.#memory.descriptor, 'ipc'],
    });
  }
}

describe.skipIf(skipReason)(`two processes on one ring (${skipReason ?? 'shared memory works here'})`, () => {
  test(`${KILLS} times kill -9 of either`, async () => {
    const keep = SharedMemory.create(LAYOUT.sizeBytes);
    const before = holdings();
    let received = 0;
    const lane = async (): Promise<void> => {
      const ring = new Ring();
      for (let kills = Math.ceil(KILLS / RINGS); kills > 0; kills--) await ring.life();
      received += ring.received;
      await ring.end();
    };
    await Promise.all(Array.from({ length: RINGS }, lane));
    console.log(`${received} frames were read`);
    expect(received).toBeGreaterThan(KILLS);
    expect(holdingsAfter(before)).toEqual(before);
    keep.close();
  }, 600_000);
});
