/** The output of components is cut into lines and made harmless. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '../src/limits.ts';
import { linesOf, messageLines, visibleText } from '../src/log-text.ts';
import { LineCutter } from '../src/platform/host/line-cutter.ts';

test.each([
  ['a\nb', ['a', 'b']],
  ['a\r\nb', ['a', 'b']],
  ['a\rb', ['a', 'b']],
  ['a\n\nb', ['a', '', 'b']],
  ['a\r\n\r\nb', ['a', '', 'b']],
  ['', ['']],
])('%j is the lines %j', (text, lines) => {
  expect(linesOf(text)).toEqual(lines);
});

test.each([
  ['\x1b[2J', '\\x1b[2J'],
  ['a\x0bb\x0cc', 'a\\x0bb\\x0cc'],
  ['next\x85line', 'next\\x85line'],
  ['\x9b31m', '\\x9b31m'],
  ['\x00\x07\x08\x7f', '\\x00\\x07\\x08\\x7f'],
  ['line\u2028paragraph\u2029', 'line\\u2028paragraph\\u2029'],
  ['\u202e]tini[ reversed\u202c', '\\u202e]tini[ reversed\\u202c'],
  ['\u202a\u202b\u202d', '\\u202a\\u202b\\u202d'],
  ['\u2066\u2067\u2068\u2069', '\\u2066\\u2067\\u2068\\u2069'],
  ['\u200e\u200f\u061c', '\\u200e\\u200f\\u061c'],
  [
    'words of scripts from right to left: \u05e9\u05dc\u05d5\u05dd',
    'words of scripts from right to left: \u05e9\u05dc\u05d5\u05dd',
  ],
  ['joined\u200d and\u200b spaced', 'joined\u200d and\u200b spaced'],
  ['two\nlines\r', 'two\\nlines\\r'],
  ['a\ttab, ä, 漢, 🎉', 'a\ttab, ä, 漢, 🎉'],
])('%j is shown as %j', (text, shown) => {
  expect(visibleText(text)).toBe(shown);
});

test('whatever is in a text, it is shown as one line without controls', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = visibleText(text);
      // oxlint-disable-next-line no-control-regex
      expect(shown).not.toMatch(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/u);
      expect(linesOf(shown)).toHaveLength(1);
    }),
  );
});

test('no line after the first of a message looks like the first of another', () => {
  expect(messageLines('it failed\nginit: [init -> other] crashed: forged', 'ginit: ')).toEqual([
    'ginit: it failed',
    'ginit:   ginit: [init -> other] crashed: forged',
  ]);
});

test('lines come out whole and in order, in whatever pieces they arrive', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'b', ' ', 'ä', '🎉') });
  const end = fc.constantFrom('\n', '\r\n', '\r');
  fc.assert(
    fc.property(
      fc.array(fc.tuple(line, end), { minLength: 1 }),
      fc.array(fc.nat(200)),
      fc.boolean(),
      (lines, cuts, asBytes) => {
        // CR before LF is one end of a line, also where a CR and an empty line that LF ends were
        // meant.
        const text = lines.map(([content, ended]) => content + ended).join('');
        const whole: Uint8Array | string = asBytes ? Buffer.from(text) : text;
        const places = [0, ...cuts.filter((cut) => cut < whole.length), whole.length].toSorted(
          (a, b) => a - b,
        );
        const got: string[] = [];
        const cutter = new LineCutter((piece) => got.push(...linesOf(piece)));
        for (const [index, place] of places.entries())
          if (index > 0) cutter.write(whole.slice(places[index - 1], place));
        cutter.end();
        const expected = linesOf(text);
        expect(expected.pop()).toBe('');
        expect(got).toEqual(expected);
      },
    ),
  );
});

const MAX = LIMITS.logLineCharacters;

test('a line that is too long becomes several, and nothing of it is lost', () => {
  const length = fc.oneof(fc.nat(3 * MAX), fc.constantFrom(MAX - 1, MAX, MAX + 1, 2 * MAX));
  const line = fc.record({
    length,
    character: fc.constantFrom('x', 'ä', '🎉'),
    end: fc.constantFrom('\n', '\r\n'),
  });
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 3 }),
      length,
      fc.integer({ min: 4096, max: 3 * MAX }),
      (lines, tail, step) => {
        const whole = lines.map(({ length: units, character }) =>
          character.repeat(Math.floor(units / character.length)),
        );
        const text = lines.map(({ end }, index) => `${whole[index]}${end}`).join('') + 'y'.repeat(tail);
        const got: string[] = [];
        const cutter = new LineCutter((piece) => got.push(...linesOf(piece)));
        const encoded = Buffer.from(text);
        for (let at = 0; at < encoded.length; at += step) cutter.write(encoded.subarray(at, at + step));
        cutter.end();
        expect(Math.max(0, ...got.map((piece) => piece.length))).toBeLessThanOrEqual(MAX);
        for (const piece of got) expect(/\p{Surrogate}/u.test(piece)).toBe(false);
        expect(got.join('') === whole.join('') + 'y'.repeat(tail)).toBe(true);
        // No line is cut that need not be, and none is made up.
        const needed = [...whole, ...(tail > 0 ? ['y'.repeat(tail)] : [])];
        expect(got.length).toBe(needed.reduce((sum, each) => sum + piecesNeeded(each), 0));
      },
    ),
    { numRuns: 40 },
  );
});

/** Characters of two units may leave the last place of a piece free. */
function piecesNeeded(line: string): number {
  return Math.max(1, Math.ceil(line.length / MAX));
}
