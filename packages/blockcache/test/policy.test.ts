import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ChunkIndex } from '../src/chunk-index.ts';
import { Lru } from '../src/policy/lru.ts';
import { makePolicy } from '../src/policy/make-policy.ts';
import { EVICT_TRIES_MAX, POLICY_NAMES } from '../src/policy/replacement-policy.ts';
import { hitsOf } from './policy-simulation.ts';

test('the index finds the same slots as a map', () => {
  const chunk = fc.oneof(fc.nat(40), fc.nat(2 ** 31), fc.maxSafeNat());
  const steps = fc.array(fc.record({ slot: fc.nat(15), chunk }), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (chosen) => {
      const chunks = new Float64Array(16).fill(-1);
      const index = new ChunkIndex(chunks);
      const map = new Map<number, number>();
      for (const { slot, chunk: wanted } of chosen) {
        const old = chunks[slot] ?? -1;
        if (old >= 0) {
          index.remove(slot);
          map.delete(old);
        }
        chunks[slot] = -1;
        if (!map.has(wanted)) {
          chunks[slot] = wanted;
          index.add(slot);
          map.set(wanted, slot);
        }
        for (const step of chosen) expect(index.find(step.chunk)).toBe(map.get(step.chunk) ?? -1);
      }
    }),
  );
});

/**
 * The same algorithm in the plainest form: an array with the most recently used chunk at its end.
 */
function plainLruHits(slots: number, trace: readonly number[]): number {
  const order: number[] = [];
  let hits = 0;
  for (const chunk of trace) {
    const at = order.indexOf(chunk);
    if (at >= 0) {
      hits++;
      order.splice(at, 1);
    } else if (order.length === slots) order.shift();
    order.push(chunk);
  }
  return hits;
}

test('LRU has the same hits as the plain algorithm', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(30), { maxLength: 500 }), fc.integer({ min: 1, max: 20 }), (trace, slots) => {
      expect(hitsOf(new Lru(slots), slots, trace)).toBe(plainLruHits(slots, trace));
    }),
  );
});

test.each(POLICY_NAMES)(
  '%s gives up a slot that may go, keeps those that may not, and asks for few',
  (name) => {
    const policy = makePolicy(name, 100);
    for (let slot = 0; slot < 100; slot++) policy.insert(slot, slot);
    const asked: number[] = [];
    const refuse = (slot: number): boolean => {
      asked.push(slot);
      return false;
    };
    expect(policy.evict(1000, refuse)).toBe(-1);
    expect(asked.length).toBeLessThanOrEqual(EVICT_TRIES_MAX);
    const third = asked[2] ?? -1;
    expect(policy.evict(1000, (slot) => slot === third)).toBe(third);
    const gone = new Set([third]);
    for (let left = 99; left > 0; left--) {
      const slot = policy.evict(1000, () => true);
      expect(gone.has(slot)).toBe(false);
      gone.add(slot);
    }
    expect(policy.evict(1000, () => true)).toBe(-1);
  },
);

const TRACE = fileURLToPath(new URL('../../../../shared/data/traces/OLTP.lis.zst', import.meta.url));
const present = existsSync(TRACE) && spawnSync('zstd', ['--version']).status === 0;

/** Pages of the trace: each line is a start block and a number of blocks. */
function readTrace(): Int32Array {
  const { stdout } = spawnSync('zstd', ['-dc', TRACE], { maxBuffer: 2 ** 28 });
  const pages: number[] = [];
  for (const line of stdout.toString('latin1').split('\n')) {
    const [start, count] = line.split(' ');
    for (let page = Number(start); page < Number(start) + Number(count); page++) pages.push(page);
  }
  return Int32Array.from(pages);
}

describe.skipIf(!present)(
  'on the OLTP trace (skipped without ../shared/data/traces/OLTP.lis.zst and zstd)',
  () => {
    const trace = present ? readTrace() : new Int32Array(0);
    test.each([
      [1000, 32.83],
      [2000, 42.47],
      [5000, 53.65],
      [15_000, 64.63],
    ])('LRU of %i pages hits %f %%', (slots, percent) => {
      expect((100 * hitsOf(new Lru(slots), slots, trace)) / trace.length).toBeCloseTo(percent, 2);
    });
  },
);
