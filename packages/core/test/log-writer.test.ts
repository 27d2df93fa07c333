import { expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import { LogWriter } from '../src/runtime/log-writer.ts';

/** A log that takes what comes when it is told to. */
class SlowLog {
  readonly lines: string[] = [];
  readonly #taken: (() => void)[] = [];

  readonly sink = (text: string): Promise<void> => {
    this.lines.push(...text.split('\n'));
    return new Promise((resolve) => this.#taken.push(resolve));
  };

  /** Takes everything, also what comes because there is room. */
  async takeAll(): Promise<void> {
    for (let idle = 0; idle < 5; idle++) {
      for (const taken of this.#taken.splice(0)) {
        taken();
        idle = 0;
      }
      await Promise.resolve();
    }
  }
}

test('a burst arrives whole and in order', async () => {
  const log = new SlowLog();
  const writer = new LogWriter();
  writer.attach(log.sink);
  const lines = Array.from({ length: 50_000 }, (_, index) => `line ${index}`);
  for (const line of lines) void writer.write(line);
  const flushed = writer.flush();
  await log.takeAll();
  await flushed;
  expect(log.lines).toEqual(lines);
});

test('lines beyond the backlog are counted, and the count is said even if no line follows', async () => {
  const log = new SlowLog();
  const writer = new LogWriter();
  writer.attach(log.sink);
  const line = 'x'.repeat(1024);
  const count = (LIMITS.logBacklogCharacters / line.length) * 2;
  for (let index = 0; index < count; index++) void writer.write(line);
  const flushed = writer.flush();
  await log.takeAll();
  await flushed;
  const arrived = log.lines.filter((text) => text === line).length;
  const [, lost] = /^Warning: (\d+) log lines lost/.exec(log.lines.at(-1) ?? '') ?? [];
  expect(arrived).toBeGreaterThan(0);
  expect(arrived + Number(lost)).toBe(count);
});

test('a component that ends leaves behind what its log has not got', () => {
  const log = new SlowLog();
  const writer = new LogWriter();
  writer.attach(log.sink);
  for (let index = 0; index < 100; index++) void writer.write(`line ${index}`);
  writer.detach();
  void writer.write('the last');
  expect([...log.lines, ...writer.takeRest()]).toEqual([
    ...Array.from({ length: 100 }, (_, index) => `line ${index}`),
    'the last',
  ]);
});

test('empty lines count as well', async () => {
  const log = new SlowLog();
  const writer = new LogWriter();
  writer.attach(log.sink);
  const count = LIMITS.logBacklogCharacters * 2;
  void writer.write('\n'.repeat(count - 1));
  const flushed = writer.flush();
  await log.takeAll();
  await flushed;
  const [, lost] = /^Warning: (\d+) log lines lost/.exec(log.lines.at(-1) ?? '') ?? [];
  expect(log.lines.length - 1 + Number(lost)).toBe(count);
});
