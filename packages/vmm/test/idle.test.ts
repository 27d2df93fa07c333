import { expect, test } from 'vitest';
import { IdleWaits } from '../src/engine/v86/idle.ts';

const LONG_MS = 40;

/** Idle turns of 2.5 ms until waits are long. */
function turnsUntilLong(waits: IdleWaits): number {
  for (let turns = 1; turns <= 1000; turns += 1) if (waits.next(2.5) === LONG_MS) return turns;
  return Number.POSITIVE_INFINITY;
}

test('waits are whole milliseconds, and none where the guest has something to do', () => {
  const waits = new IdleWaits();
  expect(waits.next(2.1)).toBe(3);
  expect(waits.next(0)).toBe(0);
  expect(waits.next(-1)).toBe(0);
});

test('a guest to which nothing happens from outside comes to long waits', () => {
  const waits = new IdleWaits();
  expect(turnsUntilLong(waits)).toBe(51);
  expect(waits.next(60.5)).toBe(61);
});

test('a timer of its own does not keep an idle guest awake for long', () => {
  const waits = new IdleWaits();
  turnsUntilLong(waits);
  waits.next(0);
  expect(turnsUntilLong(waits)).toBe(9);
});

test('a guest that sleeps and works by turns keeps its short waits', () => {
  const waits = new IdleWaits();
  for (let round = 0; round < 1000; round += 1) {
    for (let turn = 0; turn < 4; turn += 1) expect(waits.next(2.5)).toBe(3);
    expect(waits.next(0)).toBe(0);
  }
});

test('what happens from outside makes waits short for a while', () => {
  const waits = new IdleWaits();
  turnsUntilLong(waits);
  waits.stir();
  expect(turnsUntilLong(waits)).toBe(51);
});
