/** Work over a connection that may take only so long, whatever part of it takes longer. */
import { expect, test } from 'vitest';
import { connectWithin } from '../src/lib/connect-within.ts';

/** A connection that knows whether it is closed, and a clock that the test moves. */
function setting() {
  const [closes, timeouts]: [string[], Set<() => void>] = [[], new Set()];
  const connection = { close: async (): Promise<void> => void closes.push('closed') };
  const bound = {
    clock: {
      after(_: number, handler: () => void): () => void {
        timeouts.add(handler);
        return () => timeouts.delete(handler);
      },
    },
    timeoutMs: 1000,
    tooLate: () => new Error('too late'),
  };
  const expire = (): void => {
    for (const fire of timeouts) fire();
  };
  return { closes, timeouts, connection, bound, expire };
}

test('a connection that comes too late is closed, and nothing is done over it', async () => {
  const { closes, connection, bound, expire } = setting();
  let come: () => void = () => {};
  const connecting = new Promise<void>((resolve) => (come = resolve)).then(() => connection);
  const done: string[] = [];
  const result = connectWithin(
    bound,
    () => connecting,
    async () => done.push('work'),
  );
  expire();
  await expect(result).rejects.toThrow('too late');
  come();
  await expect.poll(() => closes).toEqual(['closed']);
  expect(done).toEqual([]);
});

test('work that takes too long loses its connection, and is not waited for', async () => {
  const { closes, connection, bound, expire } = setting();
  const result = connectWithin(
    bound,
    async () => connection,
    () => new Promise<void>(() => {}),
  );
  await Promise.resolve();
  expire();
  await expect(result).rejects.toThrow('too late');
  expect(closes).toEqual(['closed']);
});

test.each([
  ['the result', async () => 7, 7],
  ['the failure', async () => Promise.reject(new Error('no')), 'no'],
])('%s of work in time is passed on, and the clock forgets it', async (_, work, expected) => {
  const { closes, timeouts, connection, bound } = setting();
  const outcome = connectWithin<typeof connection, number>(bound, async () => connection, work).catch(
    (error: unknown) => (error instanceof Error ? error.message : error),
  );
  expect(await outcome).toBe(expected);
  expect({ closes, left: timeouts.size }).toEqual({ closes: [], left: 0 });
});
