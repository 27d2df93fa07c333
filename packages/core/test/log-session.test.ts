/**
 * The lines of one LOG session that wait for the output are bounded, and lost lines are counted and
 * told.
 */
import { expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import type { Platform } from '../src/supervisor/platform.ts';
import { LogSession } from '../src/supervisor/log-session.ts';

/** An output that takes what comes when it is told to. */
function slowOutput(): { platform: Pick<Platform, 'writeLog'>; texts: string[]; takeAll: () => void } {
  const texts: string[] = [];
  const waiting: (() => void)[] = [];
  const writeLog = (text: string, prefix: string): Promise<void> => {
    texts.push(`${prefix}${text}`);
    return new Promise((resolve) => waiting.push(resolve));
  };
  return { platform: { writeLog }, texts, takeAll: () => waiting.splice(0).forEach((take) => take()) };
}

const LINES = '\n'.repeat(LIMITS.logLineCharacters - 1);

/**
 * Writes until the session takes no more; the number of writes that it took, and those that it
 * refused.
 */
async function fill(session: LogSession): Promise<{ taken: Promise<void>[]; refused: number }> {
  const taken: Promise<void>[] = [];
  const outcomes: string[] = [];
  const most = (2 * LIMITS.logSessionCharacters) / LINES.length;
  for (let count = 0; count < most; count++) {
    const write = session.write(LINES);
    write.catch((error: { code: string }) => outcomes.push(error.code));
    taken.push(write);
  }
  await Promise.resolve();
  expect(new Set(outcomes)).toEqual(new Set(['LimitExceeded']));
  return { taken, refused: outcomes.length };
}

test('many empty lines that wait take no more room than their text', async () => {
  const { platform, texts, takeAll } = slowOutput();
  const session = new LogSession(platform, 'x'.repeat(160));
  const { taken, refused } = await fill(session);
  expect(texts).toHaveLength(taken.length - refused);
  const characters = texts.reduce((sum, text) => sum + text.length, 0);
  expect(characters).toBeLessThanOrEqual(LIMITS.logSessionCharacters);
  takeAll();
  await Promise.allSettled(taken);
});

test('calls without text are bounded as well', async () => {
  const { platform, texts } = slowOutput();
  const session = new LogSession(platform, 'x');
  for (let count = 0; count < 100_000; count++) session.write('').catch(() => {});
  expect(texts.length).toBeLessThan(50_000);
});

test('the number of lost lines is said before the next line, and at the end', async () => {
  const { platform, texts, takeAll } = slowOutput();
  const session = new LogSession(platform, 'a');
  const { taken, refused } = await fill(session);
  takeAll();
  await Promise.allSettled(taken);
  texts.length = 0;
  const next = session.write('next');
  const lost = refused * LIMITS.logLineCharacters;
  expect(texts).toEqual([
    `[a] Warning: ${lost} log lines lost: they came faster than the output took them`,
    '[a] next',
  ]);
  takeAll();
  await next;
  const again = await fill(session);
  takeAll();
  await Promise.allSettled(again.taken);
  texts.length = 0;
  session[Symbol.dispose]();
  expect(texts).toEqual([expect.stringMatching(/^\[a\] Warning: \d+ log lines lost/)]);
});
