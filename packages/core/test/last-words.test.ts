/**
 * Output of a process is passed on, unless it is the report of an abort, which is believed only if
 * there was one.
 */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LastWords } from '../src/platform/ginit/last-words.ts';

const report = (threadId: number, event: string): string => JSON.stringify({ header: { event, threadId } });

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function hear(lines: readonly string[]): { told: string[]; words: LastWords } {
  const told: string[] = [];
  const words = new LastWords((line) => told.push(line));
  for (const line of lines) words.line(line);
  return { told, words };
}

test('the noise of an abort is told to nobody, and its last report is believed', () => {
  const { told, words } = hear(['before', 'FATAL ERROR: x', report(3, 'forged'), 'more', report(4, 'true')]);
  expect(words.end(null, 'SIGABRT')).toEqual({ threadId: 4, reason: 'true' });
  expect(told).toEqual(['before']);
});

test.each([
  [0, null],
  [1, null],
  [null, 'SIGKILL'],
  [null, 'SIGTERM'],
] as const)('the same words of a process that ends with %j, %j are ordinary lines', (code, signal) => {
  const lines = ['before', '# a comment', report(3, 'forged'), 'after'];
  const { told, words } = hear(lines);
  expect(words.end(code, signal)).toBeUndefined();
  expect(told).toEqual(lines);
});

test('the words of a process that lives on, or says more than an abort does, are told', () => {
  const late = hear(['# a comment', 'after']);
  expect(late.told).toEqual([]);
  vi.runAllTimers();
  expect(late.told).toEqual(['# a comment', 'after']);
  late.words.line('and on');
  expect(late.told.at(-1)).toBe('and on');

  const many = ['# a comment', ...Array.from({ length: 40 }, () => 'x'.repeat(64 * 1024))];
  const { told, words } = hear(many);
  expect(told.length).toBeGreaterThan(10);
  words.end(0, null);
  expect(told).toEqual(many);
});

test('the words of a report are bounded', () => {
  const { words } = hear([report(1, 'x'.repeat(60_000))]);
  expect(words.end(null, 'SIGABRT')?.reason.length).toBeLessThan(1000);
});
