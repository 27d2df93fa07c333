/** The ring of a trace: what is written is read once, in order, or counted as lost. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entryBytes, readEntries, type TraceContext } from '../src/trace/event.ts';
import { RingReader } from '../src/trace/ring-reader.ts';
import { RingWriter } from '../src/trace/ring-writer.ts';
import { propertyRuns } from '../../../test/property-runs.ts';

const SIZE_BYTES = 4096;
const CONTEXT: TraceContext = {
  trace: [1, 2, 3, 0xffff_ffff],
  span: [7, 0xffff_fffe],
  parent: [7, 8],
};

function ringOf(sizeBytes = SIZE_BYTES) {
  const memory = new SharedArrayBuffer(sizeBytes);
  const writer = new RingWriter(memory, sizeBytes);
  const reader = new RingReader(memory, sizeBytes);
  const write = (content: string | Uint8Array): boolean =>
    writer.write(7, 1, 5, 12.5, 99, CONTEXT, content, 1024);
  return { memory, writer, reader, write };
}

const decoder = new TextDecoder();

test('an event comes out as it went in', () => {
  const { writer, reader, write } = ringOf();
  write('hällo');
  writer.sizeNewest(123);
  const { entries, lost } = reader.read();
  expect(lost).toBe(0);
  expect(readEntries(entries)).toEqual([
    {
      sequence: 0,
      hook: 'checkpoint',
      failed: true,
      peer: 5,
      timeUs: 12.5,
      bytes: 123,
      context: CONTEXT,
      content: new TextEncoder().encode('hällo'),
    },
  ]);
  expect(reader.read()).toEqual({ entries: new Uint8Array(0), lost: 0 });
});

test('content that is too long is not written', () => {
  const { writer, reader } = ringOf();
  expect(writer.write(0, 0, 0, 0, 0, undefined, 'x'.repeat(11), 10)).toBe(false);
  expect(writer.write(0, 0, 0, 0, 0, undefined, 'ä'.repeat(6), 10)).toBe(false);
  expect(writer.write(0, 0, 0, 0, 0, undefined, 'x'.repeat(writer.contentBytesMax + 1), 4096)).toBe(false);
  expect(writer.write(0, 0, 0, 0, 0, undefined, 'x'.repeat(writer.contentBytesMax), 4096)).toBe(true);
  expect(readEntries(reader.read().entries)).toHaveLength(1);
});

test('whatever is written and read when: each event comes once, in order, or is counted as lost', () => {
  const step = fc.oneof(
    fc.record({ write: fc.integer({ min: 1, max: 60 }), bytes: fc.integer({ min: 0, max: 400 }) }),
    fc.constant('read' as const),
  );
  const sizes = fc.integer({ min: SIZE_BYTES, max: 20_000 });
  fc.assert(
    fc.property(sizes, fc.array(step, { maxLength: 60 }), (sizeBytes, steps) => {
      const { reader, write } = ringOf(sizeBytes);
      let written = 0;
      let next = 0;
      const read = (): void => {
        const { entries, lost } = reader.read();
        next += lost;
        for (const event of readEntries(entries)) {
          expect(event.sequence).toBe(next);
          expect(Number.parseInt(decoder.decode(event.content), 10)).toBe(next);
          next++;
        }
        expect(next).toBe(written);
      };
      for (const one of steps) {
        if (one === 'read') read();
        else {
          for (let count = 0; count < one.write; count++) {
            expect(write(`${written} ${'x'.repeat(one.bytes)}`.slice(0, 380))).toBe(true);
            written++;
          }
        }
      }
      read();
    }),
    { numRuns: propertyRuns(300) },
  );
});

test('what was written shortly before an overrun is kept: seven eighths of the ring at least', () => {
  const { reader, write } = ringOf(64 * 1024);
  for (let index = 0; index < 10_000; index++) write(String(index));
  const { entries, lost } = reader.read();
  expect(entries.length).toBeGreaterThan((64 * 1024 * 7) / 8 - 1024);
  expect(lost + readEntries(entries).length).toBe(10_000);
});

describe('a writer that lies', () => {
  test('memory with any content is read to an end', () => {
    const words = fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), {
      minLength: 40,
      maxLength: 40,
    });
    fc.assert(
      fc.property(words, fc.uint8Array({ minLength: 64, maxLength: 512 }), (heads, body) => {
        const { memory, reader, write } = ringOf();
        for (let index = 0; index < 20; index++) write('honest');
        new Uint8Array(memory).set(body, 192);
        // The magic number and the size of a segment stay, so that the rest is looked at.
        new Int32Array(memory).set(heads, 2);
        for (let times = 0; times < 3; times++) {
          const { entries } = reader.read();
          expect(entries.length).toBeLessThanOrEqual(2 * SIZE_BYTES + 1024);
          readEntries(entries);
        }
      }),
      { numRuns: propertyRuns(500) },
    );
  });

  test('entries with any content are read to an end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(readEntries(bytes).length).toBeLessThanOrEqual(bytes.length / entryBytes(0));
      }),
      { numRuns: propertyRuns(500) },
    );
  });
});
