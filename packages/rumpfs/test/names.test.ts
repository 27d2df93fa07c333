import { expect, test } from 'vitest';
import { entryName } from '../src/vnode/names.ts';

test('invalid names are refused', () => {
  for (const text of ['', '.', '..', 'a/b', '\0', '\ud800', '\udc2f']) {
    expect(() => entryName(text, 255)).toThrow(expect.objectContaining({ code: 'InvalidName' }));
  }
  expect(() => entryName('ä'.repeat(128), 255)).toThrow(expect.objectContaining({ code: 'NameTooLong' }));
  expect(entryName('...', 255).bytes).toEqual(Uint8Array.of(46, 46, 46));
});
