import { expect, test } from 'vitest';
import { ViewCache } from '../src/packet-stream/view-cache.ts';

test.each([
  [4096, 256],
  [16_384, 64],
  [65_536, 32],
  [1_048_576, 4],
])('views of packets of %i bytes are made once, for %i packets at a time', (size, packets) => {
  const bulk = new Uint8Array(new SharedArrayBuffer(size * packets));
  const cache = new ViewCache(bulk, 12);
  const all = (): Uint8Array[] =>
    Array.from({ length: packets }, (_, index) => cache.view(index * size, size));
  const first = all();
  expect(first.map((view) => view.byteOffset)).toEqual(first.map((_, index) => index * size));
  for (const [index, view] of all().entries()) expect(view).toBe(first[index]);
});
