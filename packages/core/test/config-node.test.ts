import { describe, expect, it } from 'vitest';
import { ConfigNode, formatBytes, parseBoolean, parseBytes, parseInteger } from '../src/config/index.ts';

const at = (line: number, column: number) => ({ file: 'config.xml', line, column });

function node(attributes: Record<string, string>): ConfigNode {
  const entries = Object.entries(attributes).map(
    ([name, value], index) => [name, { value, position: at(12, 5 + 10 * index) }] as const,
  );
  return new ConfigNode('cache', { position: at(12, 1), attributes: entries });
}

describe('ConfigNode', () => {
  it('gives attributes as they were written, with their places', () => {
    const cache = node({ mode: 'back', count: '-12' });
    expect(cache.has('mode')).toBe(true);
    expect(cache.has('name')).toBe(false);
    expect(cache.value('count')).toBe('-12');
    expect(cache.value('name')).toBeUndefined();
    expect(cache.errorAt('bad', 'count').message).toBe('config.xml:12:15: bad');
    expect(cache.errorAt('bad', 'name').message).toBe('config.xml:12:1: bad');
  });

  it('finds children and drops blank text beside them', () => {
    const children = ['a', 'b', 'a'].map((type) => new ConfigNode(type));
    const parent = new ConfigNode('parent', { children, text: '\n  ' });
    expect(parent.text).toBe('');
    expect(parent.child('a')).toBe(children[0]);
    expect(parent.child('c')).toBeUndefined();
    expect(parent.childrenOf('a')).toEqual([children[0], children[2]]);
    expect(new ConfigNode('parent', { text: ' ' }).text).toBe(' ');
    expect(ConfigNode.empty('config').children).toEqual([]);
  });

  it('makes nodes for reports', () => {
    const made = ConfigNode.make('ram', { quota: 4096, free: undefined, low: false }, 'x');
    expect([...made.attributes].map(([name, { value }]) => [name, value])).toEqual([
      ['quota', '4096'],
      ['low', 'no'],
    ]);
    expect(made.text).toBe('x');
    expect(made.errorAt('bad').message).toBe('(generated):1:1: bad');
  });
});

describe('values', () => {
  it.each([
    ['0', 0],
    ['007', 7],
    ['-1', -1],
    ['-0', 0],
    ['0xff', 255],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
    ['9007199254740992', undefined],
    ['0xffffffffffffffff', undefined],
    ['99999999999999999999999', undefined],
    ['', undefined],
    [' 1', undefined],
    ['1 ', undefined],
    ['1.0', undefined],
    ['+1', undefined],
    ['0x', undefined],
    ['1_000', undefined],
    ['١', undefined],
  ])('parseInteger(%j)', (text, value) => {
    expect(parseInteger(text)).toBe(value);
  });

  it.each([
    ['0', 0],
    ['512', 512],
    ['4K', 4096],
    ['1G', 1024 ** 3],
    ['8388607G', 8388607 * 1024 ** 3],
    ['8388608G', undefined],
    ['9999999999999999999G', undefined],
    ['-1', undefined],
    ['K', undefined],
    ['4k', undefined],
    ['4KB', undefined],
    ['4 K', undefined],
    ['0x10', undefined],
    ['', undefined],
  ])('parseBytes(%j)', (text, value) => {
    expect(parseBytes(text)).toBe(value);
  });

  it('formatBytes and parseBytes agree', () => {
    for (const value of [0, 1, 1023, 1024, 1536, 4096, 1024 ** 2 * 3, 1024 ** 3, 1024 ** 3 + 1024]) {
      expect(parseBytes(formatBytes(value))).toBe(value);
    }
    expect(formatBytes(320 * 1024)).toBe('320K');
  });

  it('parseBoolean knows six words and no other', () => {
    expect(['yes', 'true', 'on'].map(parseBoolean)).toEqual([true, true, true]);
    expect(['no', 'false', 'off'].map(parseBoolean)).toEqual([false, false, false]);
    expect(['Yes', '1', '0', '', ' yes'].map(parseBoolean)).toEqual(Array(5).fill(undefined));
  });
});
