/** The policies, beside the plainest forms of the same algorithms. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import { missingOf } from '../../../test/harness/programs.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import { ChunkIndex } from '../src/directory/chunk-index.ts';
import { chunkNumbers } from '../src/directory/chunk-numbers.ts';
import { Ghosts } from '../src/directory/ghosts.ts';
import { SlotQueues } from '../src/directory/slot-queues.ts';
import { Auto } from '../src/policy/auto.ts';
import { makePolicy } from '../src/policy/make-policy.ts';
import {
  EVICT_TRIES_MAX,
  FIXED_POLICY_NAMES,
  POLICY_NAMES,
  type PolicyName,
} from '../src/policy/replacement-policy.ts';
import { Shadow } from '../src/policy/shadow.ts';
import { PLAIN_POLICIES } from './plain-policies.ts';

const CHUNKS = 2 ** 31;

const directory = (name: PolicyName, slots: number): Shadow =>
  new Shadow((memory) => makePolicy(name, memory), slots, CHUNKS);

function hitsOf(name: PolicyName, slots: number, trace: Iterable<number>): boolean[] {
  const shadow = directory(name, slots);
  return Array.from(trace, (chunk) => shadow.use(chunk));
}

describe.each([100, 2 ** 40])('of a device of %i chunks', (chunkCount) => {
  test('the index finds the same places as a map, when chunks come, go and move', () => {
    const chunk = fc.oneof(fc.nat(40), fc.nat(99), fc.nat(chunkCount - 1));
    const step = fc.record({ slot: fc.nat(15), chunk, move: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (chosen) => {
        const chunks = chunkNumbers(16, chunkCount);
        const none = chunks[0] ?? 0;
        const index = new ChunkIndex(chunks);
        const map = new Map<number, number>();
        for (const { slot, chunk: wanted, move } of chosen) {
          const old = chunks[slot] ?? none;
          const empty = chunks.indexOf(none);
          if (move && old !== none && empty >= 0) {
            chunks[empty] = old;
            index.move(slot, empty);
            chunks[slot] = none;
            map.set(old, empty);
          } else {
            if (old !== none) {
              index.remove(slot);
              map.delete(old);
            }
            chunks[slot] = none;
            if (!map.has(wanted)) {
              chunks[slot] = wanted;
              index.add(slot);
              map.set(wanted, slot);
            }
          }
          for (const other of chosen) expect(index.find(other.chunk)).toBe(map.get(other.chunk) ?? -1);
        }
      }),
      { numRuns: propertyRuns(40) },
    );
  });

  test('ghosts are the same as two arrays', () => {
    const step = fc.record({
      chunk: fc.nat(30),
      list: fc.constantFrom(1 as const, 2 as const),
      what: fc.constantFrom('add', 'add', 'remove', 'oldest'),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const ghosts = new Ghosts(10, chunkCount);
        const plain: { 1: number[]; 2: number[] } = { 1: [], 2: [] };
        for (const { chunk, list, what } of steps) {
          if (what === 'oldest') {
            if (plain[list].shift() !== undefined) ghosts.removeOldest(list);
          } else if (what === 'remove' || plain[1].includes(chunk) || plain[2].includes(chunk)) {
            const was = plain[1].includes(chunk) ? 1 : plain[2].includes(chunk) ? 2 : 0;
            expect(ghosts.remove(chunk)).toBe(was);
            if (was !== 0) plain[was].splice(plain[was].indexOf(chunk), 1);
          } else if (plain[1].length + plain[2].length < 10) {
            ghosts.add(chunk, list);
            plain[list].push(chunk);
          }
          const seen: { 1: number[]; 2: number[] } = { 1: [], 2: [] };
          ghosts.each((each, of) => void seen[of].push(each));
          expect(seen).toEqual(plain);
          expect([ghosts.length(1), ghosts.length(2)]).toEqual([plain[1].length, plain[2].length]);
        }
      }),
      { numRuns: propertyRuns(40) },
    );
  });
});

describe.each(FIXED_POLICY_NAMES)('%s', (name) => {
  test('has the same hits as the plain algorithm', () => {
    const trace = fc.array(fc.oneof(fc.nat(12), fc.nat(40)), { minLength: 100, maxLength: 600 });
    fc.assert(
      fc.property(trace, fc.integer({ min: 1, max: 25 }), (uses, slots) => {
        const plain = PLAIN_POLICIES[name](slots);
        expect(hitsOf(name, slots, uses)).toEqual(uses.map((chunk) => plain(chunk)));
      }),
      { numRuns: propertyRuns(50) },
    );
  });
});

/** Policies over a store of slots whose chunks come, go, move and whose number changes. */
test.each(POLICY_NAMES)('%s forgets nothing and invents nothing, whatever happens to its slots', (name) => {
  const step = fc.record({
    what: fc.constantFrom('use', 'use', 'use', 'use', 'remove', 'move', 'resize', 'refuse'),
    at: fc.nat(1000),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
      let slots = 20;
      const queues = new SlotQueues(slots);
      let chunks = chunkNumbers(slots, CHUNKS);
      const none = chunks[0] ?? 0;
      const memory = {
        queues,
        chunkCount: CHUNKS,
        get chunks() {
          return chunks;
        },
        get slots() {
          return slots;
        },
      };
      const policy = makePolicy(name, memory);
      const inUse = (): number[] => Array.from(chunks.keys()).filter((slot) => chunks[slot] !== none);
      for (const { what, at } of steps) {
        const used = inUse();
        const some = used[at % Math.max(1, used.length)];
        const free = chunks.indexOf(none);
        if (what === 'use') {
          const chunk = at % 50;
          const found = chunks.indexOf(chunk);
          if (found >= 0) policy.hit(found);
          else {
            const slot = free >= 0 ? free : policy.evict(chunk, () => true);
            expect(slot, 'a slot that was in use').toBeGreaterThanOrEqual(0);
            chunks[slot] = chunk;
            policy.insert(slot, chunk);
          }
        } else if (what === 'refuse') {
          const asked: number[] = [];
          expect(policy.evict(2000, (slot) => asked.push(slot) < 0)).toBe(-1);
          expect(asked.length).toBeLessThanOrEqual(EVICT_TRIES_MAX + 16);
          expect(used).toEqual(expect.arrayContaining(asked));
        } else if (what === 'remove' && some !== undefined) {
          policy.remove(some);
          chunks[some] = none;
        } else if (what === 'move' && some !== undefined && free >= 0) {
          chunks[free] = chunks[some] ?? none;
          chunks[some] = none;
          policy.move(some, free);
        } else if (what === 'resize') {
          slots = 10 + (at % 30);
          for (const slot of used.filter((each) => each >= slots)) {
            policy.remove(slot);
            chunks[slot] = none;
          }
          queues.resize(slots);
          const resized = chunkNumbers(slots, CHUNKS);
          resized.set(chunks.subarray(0, slots));
          chunks = resized;
          policy.resized();
        }
        const seen: number[] = [];
        policy.each((slot) => void seen.push(slot));
        expect(seen.toSorted((a, b) => a - b)).toEqual(inUse());
      }
    }),
    { numRuns: propertyRuns(40) },
  );
});

test.each(POLICY_NAMES)(
  '%s gives up a slot that may go, keeps those that may not, and asks for few',
  (name) => {
    const { policy, chunks } = directory(name, 100);
    for (let slot = 0; slot < 100; slot++) {
      chunks[slot] = slot;
      policy.insert(slot, slot);
    }
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

describe('auto', () => {
  test('begins as LRU, and leaves it for a policy that keeps a part of a loop', () => {
    const loop = Array.from({ length: 60_000 }, (_, index) => index % 3000);
    const shadow = directory('auto', 1500);
    let hits = 0;
    for (const chunk of loop) if (shadow.use(chunk)) hits++;
    expect(shadow.policy instanceof Auto && shadow.policy.chosen).not.toBe('lru');
    expect(hitsOf('lru', 1500, loop).filter(Boolean).length).toBe(0);
    expect(hits / loop.length).toBeGreaterThan(0.4);
  });

  test('stays within 32 bytes a chunk', () => {
    const slots = 2 ** 18;
    // Beside the directory the cache keeps four bytes a chunk.
    expect(directory('auto', slots).byteLength / slots + 4).toBeLessThanOrEqual(32);
    for (const name of FIXED_POLICY_NAMES) {
      expect(directory(name, slots).byteLength / slots + 4).toBeLessThanOrEqual(32);
    }
  });
});

const TRACE = fileURLToPath(new URL('../../../test/data/traces/OLTP.lis.zst', import.meta.url));
const missing = missingOf('zstd');

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

const KNOWN = [
  ['lru', 32.83, 42.47],
  ['arc', 38.94, 46.08],
  ['s3fifo', 40.84, 47.01],
  ['sieve', 32.56, 41.19],
] as const;

describe.skipIf(missing !== undefined)(`on the OLTP trace (${missing ?? 'zstd is there'})`, () => {
  const trace = missing === undefined ? readTrace() : new Int32Array(0);
  const percent = (name: PolicyName, slots: number): number => {
    const shadow = directory(name, slots);
    let hits = 0;
    for (const chunk of trace) if (shadow.use(chunk)) hits++;
    return (100 * hits) / trace.length;
  };

  test.for(KNOWN)(
    '%s hits %f %% with 1,000 pages, and %f %% with 2,000',
    ([name, at1000, at2000], context) => {
      skipIfLong(context, name !== 'lru' && name !== 'arc');
      expect(Math.abs(percent(name, 1000) - at1000)).toBeLessThanOrEqual(0.05);
      if (!leftOut(true)) expect(Math.abs(percent(name, 2000) - at2000)).toBeLessThanOrEqual(0.05);
    },
  );

  test('auto is within a point of the best, and not below LRU', (context) => {
    skipIfLong(context);
    expect(percent('auto', 1000)).toBeGreaterThan(40.84 - 1);
    expect(percent('auto', 2000)).toBeGreaterThan(47.01 - 1);
  });
});
