/** Names as strings and bytes, directory entries in the bulk buffer. */
import { decodeName, encodeName } from '@ginit/core/file_system';
import { decodeDirectoryEntries, encodeDirectoryEntry } from '../src/session/file_system/directory-entry.ts';
import { checkedName, fromNameData, splitPath, toNameData } from '../src/session/file_system/names.ts';
import fc from 'fast-check';
import { expect, test } from 'vitest';

test('every sequence of bytes has a name of its own', () => {
  const byte = fc.oneof(
    fc.nat(255),
    fc.constantFrom(0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0xed, 0xa0, 0xbf),
  );
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 40 }), (list) => {
      const bytes = Uint8Array.from(list);
      expect(encodeName(decodeName(bytes))).toEqual(bytes);
      expect(fromNameData(toNameData(decodeName(bytes)))).toBe(decodeName(bytes));
    }),
    { numRuns: 3000 },
  );
});

test('valid UTF-8 is its characters, a byte order mark included', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => {
      expect(decodeName(new TextEncoder().encode(name))).toBe(name);
      expect(toNameData(name)).toBe(name);
    }),
  );
  expect(decodeName(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))).toBe('\ufeffa');
  expect(() => encodeName('\udc7f')).toThrow(/surrogate/);
});

test('names of components', () => {
  expect(checkedName('a'.repeat(255))).toHaveLength(255);
  for (const wrong of ['', '.', '..', 'a/', '\0', 'é'.repeat(128)])
    expect(() => checkedName(wrong)).toThrow();
  expect(checkedName('...')).toBe('...');
});

test('paths are cut before their last component', () => {
  const cut = (path: string): unknown[] => Object.values(splitPath(path));
  expect(cut('/a/b')).toEqual(['/a', 'b', false]);
  expect(cut('/a')).toEqual(['/', 'a', false]);
  expect(cut('/a//b//')).toEqual(['/a/', 'b', true]);
  expect(cut('/')).toEqual(['/', '', true]);
  expect(cut('///')).toEqual(['/', '', true]);
});

test('entries survive the buffer; anything else is refused', () => {
  const entry = { name: 'é\udcff', type: 'fifo', inode: 2 ** 52 + 1 } as const;
  const buffer = new Uint8Array(272).fill(0xff);
  encodeDirectoryEntry(entry, buffer);
  expect(decodeDirectoryEntries(buffer)).toEqual([entry]);
  const changed = (change: (bytes: Uint8Array) => void): Uint8Array => {
    const copy = buffer.slice();
    change(copy);
    return copy;
  };
  const wrong = [
    changed((bytes) => bytes.set([7], 8)),
    changed((bytes) => bytes.set([0], 9)),
    changed((bytes) => bytes.set([255], 9)),
    changed((bytes) => bytes.set([0x2f], 10)),
    changed((bytes) => bytes.set([0xff], 7)),
    buffer.slice(0, 271),
  ];
  for (const bytes of wrong) expect(() => decodeDirectoryEntries(bytes)).toThrow(/malformed/);
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 272, maxLength: 272 }), (bytes) => {
      try {
        decodeDirectoryEntries(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: 'Corrupt' });
      }
    }),
  );
});
