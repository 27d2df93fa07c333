import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeText, encodeText, entryName } from '../src/vnode/names.ts';

test('valid UTF-8 is what the platform says', () => {
  const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
    const bytes = new TextEncoder().encode(text);
    expect(decodeText(bytes)).toBe(text);
    expect(encodeText(text)).toEqual(bytes);
  });
  fc.assert(property, { numRuns: 1000 });
});

test('every sequence of bytes has a string of its own that leads back to it', () => {
  const byte = fc.oneof(
    fc.nat(255),
    fc.constantFrom(0x80, 0xbf, 0xc0, 0xc3, 0xe0, 0xed, 0xa0, 0xf0, 0xf4, 0x90, 0xff),
  );
  const property = fc.property(fc.array(byte, { maxLength: 12 }), (numbers) => {
    const bytes = Uint8Array.from(numbers);
    expect(encodeText(decodeText(bytes))).toEqual(bytes);
    const valid = new TextDecoder('utf-8', { ignoreBOM: true });
    if (!valid.decode(bytes).includes('\ufffd')) expect(decodeText(bytes)).toBe(valid.decode(bytes));
  });
  fc.assert(property, { numRuns: 5000 });
});

test('names that are none', () => {
  for (const text of ['', '.', '..', 'a/b', '\0', '\ud800', '\udc2f']) {
    expect(() => entryName(text, 255)).toThrow(expect.objectContaining({ code: 'InvalidName' }));
  }
  expect(() => entryName('ä'.repeat(128), 255)).toThrow(expect.objectContaining({ code: 'NameTooLong' }));
  expect(entryName('...', 255).bytes).toEqual(Uint8Array.of(46, 46, 46));
});
