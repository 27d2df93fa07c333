/**
 * Doorbells, within one thread: bits, the states of their owner, and the census of who is awake.
 */
import { describe, expect, test } from 'vitest';
import { skipReason } from '../../sharedarraybuffer-polyfill/test/observe.ts';
import { type Place, wordsAt } from '../src/memory/place.ts';
import {
  Bell,
  censusMemory,
  CPUS,
  Doorbell,
  doorbellMemory,
  Sleep,
  SLOTS,
} from '../src/platform/wire/doorbell.ts';

interface Made {
  readonly memory: Place;
  readonly censusPlace: Place;
  readonly words: Int32Array;
  readonly doorbell: Doorbell;
  readonly bell: Bell;
  readonly census: () => number;
}

function make(): Made {
  const census = censusMemory();
  const memory = doorbellMemory(census);
  const words = wordsAt(memory);
  return {
    memory,
    censusPlace: census,
    words,
    doorbell: new Doorbell(memory, census),
    bell: new Bell(memory, census),
    census: () => wordsAt(census)[0] ?? 0,
  };
}

function taken(doorbell: Doorbell): number[] {
  const slots: number[] = [];
  doorbell.take((slot) => slots.push(slot));
  return slots.toSorted((a, b) => a - b);
}

describe('bits', () => {
  test('say which slots were rung, once', () => {
    const { doorbell, bell } = make();
    const slots = [0, 1, 31, 32, 63, 64, 500, 992, SLOTS - 1];
    for (const slot of [...slots, ...slots]) bell.ring(slot);
    expect(doorbell.rung).toBe(true);
    expect(taken(doorbell)).toEqual(slots);
    expect(taken(doorbell)).toEqual([]);
    expect(doorbell.rung).toBe(false);
  });

  test('work for every slot there is', () => {
    const { doorbell, bell } = make();
    const all = Array.from({ length: SLOTS }, (_, slot) => slot);
    for (const slot of all) bell.ringPort(slot);
    expect(taken(doorbell)).toEqual(all);
  });

  test('that are set during a visit are found by the next look', () => {
    const { doorbell, bell } = make();
    bell.ring(3);
    doorbell.take(() => bell.ring(3));
    expect(taken(doorbell)).toEqual([3]);
  });
});

describe('sleeping', () => {
  test('is refused when somebody has rung', async () => {
    const { doorbell, bell, census } = make();
    bell.ring(1);
    expect(doorbell.park(1000)).toBe(true);
    expect(doorbell.wait()).toBeUndefined();
    expect(census()).toBe(1);
  });

  test('in the park ends when its time is over', () => {
    const { doorbell, census } = make();
    expect(doorbell.park(1)).toBe(false);
    expect(census()).toBe(1);
  });

  test('with a live loop ends by a ring', async () => {
    const { doorbell, bell, census } = make();
    const rung = doorbell.wait();
    expect(census()).toBe(0);
    bell.ringPort(4);
    // A port wakes a live loop by itself.
    expect(census()).toBe(0);
    bell.ring(5);
    await rung;
    expect(census()).toBe(1);
    expect(taken(doorbell)).toEqual([4, 5]);
  });

  test('rings at the end of the turn are one ring', async () => {
    const { doorbell, bell, words } = make();
    const rung = doorbell.wait();
    bell.ringSoon(4);
    bell.ringSoon(5);
    expect(words[0]).toBe(Sleep.waiting);
    await Promise.resolve();
    expect(words[0]).toBe(Sleep.awake);
    await rung;
    expect(taken(doorbell)).toEqual([4, 5]);
  });

  test('ends before the turn does if it goes on for long, where the owner has a CPU meanwhile', async () => {
    const { doorbell, bell, words } = make();
    const rung = doorbell.wait();
    bell.hurry();
    expect(words[0]).toBe(Sleep.waiting);
    bell.ringSoon(4);
    bell.hurry();
    expect(words[0]).toBe(CPUS > 1 ? Sleep.awake : Sleep.waiting);
    await rung;
    expect(taken(doorbell)).toEqual([4]);
  });

  test('ends by whoever reports the death of a waker that was killed before it had woken the owner', async () => {
    const { doorbell, bell, words } = make();
    const rung = doorbell.wait();
    words[0] = Sleep.awake;
    let over = false;
    void rung?.then(() => {
      over = true;
    });
    bell.ring(6);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(over).toBe(false);
    bell.ringSurely(6);
    await rung;
    expect(taken(doorbell)).toEqual([6]);
  });

  test('ends by the owner itself if others have scribbled on its doorbell', async () => {
    const { doorbell, bell, words } = make();
    const rung = doorbell.wait();
    words.fill(-1);
    bell.ring(7);
    doorbell.nudge();
    await rung;
    expect(taken(doorbell)).toHaveLength(SLOTS);
    expect(doorbell.park(1)).toBe(false);
  });
});

describe('the census', () => {
  test('counts threads that are awake, and none that are gone', () => {
    const { doorbell, bell, census } = make();
    expect(census()).toBe(1);
    void doorbell.wait();
    expect(census()).toBe(0);
    bell.ownerGone();
    bell.ring(1);
    expect(census()).toBe(0);
    const other = make();
    other.bell.ownerGone();
    other.bell.ownerGone();
    other.bell.ring(1);
    expect(other.census()).toBe(0);
  });
});

describe('a ringer in another process', () => {
  test('does not wake an owner that knows of no peers in other processes yet, but its work is found later', async () => {
    const { words, doorbell, census, memory, censusPlace } = make();
    const abroad = new Bell(memory, censusPlace, true);
    const woken = doorbell.wait();
    expect(words[0]).toBe(Sleep.waiting);
    abroad.ring(9);
    // Whoever can wake it still finds it asleep.
    expect(words[0]).toBe(Sleep.waiting);
    doorbell.bell.ring(3);
    await woken;
    expect(taken(doorbell)).toEqual([3, 9]);
    expect(census()).toBe(1);
  });

  test('wakes an owner that knows of it, and counts that as awake', async ({ skip }) => {
    skip(skipReason !== undefined, skipReason);
    const { words, doorbell, census, memory, censusPlace } = make();
    const watched: { index: number; expected: number; fire: () => void }[] = [];
    doorbell.openAbroad(
      (_, index, expected) =>
        new Promise((resolve) => watched.push({ index, expected, fire: () => resolve(undefined) })),
    );
    const abroad = new Bell(memory, censusPlace, true);
    const woken = doorbell.wait();
    expect(watched.map(({ index, expected }) => [index, expected])).toEqual([[2, 0]]);
    expect(census()).toBe(0);
    abroad.ring(9);
    expect(words[0]).toBe(Sleep.awake);
    expect(words[2]).toBe(1);
    expect(census()).toBe(1);
    watched[0]?.fire();
    await woken;
    expect(taken(doorbell)).toEqual([9]);
    // It watches on, once, from what the word is now; a neighbour needs no helper to wake it.
    const again = doorbell.wait();
    expect(watched.map(({ index, expected }) => [index, expected])).toEqual([
      [2, 0],
      [2, 1],
    ]);
    doorbell.bell.ring(3);
    await again;
    expect(taken(doorbell)).toEqual([3]);
    void doorbell.wait();
    expect(watched).toHaveLength(2);
    doorbell.wakeUp();
  });

  test('wakes an owner that learns of it only while it waits', async ({ skip }) => {
    skip(skipReason !== undefined, skipReason);
    const { doorbell, memory, censusPlace } = make();
    const fire: (() => void)[] = [];
    const woken = doorbell.wait();
    doorbell.openAbroad(() => new Promise((resolve) => fire.push(() => resolve(undefined))));
    expect(fire).toHaveLength(1);
    new Bell(memory, censusPlace, true).ring(4);
    fire[0]?.();
    await woken;
    expect(taken(doorbell)).toEqual([4]);
  });

  test('counts for spinning, by the awake threads of its process', () => {
    const { doorbell } = make();
    const other = censusMemory();
    doorbellMemory(other);
    doorbellMemory(other);
    doorbell.countAbroad([other]);
    expect(doorbell.awakeThreads).toBe(3);
    // A count that makes no sense does no harm.
    wordsAt(other)[0] = -5;
    expect(doorbell.awakeThreads).toBe(1);
    doorbell.countAbroad([]);
    expect(doorbell.awakeThreads).toBe(1);
  });
});
