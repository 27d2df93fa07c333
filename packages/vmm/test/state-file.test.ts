/** The file with the state of a machine. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FRAME_BYTES_MAX, STATE_MAGIC, StateReader, StateWriter } from '../src/state/state-file.ts';
import { readBlock, readJson, StateError, u32Bytes, writeJson } from '../src/state/state-stream.ts';
import { MemoryFile } from './memory-file.ts';

async function fileOf(...pieces: readonly Uint8Array[]): Promise<MemoryFile> {
  const file = new MemoryFile();
  const writer = new StateWriter(file);
  await writer.begin();
  for (const piece of pieces) await writer.write(piece);
  await writer.end();
  expect(writer.sizeBytes).toBe(file.bytes.byteLength);
  return file;
}

async function contentOf(file: MemoryFile, ...lengths: readonly number[]): Promise<Uint8Array> {
  const reader = new StateReader(file);
  await reader.begin();
  const pieces: Uint8Array[] = [];
  for (const length of lengths) pieces.push((await reader.read(length)).slice());
  await reader.end();
  return Buffer.concat(pieces);
}

const piece = fc.uint8Array({ maxLength: 300 });

test('what was written is read, in whatever pieces', async () => {
  const pieces = fc.array(piece, { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(pieces, pieces, async (written, cuts) => {
      const content = Buffer.concat(written);
      let left = content.byteLength;
      const lengths = cuts.map(({ byteLength }) => {
        const length = Math.min(left, byteLength);
        left -= length;
        return length;
      });
      expect(Buffer.from(await contentOf(await fileOf(...written), ...lengths, left))).toEqual(content);
    }),
  );
});

test('what is larger than a frame is read across several', async () => {
  const large = Uint8Array.from({ length: 2 * FRAME_BYTES_MAX + 3 }, (_, index) => index % 251);
  const file = await fileOf(large.subarray(0, 5), large.subarray(5));
  expect(Buffer.compare(await contentOf(file, 7, large.byteLength - 7), large)).toBe(0);
  const reader = new StateReader(file);
  await reader.begin();
  const place = new Uint8Array(large.byteLength);
  await reader.readInto(place.subarray(0, 3));
  place.set(await reader.read(9), 3);
  await reader.readInto(place.subarray(12));
  await reader.end();
  expect(Buffer.compare(place, large)).toBe(0);
});

test('a frame is read while the one before is used, and no further ahead', async () => {
  const file = await fileOf(new Uint8Array(4 * FRAME_BYTES_MAX));
  const reads: number[] = [];
  const watched = {
    read: (position: number, into: Uint8Array) => {
      reads.push(into.byteLength);
      return file.read(position, into);
    },
  };
  const reader = new StateReader(watched);
  await reader.begin();
  await reader.read(1);
  await reader.settled();
  expect(reads.filter((bytes) => bytes > FRAME_BYTES_MAX)).toHaveLength(2);
  await reader.skip();
  await reader.settled();
});

test('a file that was changed, cut off or added to is refused by one error, and nothing is believed', async () => {
  const change = fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), at: fc.nat(), bits: fc.integer({ min: 1, max: 255 }) }),
    fc.record({ kind: fc.constant('cut' as const), at: fc.nat() }),
    fc.record({ kind: fc.constant('insert' as const), at: fc.nat(), bytes: fc.uint8Array({ minLength: 1 }) }),
    fc.record({ kind: fc.constant('word' as const), at: fc.nat(), word: fc.nat(0xffff_ffff) }),
  );
  await fc.assert(
    fc.asyncProperty(piece, piece, change, async (one, two, changed) => {
      const { bytes } = await fileOf(one, two);
      const at = changed.at % bytes.byteLength;
      const other = changedBytes(bytes, at, changed);
      if (Buffer.compare(other, bytes) === 0) return;
      const read = contentOf(new MemoryFile(other), one.byteLength, two.byteLength);
      await expect(read).rejects.toThrow(StateError);
    }),
    { numRuns: 200 },
  );
});

type Change =
  | { kind: 'flip'; bits: number }
  | { kind: 'cut' }
  | { kind: 'insert'; bytes: Uint8Array }
  | { kind: 'word'; word: number };

function changedBytes(bytes: Uint8Array, at: number, change: Change): Uint8Array {
  const other = bytes.slice();
  switch (change.kind) {
    case 'flip':
      other[at] = (other[at] ?? 0) ^ change.bits;
      return other;
    case 'cut':
      return other.subarray(0, at);
    case 'insert':
      return Buffer.concat([other.subarray(0, at), change.bytes, other.subarray(at)]);
    case 'word':
      other.set(u32Bytes(change.word).subarray(0, other.byteLength - at), at);
      return other;
  }
}

test('a frame that claims to be large takes no memory', async () => {
  const file = new MemoryFile(
    Buffer.concat([Buffer.from(STATE_MAGIC), u32Bytes(0xffff_ffff), u32Bytes(0), Buffer.alloc(64)]),
  );
  await expect(contentOf(file, 1)).rejects.toThrow('it is damaged before byte');
});

test('the parts of a state are bounded, and are what they should be', async () => {
  const reader = async (bytes: Uint8Array): Promise<StateReader> => {
    const one = new StateReader(await fileOf(u32Bytes(bytes.byteLength), bytes));
    await one.begin();
    return one;
  };
  const word = new TextEncoder().encode('word');
  await expect(readBlock(await reader(word), 3)).rejects.toThrow('a part of it has 4 bytes, more than 3');
  await expect(readJson(await reader(word), 100)).rejects.toThrow('a part of it is no JSON');
  const file = new MemoryFile();
  const writer = new StateWriter(file);
  await writer.begin();
  await writeJson(writer, { a: [1] });
  await writer.end();
  const whole = new StateReader(file);
  await whole.begin();
  expect(await readJson(whole, 100)).toEqual({ a: [1] });
  await whole.end();
});

test('a state of another format is named', async () => {
  const file = await fileOf();
  const other = file.bytes.slice();
  other[STATE_MAGIC.length - 2] = '2'.charCodeAt(0);
  await expect(contentOf(new MemoryFile(other))).rejects.toThrow('it is of another format');
});
