/** What a component gets to see of the memory into which Node reads streams. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { NodeSource } from '../src/platform/thread/host-access/node-streams.ts';

/** A stream of one chunk. */
function sourceOf(chunk: Uint8Array): NodeSource {
  const stream = new Readable({ read: () => {} });
  stream.push(chunk);
  stream.push(null);
  return new NodeSource(stream, { what: 'stream', path: 'test' });
}

test('bytes out of a pool come as a copy: nothing else of the pool is within reach', async () => {
  const pooled = Buffer.from('a few bytes');
  expect(pooled.buffer.byteLength).toBeGreaterThan(pooled.byteLength);
  const bytes = await sourceOf(pooled).read();
  expect(bytes).toEqual(new Uint8Array(pooled));
  expect(bytes?.buffer.byteLength).toBe(pooled.byteLength);
});

test('a chunk in memory of its own comes as it is, and is a plain array', async () => {
  const chunk = Buffer.alloc(60_000, 7);
  const bytes = await sourceOf(chunk).read();
  expect(bytes?.buffer).toBe(chunk.buffer);
  expect(bytes?.constructor).toBe(Uint8Array);
  expect(bytes?.byteLength).toBe(60_000);
});
