/**
 * Tests the check of blocks: it never refuses a content that is possible, and always refuses one
 * that is not.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CheckedDevice, type CheckedRequest } from '../src/block-check/checked-device.ts';
import { contentHash } from '../src/block-check/content-hash.ts';

const BLOCK = 512;

/** The content that stands for a number. */
function block(value: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

/** A device with a clock of its own, whose requests concern one block. */
class Bench {
  readonly device = new CheckedDevice('bench');
  now = 0;

  constructor(stable = true) {
    this.device.stable = stable;
  }

  beginWrite(value: number, at = 0): CheckedRequest {
    const range = { first: at, count: 1, content: block(value) };
    return this.device.beginWrite(range, 'writer', ++this.now, 0);
  }

  endWrite(request: CheckedRequest, sure = true): void {
    this.device.endWrite(request, sure, ++this.now);
  }

  write(value: number, at = 0): void {
    this.endWrite(this.beginWrite(value, at));
  }

  beginRead(at = 0): CheckedRequest {
    return this.device.beginRead(at, 1, ++this.now);
  }

  /** Ends a read. The result says whether the read may return this. */
  endRead(request: CheckedRequest, value: number): boolean {
    return this.device.endRead(request, block(value), ++this.now) === undefined;
  }

  read(value: number, at = 0): boolean {
    return this.endRead(this.beginRead(at), value);
  }

  sync(): void {
    const begun = ++this.now;
    this.now++;
    this.device.synced(begun);
  }

  crash(mixed = false): void {
    this.device.serverEnded(++this.now, true, mixed);
  }
}

describe('without crashes', () => {
  test('a block reads as its last write left it, and as before until it is written', () => {
    const bench = new Bench();
    expect([bench.read(7), bench.read(7), bench.read(8)]).toEqual([true, true, false]);
    bench.write(1);
    expect([bench.read(1), bench.read(7), bench.read(2)]).toEqual([true, false, false]);
    bench.write(2);
    expect([bench.read(1), bench.read(2)]).toEqual([false, true]);
  });

  test('a read that overlaps a write returns the old or the new content, and once one has seen the new, no later read returns the old', () => {
    const bench = new Bench();
    bench.write(1);
    const early = bench.beginRead();
    const write = bench.beginWrite(2);
    expect([bench.read(1), bench.read(2), bench.read(1)]).toEqual([true, true, false]);
    bench.endWrite(write);
    expect(bench.read(1)).toBe(false);
    // That read began before anybody had seen the new content.
    expect(bench.endRead(early, 1)).toBe(true);
  });

  test('writes side by side take effect in any order; a failed write may have been carried out or not', () => {
    const bench = new Bench();
    const [one, two] = [bench.beginWrite(1), bench.beginWrite(2)];
    bench.endWrite(one);
    bench.endWrite(two, false);
    expect([bench.read(2), bench.read(1), bench.read(2), bench.read(3)]).toEqual([true, true, true, false]);
    bench.write(4);
    expect([bench.read(1), bench.read(2), bench.read(4)]).toEqual([false, false, true]);
  });

  test('after WRITE_ZEROES a block reads as zeros and nothing else', () => {
    const bench = new Bench();
    bench.device.fits(BLOCK);
    bench.write(1);
    const zeros = bench.device.beginWrite({ first: 0, count: 1, content: 'zeros' }, 'writer', ++bench.now, 0);
    bench.endWrite(zeros);
    expect(bench.read(1)).toBe(false);
    expect(bench.read(0)).toBe(true);
  });

  test('a trimmed block may read as anything until it is written', () => {
    const bench = new Bench();
    bench.write(1);
    const trim = bench.device.beginWrite(
      { first: 0, count: 1, content: undefined },
      'writer',
      ++bench.now,
      0,
    );
    bench.endWrite(trim);
    expect([bench.read(1), bench.read(9), bench.read(1)]).toEqual([true, true, true]);
    bench.write(2);
    expect([bench.read(2), bench.read(1)]).toEqual([true, false]);
  });
});

describe('the end of the server', () => {
  test('a write covered by a SYNC survives, or a later one does; a write not covered may be gone', () => {
    for (const [survivor, fine] of [
      [1, false],
      [2, true],
      [3, true],
    ] as const) {
      const bench = new Bench();
      bench.write(1);
      bench.write(2);
      bench.sync();
      bench.write(3);
      bench.crash();
      expect(bench.read(survivor)).toBe(fine);
    }
  });

  test('a SYNC covers the writes acknowledged before it was submitted, and no others', () => {
    const bench = new Bench();
    bench.write(1);
    bench.sync();
    const write = bench.beginWrite(2);
    const begun = ++bench.now;
    bench.endWrite(write);
    bench.device.synced(begun);
    bench.crash();
    expect(bench.read(1)).toBe(true);
  });

  test('the content that is read after it stays, until the next end of the server', () => {
    const bench = new Bench();
    bench.write(1);
    bench.sync();
    bench.write(2);
    bench.crash();
    expect([bench.read(1), bench.read(2)]).toEqual([true, false]);
    bench.crash();
    expect(bench.read(2)).toBe(true);
  });

  test('a block larger than a sector may be a mixture afterwards, if several contents were possible', () => {
    const bench = new Bench();
    bench.write(1);
    bench.sync();
    bench.write(1, 5);
    bench.sync();
    bench.write(2);
    bench.crash(true);
    expect([bench.read(77), bench.read(77, 5), bench.read(1, 5)]).toEqual([true, false, true]);
  });

  test('a read that was under way may still return a content from before', () => {
    const bench = new Bench();
    bench.write(1);
    const read = bench.beginRead();
    bench.write(2);
    bench.sync();
    bench.crash();
    expect(bench.endRead(read, 1)).toBe(true);
    expect(bench.read(1)).toBe(false);
  });
});

/**
 * A register without faults: each operation takes effect at a moment between its beginning and its
 * end, and after a crash it holds the value of any write since the last SYNC, or the value at the
 * SYNC.
 */
class Register {
  value = 0;
  readonly #unsynced = [0];

  write(value: number): void {
    this.value = value;
    this.#unsynced.push(value);
  }

  sync(): void {
    this.#unsynced.splice(0, this.#unsynced.length - 1);
  }

  crash(pick: number): void {
    this.value = this.#unsynced[pick % this.#unsynced.length] ?? 0;
    this.#unsynced.push(this.value);
  }
}

const step = fc.record({ what: fc.nat(99), pick: fc.nat(1000) });

/**
 * Runs requests, up to four at a time, against a register; `lie` changes the values that it
 * returns.
 */
function play(steps: readonly { what: number; pick: number }[], lie: (value: number) => number): boolean {
  const bench = new Bench();
  const register = new Register();
  let next = 1;
  const open: { effect: (() => void) | undefined; end: () => boolean }[] = [];
  const add = (effect: () => void, end: () => boolean): void => void open.push({ effect, end });
  const begin = (what: number): void => {
    if (what < 45) {
      const value = next++;
      const request = bench.beginWrite(value);
      add(
        () => register.write(value),
        () => (bench.endWrite(request), true),
      );
    } else if (what < 90) {
      let seen = 0;
      const request = bench.beginRead();
      add(
        () => (seen = lie(register.value)),
        () => bench.endRead(request, seen),
      );
    } else {
      const begun = ++bench.now;
      add(
        () => register.sync(),
        () => (bench.device.synced(begun), true),
      );
    }
  };
  for (const { what, pick } of steps) {
    const one = open[pick % Math.max(1, open.length)];
    if (what === 99) {
      // Each request under way is carried out or not, and nobody is told.
      for (const { effect } of open.splice(0)) if (pick % 2 === 0) effect?.();
      register.crash(pick);
      bench.crash();
    } else if (one && (open.length >= 4 || pick % 3 === 0)) {
      if (one.effect) {
        one.effect();
        one.effect = undefined;
      } else {
        open.splice(open.indexOf(one), 1);
        if (!one.end()) return false;
      }
    } else begin(what);
  }
  return true;
}

test('a device without faults is never blamed, whatever happens side by side', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 300 }), (steps) => play(steps, (value) => value)));
});

test('a device that returns an old content now and then is blamed', () => {
  let blamed = 0;
  const samples = fc.sample(fc.array(step, { minLength: 200, maxLength: 300 }), { numRuns: 50, seed: 1 });
  for (const steps of samples) {
    let reads = 0;
    if (!play(steps, (value) => (++reads % 10 === 0 ? Math.max(0, value - 9) : value))) blamed++;
  }
  expect(blamed).toBeGreaterThan(45);
});

test('contents that differ in any one bit are told apart', () => {
  const seen = new Set([contentHash(new Uint8Array(BLOCK))]);
  for (let bit = 0; bit < BLOCK * 8; bit++) {
    const bytes = new Uint8Array(BLOCK);
    bytes[bit >>> 3] = 1 << (bit & 7);
    seen.add(contentHash(bytes));
  }
  expect(seen.size).toBe(1 + BLOCK * 8);
  expect(seen.has(contentHash(new Uint8Array(BLOCK + 1)))).toBe(false);
});

test('the memory for a device is bounded, and a block that is not remembered is never blamed', () => {
  const bench = new Bench();
  for (let round = 0; round < 40; round++) bench.write(round);
  expect(bench.read(39)).toBe(true);
  bench.device.undefine(0, 2 ** 40);
  expect([bench.read(1), bench.read(2)]).toEqual([true, true]);
  bench.device.forget();
  expect([bench.read(3, 9), bench.read(4, 9)]).toEqual([true, true]);
});
