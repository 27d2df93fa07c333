/** The policy `auto` on traces that are made by a seed. */
import { expect, test } from 'vitest';
import { makePolicy, Shadow } from '../../packages/blockcache/src/policy/index.ts';
import { HELD_OUT, TUNING, USES } from './cache/families.mjs';

const CHUNK_COUNT = 2 ** 32 - 1;

function hitPercent(name: 'auto' | 'lru' | 'arc', slots: number, trace: Uint32Array): number {
  const directory = new Shadow((memory) => makePolicy(name, memory), slots, CHUNK_COUNT);
  let hits = 0;
  for (const chunk of trace) if (directory.use(chunk)) hits++;
  return (100 * hits) / trace.length;
}

test('auto that changes to ARC takes over the balance that ARC has found, not its worse one', () => {
  const trace = TUNING['clients: Zipf, loop, recent']?.(1) ?? new Uint32Array();
  const [auto, lru, arc] = [
    hitPercent('auto', 3000, trace),
    hitPercent('lru', 3000, trace),
    hitPercent('arc', 3000, trace),
  ];
  expect(arc - lru).toBeGreaterThan(4);
  expect(arc - auto).toBeLessThan(1);
});

test.each(['news of Zipf 1.1', 'a walk of a tree'])(
  '%s: of one seed the trace is always the same',
  (family) => {
    const make = HELD_OUT[family];
    const trace = make?.(7);
    expect(trace?.length).toBe(USES);
    expect(make?.(7)).toEqual(trace);
    expect(make?.(8)).not.toEqual(trace);
  },
);
