import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { childNameProblem, Label, LabelError, labelProblem, labelWithin, splitLabel } from '../src/label.ts';

describe('Label', () => {
  it('splits at the last separator', () => {
    const label = new Label('init -> fs -> block');
    expect(label.last).toBe('block');
    expect(label.prefix).toBe('init -> fs');
    expect(label.identity).toBe('init -> fs');
    expect(label.elements).toEqual(['init', 'fs', 'block']);
    expect(`${label}`).toBe('init -> fs -> block');
    expect(label.within('init')).toBe('fs -> block');
    expect(label.within('fs')).toBeUndefined();
  });

  it.each([
    ['', '', ''],
    ['block', '', 'block'],
    ['fs -> ', 'fs', ''],
    [' -> x', '', 'x'],
    ['a->b', '', 'a->b'],
    ['a  ->  b', 'a ', ' b'],
    ['a -> b -> ', 'a -> b', ''],
  ])('%j', (text, prefix, last) => {
    expect(splitLabel(text)).toEqual({ prefix, last });
  });

  it('prepends the name of a child, also to an empty label', () => {
    expect(new Label('').prepend('fs').text).toBe('fs -> ');
    expect(new Label('block').prepend('fs').prepend('init').text).toBe('init -> fs -> block');
  });

  it('takes apart what it put together', () => {
    const name = fc.string({ maxLength: 20 }).filter((text) => childNameProblem(text) === undefined);
    const client = fc.string({ maxLength: 20 }).filter((text) => labelProblem(text) === undefined);
    fc.assert(
      fc.property(name, client, (child, text) => {
        const label = new Label(text).prepend(child);
        expect(labelWithin(label.text, child)).toBe(text);
        expect(label.startsWith(child) && label.endsWith(text)).toBe(true);
      }),
    );
  });

  it('is never cut: a text that is too long is refused', () => {
    expect(new Label('x'.repeat(160)).text.length).toBe(160);
    expect(() => new Label('x'.repeat(161))).toThrow(LabelError);
    expect(() => new Label('é'.repeat(81))).toThrow('longer than 160 bytes');
    expect(new Label('é'.repeat(80)).text.length).toBe(80);
    expect(() => new Label('x'.repeat(155)).prepend('ab')).toThrow(LabelError);
    expect(new Label('x'.repeat(154)).prepend('ab').text.length).toBe(160);
  });

  it('holds no control characters, which could forge log lines', () => {
    for (const text of ['a\nb', 'a\u0000', '\u001b[31m', '\u2028', '\u0085', '\ud800']) {
      expect(() => new Label(text)).toThrow(LabelError);
    }
    expect(new Label('"quoted", with = and ümlaut 🙂').text).toBeDefined();
  });
});

describe('childNameProblem', () => {
  it.each(['fs', 'a.b', 'a b', 'part_block-2', 'ümlaut', 'a > b', 'x'.repeat(64)])('accepts %j', (name) => {
    expect(childNameProblem(name)).toBeUndefined();
  });
  it.each([
    ['', 'which is empty'],
    ['a -> b', 'which holds "->", the separator of labels'],
    ['a ->', 'which holds "->", the separator of labels'],
    [' a', 'which begins or ends with a space'],
    ['a\n', 'which holds control characters'],
    ['x'.repeat(65), 'which is longer than 64 bytes'],
    ['\udfff', 'which is not well-formed text'],
  ])('refuses %j', (name, problem) => {
    expect(childNameProblem(name)).toBe(problem);
  });
});
