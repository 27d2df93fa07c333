/** The room of waiting: each primitive by itself. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Condition,
  deferred,
  inLanes,
  inPieces,
  Mutex,
  quietDeferred,
  ReaderWriterLock,
  Rounds,
  Semaphore,
  settleAll,
} from '../src/async/index.ts';
import { WaitQueue } from '../src/async/wait-queue.ts';

/** Lets everything go on that can. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

test('a mutex is handed on in the order of asking', async () => {
  const mutex = new Mutex();
  const order: number[] = [];
  expect(mutex.held).toBe(false);
  await mutex.acquire();
  expect(mutex.held).toBe(true);
  for (const number of [1, 2, 3]) void mutex.acquire().then(() => order.push(number));
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    mutex.release();
    await settle();
    expect(order).toEqual(expected);
  }
  mutex.release();
  expect(mutex.held).toBe(false);
  expect(() => mutex.release()).toThrow(/a mutex that is released is held/);
});

test('readers share, a writer excludes, and nobody overtakes a waiting writer', async () => {
  const lock = new ReaderWriterLock();
  const order: string[] = [];
  expect(lock.tryShared()).toBe(true);
  await lock.shared();
  expect(lock.tryExclusive()).toBe(false);
  void lock.exclusive().then(() => order.push('writer'));
  expect(lock.tryShared()).toBe(false);
  void lock.shared().then(() => order.push('reader 1'));
  void lock.shared().then(() => order.push('reader 2'));
  void lock.exclusive().then(() => order.push('writer 2'));
  lock.releaseShared();
  await settle();
  expect(order).toEqual([]);
  lock.releaseShared();
  await settle();
  expect(order).toEqual(['writer']);
  lock.releaseExclusive();
  await settle();
  expect(order).toEqual(['writer', 'reader 1', 'reader 2']);
  lock.releaseShared();
  lock.releaseShared();
  await settle();
  expect(order.at(-1)).toBe('writer 2');
  lock.releaseExclusive();
  expect(lock.tryExclusive()).toBe(true);
});

test('a condition wakes one or all of those who wait by then', async () => {
  const condition = new Condition();
  const woken: number[] = [];
  for (const number of [1, 2, 3]) void condition.wait().then(() => woken.push(number));
  condition.wakeOne();
  await settle();
  expect(woken).toEqual([1]);
  condition.wakeAll();
  await settle();
  expect(woken).toEqual([1, 2, 3]);
  expect(condition.waiters).toBe(0);
});

test('a semaphore runs as many steps at a time as it has room for, in their order, whether they end well or badly', async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  const ends: ((failed: boolean) => void)[] = [];
  const step = (number: number) => (): Promise<number> => {
    begun.push(number);
    return new Promise((resolve, reject) => {
      ends[number] = (failed) => (failed ? reject(new Error('no')) : resolve(number));
    });
  };
  const passing = [0, 1, 2, 3].map((number) => semaphore.run(step(number)).catch(() => 'failed'));
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1]);
  ends[0]?.(true);
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2]);
  ends[1]?.(false);
  await new Promise(setImmediate);
  ends[2]?.(false);
  ends[3]?.(false);
  expect(await Promise.all(passing)).toEqual(['failed', 1, 2, 3]);
  // Nobody waits: there is room for two again, not for more.
  const later = [4, 5, 6].map((number) => semaphore.run(step(number)));
  await new Promise(setImmediate);
  expect(begun).toEqual([0, 1, 2, 3, 4, 5]);
  for (const number of [4, 5, 6]) {
    ends[number]?.(false);
    await new Promise(setImmediate);
  }
  expect(await Promise.all(later)).toEqual([4, 5, 6]);
});

test('a bounded queue refuses whoever comes when it is full, and lets others in later', async () => {
  const queue = new WaitQueue({ waitersMax: 2, refusal: () => new Error('full') });
  const order: string[] = [];
  const first = queue.wait().then(() => order.push('first'));
  const second = queue.wait(true).then(() => order.push('second'));
  await expect(queue.wait()).rejects.toThrow('full');
  expect(queue.firstIsExclusive).toBe(false);
  queue.wakeFirst();
  await first;
  expect(queue.firstIsExclusive).toBe(true);
  const third = queue.wait().then(() => order.push('third'));
  expect(queue.length).toBe(2);
  for (const done of [second, third]) {
    queue.wakeFirst();
    await done;
  }
  queue.wakeFirst();
  expect(order).toEqual(['first', 'second', 'third']);
  expect(queue.firstIsExclusive).toBe(undefined);
});

test('a deferred settles from outside, once', async () => {
  const good = deferred<number>();
  good.resolve(1);
  good.reject(new Error('too late'));
  expect(await good.promise).toBe(1);
  const bad = quietDeferred<number>();
  bad.reject(new Error('nobody heard it'));
  await settle();
  await expect(bad.promise).rejects.toThrow('nobody heard it');
});

test('settleAll waits for all, then rejects with the first failure in their order', async () => {
  const parts = [deferred<void>(), deferred<void>(), deferred<void>()];
  let outcome = 'pending';
  void settleAll(parts.map(({ promise }) => promise)).catch((error: Error) => (outcome = error.message));
  parts[2]?.reject(new Error('last'));
  parts[1]?.reject(new Error('middle'));
  await settle();
  expect(outcome).toBe('pending');
  parts[0]?.resolve();
  await settle();
  expect(outcome).toBe('middle');
  await settleAll([]);
  await expect(settleAll([Promise.reject(new Error('alone'))])).rejects.toThrow('alone');
});

test('lanes share the work, and all have ended when one has failed', async () => {
  const work = [1, 2, 3, 4, 5, 6].values();
  const done: number[] = [];
  const lanes = inLanes(3, async () => {
    for (const piece of work) {
      await Promise.resolve();
      if (piece === 2) throw new Error(`piece ${piece}`);
      done.push(piece);
    }
  });
  await expect(lanes).rejects.toThrow('piece 2');
  expect(done).toEqual([1, 3, 4, 5, 6]);
});

describe('a transfer in pieces', () => {
  /** Pieces end in any order; `ends` says what each piece does: all of it, less, or an error. */
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.constant<'all'>('all') },
    { weight: 1, arbitrary: fc.constant<'nothing said'>('nothing said') },
    { weight: 1, arbitrary: fc.nat(3).map((short) => short) },
    { weight: 1, arbitrary: fc.constant<'error'>('error') },
  );

  test('says how much was done without a gap from the beginning, or fails as the piece nearest to the beginning did', async () => {
    const whole = fc.record({
      total: fc.nat(60),
      pieceMax: fc.integer({ min: 1, max: 9 }),
      underWayMax: fc.integer({ min: 1, max: 5 }),
      ends: fc.array(piece, { minLength: 60, maxLength: 60 }),
      turns: fc.array(fc.nat(4), { minLength: 60, maxLength: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(whole, async ({ ends, turns, ...pieces }) => {
        let underWay = 0;
        const asked: { offset: number; done: number | Error }[] = [];
        const result = await inPieces(pieces, async (offset, length) => {
          underWay++;
          expect(underWay).toBeLessThanOrEqual(pieces.underWayMax);
          expect(length).toBe(Math.min(pieces.pieceMax, pieces.total - offset));
          const number = asked.length;
          const end = ends[number] ?? 'all';
          const done =
            end === 'error'
              ? new Error(`at ${offset}`)
              : typeof end === 'number'
                ? Math.min(end, length)
                : length;
          asked.push({ offset, done });
          for (let turn = turns[number] ?? 0; turn > 0; turn--) await Promise.resolve();
          underWay--;
          if (done instanceof Error) throw done;
          return end === 'nothing said' ? undefined : done;
        }).catch((error: unknown) => error);
        expect(underWay).toBe(0);
        let expected: unknown = pieces.total;
        for (const { offset, done } of asked.toSorted((one, other) => one.offset - other.offset)) {
          const length = Math.min(pieces.pieceMax, pieces.total - offset);
          if (done instanceof Error) expected = done;
          else if (done < length) expected = offset + done;
          else continue;
          break;
        }
        expect(result).toEqual(expected);
      }),
    );
  });
});

test('requests share rounds, but never a round that began before them', async () => {
  const ends: (() => void)[] = [];
  const rounds = new Rounds(() => new Promise((resolve) => ends.push(resolve)));
  const settled: string[] = [];
  const ask = (name: string): Promise<unknown> => rounds.request().then(() => settled.push(name));
  const first = ask('a');
  const others = [ask('b'), ask('c')];
  expect(ends.length).toBe(1);
  ends[0]?.();
  await first;
  await settle();
  expect(settled).toEqual(['a']);
  expect(ends.length).toBe(2);
  const last = ask('d');
  ends[1]?.();
  await Promise.all(others);
  await settle();
  expect(ends.length).toBe(3);
  ends[2]?.();
  await last;
  expect(settled).toEqual(['a', 'b', 'c', 'd']);
  const again = ask('e');
  expect(ends.length).toBe(4);
  ends[3]?.();
  await again;
});

test('whoever asks while a round fails gets the next one', async () => {
  const first = deferred<void>();
  const outcomes = [first.promise, Promise.resolve()];
  let begun = 0;
  const rounds = new Rounds(() => outcomes[begun++] ?? Promise.reject(new Error('one too many')));
  const failing = rounds.request();
  const others = [rounds.request(), rounds.request()];
  first.reject(new Error('broken'));
  await expect(failing).rejects.toThrow('broken');
  await Promise.all(others);
  expect(begun).toBe(2);
});

test('a round that asks for another one has it after itself', async () => {
  let underWay = 0;
  let begun = 0;
  let second: Promise<void> | undefined;
  const rounds: Rounds = new Rounds(async () => {
    expect(underWay++).toBe(0);
    if (++begun === 1) second = rounds.request();
    await settle();
    underWay--;
  });
  await rounds.request();
  await second;
  expect(begun).toBe(2);
});

test('a round that throws at once rejects', async () => {
  const rounds = new Rounds(() => {
    throw new Error('at once');
  });
  await expect(rounds.request()).rejects.toThrow('at once');
  await expect(rounds.request()).rejects.toThrow('at once');
});
