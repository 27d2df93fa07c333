/**
 * Ring carriers against a peer that writes whatever it likes into their memory: the channel ends,
 * and nothing else.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import { wordsAt } from '../src/memory/place.ts';
import { ringFrom, markClosed } from '../src/platform/wire/channel-memory.ts';
import type { RingMemory } from '../src/platform/wire/byte-ring.ts';
import { pattern, type RingSide, ringPair, settle } from './ring-pair.ts';

const TAIL = 0;
const HEAD = 16;
const RING = 1024;

interface Scene {
  /** The ring that the hostile end writes, and the one that it reads. */
  readonly writes: RingMemory;
  readonly reads: RingMemory;
  readonly victim: RingSide;
  readonly hostile: RingSide;
}

function scene(): Scene {
  const { memory, sides } = ringPair(RING);
  return { writes: ringFrom(memory, 0), reads: ringFrom(memory, 1), hostile: sides[0], victim: sides[1] };
}

/** Puts words into the ring and moves its tail. */
function forge({ writes }: Scene, words: readonly number[], tail: number): void {
  for (const [index, word] of words.entries()) writes.words[index] = word;
  Atomics.store(writes.control, TAIL, tail);
}

function expectEnded({ victim }: Scene): void {
  victim.carrier.drain();
  victim.carrier.drain();
  expect(victim.closed).toBe(1);
  victim.carrier.send(pattern(10, 1), []);
  expect(victim.carrier.waitingFrames).toBe(0);
}

describe('what a reader finds in its ring', () => {
  test.each<[string, number]>([
    ['beyond the ring', RING + 8],
    ['negative', -8],
    ['not aligned', 12],
    ['far away', 0x7fff_fff8],
  ])('a tail that is %s', (_, tail) => {
    const made = scene();
    Atomics.store(made.writes.control, TAIL, tail);
    expectEnded(made);
    expect(made.victim.received).toEqual([]);
  });

  test.each<[string, readonly number[], number]>([
    ['longer than what was written', [64, 2], 32],
    ['longer than the ring', [RING * 2, 2], RING],
    ['of a length that overflows', [0xffff_fff8, 2], 64],
    ['of a length just below 2^31', [0x7fff_fff8, 2], 64],
    ['of an unknown kind', [8, 9], 16],
    ['of a negative kind', [8, -2], 16],
    ['that promises memory and sends none', [8, 3], 16],
    ['a filler beyond what was written', [512, 0], 64],
  ])('a record %s', (_, words, tail) => {
    const made = scene();
    forge(made, words, tail);
    expectEnded(made);
  });

  test('a record that claims to go on past the end of the ring closes the channel', () => {
    const made = scene();
    made.hostile.carrier.send(pattern(240, 1), []);
    settle([made.hostile, made.victim]);
    // The next record starts at 248 and claims to go on past the end of the ring.
    made.writes.words[62] = RING - 248;
    made.writes.words[63] = 2;
    Atomics.store(made.writes.control, TAIL, 248 + 8 + RING - 248);
    expectEnded(made);
    expect(made.victim.received).toHaveLength(1);
  });

  test('a ring of nothing but fillers, again and again, has no effect', () => {
    const made = scene();
    for (let round = 0; round < 1000; round++) {
      made.writes.words.fill(0);
      Atomics.add(made.writes.control, TAIL, RING);
      made.victim.carrier.drain();
    }
    expect(made.victim.closed).toBe(0);
    expect(made.victim.received).toEqual([]);
  });

  test('a frame that never ends closes the channel', () => {
    const made = scene();
    const part = RING - 8;
    let taken = 0;
    for (; made.victim.closed === 0 && taken < LIMITS.messageBytes * 2; taken += part) {
      made.writes.words[0] = part;
      made.writes.words[1] = 1;
      Atomics.add(made.writes.control, TAIL, RING);
      made.victim.carrier.drain();
    }
    expectEnded(made);
    expect(taken).toBeLessThan(LIMITS.messageBytes + 128 * 1024);
  });

  test.each<[string, unknown]>([
    ['no list', 7],
    ['a list of something else', [new ArrayBuffer(8)]],
    ['too much', Array.from({ length: 65 }, () => ({ buffer: new SharedArrayBuffer(8) }))],
  ])('memory that is %s', (_, message) => {
    const made = scene();
    made.hostile.port.postMessage(message, []);
    forge(made, [8, 3], 16);
    expectEnded(made);
  });
});

describe('what a writer finds in its ring', () => {
  test.each<[string, number]>([
    ['ahead of the tail', 4096],
    ['behind what it was', -8],
    ['not aligned', 4],
  ])('a head that is %s', (_, head) => {
    const made = scene();
    Atomics.store(made.reads.control, HEAD, head);
    for (let index = 0; index < 100; index++) made.victim.carrier.send(pattern(100, index), []);
    expectEnded(made);
  });

  test('a reader that never reads: waiting frames are bounded, and then the channel ends', () => {
    const made = scene();
    const large = new Uint8Array(8 * 1024 * 1024);
    const enough = LIMITS.ringWaitingBytes / large.byteLength + 1;
    for (let sent = 0; sent < enough; sent++) made.victim.carrier.send(large, []);
    expectEnded(made);
  });

  test('a reader that reads everything and never says so harms only itself', () => {
    const made = scene();
    for (let index = 0; index < 100; index++) made.victim.carrier.send(pattern(100, index), []);
    Atomics.store(made.reads.control, 1, 0);
    for (let round = 0; round < 100; round++) made.victim.carrier.drain();
    expect(made.victim.closed).toBe(0);
    expect(made.victim.carrier.waitingFrames).toBeGreaterThan(0);
  });
});

test('random garbage all over the memory neither throws nor hangs, nor reaches another channel', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ at: fc.nat(), value: fc.integer() }), { maxLength: 40 }),
      fc.array(fc.nat(700), { maxLength: 20 }),
      (scribbles, sends) => {
        const { memory, sides } = ringPair(RING);
        const other = ringPair(RING);
        const words = wordsAt(memory);
        for (const [index, { at, value }] of scribbles.entries()) {
          // Control words more often than payload.
          words[index % 2 === 0 ? at % 80 : at % words.length] = value;
          const length = sends[index % Math.max(1, sends.length)] ?? 0;
          sides[1].carrier.send(pattern(length, index), []);
          sides[1].carrier.drain();
          other.sides[0].carrier.send(pattern(length, index), []);
        }
        expect(sides[1].closed).toBeLessThanOrEqual(1);
        settle(other.sides);
        expect(other.sides[1].received.length).toBe(scribbles.length);
      },
    ),
    { numRuns: 500 },
  );
});

test('a peer that says it is closed is not heard any more', () => {
  const { memory, sides } = ringPair(RING);
  markClosed(memory, 0);
  sides[0].carrier.send(pattern(10, 1), []);
  settle(sides);
  sides[0].carrier.send(pattern(10, 2), []);
  settle(sides);
  expect(sides[1].received).toHaveLength(1);
  expect(sides[1].closed).toBe(1);
});
