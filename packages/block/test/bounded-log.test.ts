import { expect, test } from 'vitest';
import { BoundedLog } from '../src/lib/bounded-log.ts';

test('of many lines the first are logged, and the last of these says so', () => {
  const lines: string[] = [];
  const log = new BoundedLog((text) => void lines.push(text));
  for (let number = 1; number <= 100; number++) log.tell(`line ${number}`);
  expect(lines.length).toBe(16);
  expect(lines.slice(0, 15)).toEqual(Array.from({ length: 15 }, (_, index) => `line ${index + 1}`));
  expect(lines[15]).toBe('line 16 (further ones are not logged)');
});
