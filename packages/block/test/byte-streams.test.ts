/** Messages out of and into streams of bytes. */
import { RpcError } from '@ginit/core';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader } from '../src/lib/byte-reader.ts';
import { SpareMemory } from '../src/lib/spare-memory.ts';
import { ByteWriter } from '../src/nbd/byte-writer.ts';

const ended = (text: string): Error => new RpcError('Ended', text);

function readerOf(chunks: readonly Uint8Array[]): ByteReader {
  let next = 0;
  return new ByteReader({ read: async () => chunks[next++] }, ended);
}

describe('ByteReader', () => {
  const chunk = fc.oneof(
    fc.uint8Array({ maxLength: 5 }),
    fc.uint8Array({ minLength: 1020, maxLength: 1030 }),
  );

  test('hands on the bytes as they came, whatever chunks they came in', async () => {
    const takes = fc.array(fc.nat(3000), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { maxLength: 40 }), takes, async (chunks, sizes) => {
        const whole = Buffer.concat(chunks);
        const reader = readerOf(chunks);
        const taken: Uint8Array[] = [];
        let at = 0;
        for (const size of [...sizes, whole.byteLength]) {
          const bytes = Math.min(size, whole.byteLength - at);
          await reader.fill(bytes);
          // Parts that were handed out must not change when more comes.
          if (size % 2 === 0) taken.push(...reader.takeParts(bytes));
          else taken.push(reader.take(bytes));
          at += bytes;
        }
        expect(Buffer.compare(Buffer.concat(taken), whole)).toBe(0);
      }),
    );
  });

  test('keeps bytes that come one by one together', async () => {
    const reader = readerOf(Array.from({ length: 50_000 }, (_, index) => Uint8Array.of(index)));
    await reader.fill(50_000);
    const parts = reader.takeParts(50_000);
    expect(parts.length).toBeLessThan(8);
    expect(parts.reduce((sum, { byteLength }) => sum + byteLength, 0)).toBe(50_000);
  });
});

test('memory that was given back is used again, and only so much of it is kept', () => {
  const spare = new SpareMemory(2 ** 20);
  const first = spare.take(600_000);
  expect(first.byteLength).toBe(2 ** 20);
  const [second, small] = [spare.take(2 ** 20), spare.take(1)];
  for (const memory of [first, second, small]) spare.give(memory);
  expect(spare.take(2 ** 20 - 1)).toBe(first);
  expect(spare.take(2 ** 20)).not.toBe(second);
  spare.give(small);
  expect(spare.take(100)).toBe(small);
});

describe('ByteWriter', () => {
  /** A stream that takes each write in a later turn. */
  function slowSink(): { bytes: Uint8Array[]; write: (bytes: Uint8Array) => Promise<void> } {
    const bytes: Uint8Array[] = [];
    const write = async (part: Uint8Array): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      bytes.push(part.slice());
    };
    return { bytes, write };
  }

  test('keeps the order of messages and of what is appended, and says when each has gone out', async () => {
    const step = fc.record({ kind: fc.constantFrom('message', 'append', 'wait'), bytes: fc.nat(300_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const sink = slowSink();
        const writer = new ByteWriter(sink, () => expect.unreachable('the sink takes everything'));
        const expected: Uint8Array[] = [];
        const late: number[] = [];
        let [total, fill] = [0, 0];
        for (const { kind, bytes } of steps) {
          if (kind === 'wait') {
            await new Promise((resolve) => setImmediate(resolve));
            continue;
          }
          const content = new Uint8Array(bytes).fill(++fill);
          expected.push(content);
          const end = (total += bytes);
          const done = (): void => {
            if (sink.bytes.reduce((sum, { byteLength }) => sum + byteLength, 0) < end) late.push(end);
          };
          if (kind === 'append') writer.append(content, done);
          else writer.message(bytes, done).set(content);
        }
        await writer.flush();
        expect(Buffer.compare(Buffer.concat(sink.bytes), Buffer.concat(expected))).toBe(0);
        expect(late).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  test('uses its memory again, also for an answer with 256 KiB', async () => {
    const writer = new ByteWriter(slowSink(), () => {});
    const first = writer.message(256 * 1024 + 28).buffer;
    await writer.flush();
    await writer.flush();
    const memories = new Set<ArrayBufferLike>([first]);
    for (let count = 0; count < 4; count++) {
      memories.add(writer.message(256 * 1024 + 28).buffer);
      await writer.flush();
    }
    expect(memories.size).toBeLessThanOrEqual(2);
  });

  test('never writes into memory that was appended', async () => {
    const sink = slowSink();
    const writer = new ByteWriter(sink, () => {});
    const mine = new Uint8Array(256 * 1024 + 4096).fill(1);
    writer.append(mine, () => {});
    await writer.flush();
    writer.message(1000).fill(2);
    await writer.flush();
    expect(mine.every((byte) => byte === 1)).toBe(true);
  });
});
