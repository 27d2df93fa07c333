import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOfText, textOfBytes } from '../src/byte-text.ts';

test('valid UTF-8 is what the platform says', () => {
  const property = fc.property(fc.string({ unit: 'binary' }), (text) => {
    const bytes = new TextEncoder().encode(text);
    expect(textOfBytes(bytes)).toBe(text);
    expect(bytesOfText(text)).toEqual(bytes);
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
    expect(bytesOfText(textOfBytes(bytes))).toEqual(bytes);
    const valid = new TextDecoder('utf-8', { ignoreBOM: true });
    if (!valid.decode(bytes).includes('\ufffd')) expect(textOfBytes(bytes)).toBe(valid.decode(bytes));
  });
  fc.assert(property, { numRuns: 5000 });
});

test('a surrogate that stands for no byte has no bytes', () => {
  for (const text of ['\ud800', 'a\udc2f', '\udfff\ud83d']) expect(bytesOfText(text)).toBe(undefined);
  expect(bytesOfText('a\udcff')).toEqual(Uint8Array.of(0x61, 0xff));
});
