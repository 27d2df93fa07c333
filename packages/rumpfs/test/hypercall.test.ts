import { ReaderWriterLock } from '@ginit/core/async';
import { expect, test } from 'vitest';
import { readBytes } from '../src/hypercall/read-bytes.ts';
import { WAITERS, WAITERS_MAX } from '../src/hypercall/waiters.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';

test('a lock that too many wait for refuses the next one as busy', async () => {
  const lock = new ReaderWriterLock(WAITERS);
  await lock.exclusive();
  const waiting = Array.from({ length: WAITERS_MAX }, () => lock.shared());
  await expect(lock.shared()).rejects.toMatchObject({ code: 'Busy' });
  lock.releaseExclusive();
  await Promise.all(waiting);
});

test('bytes that begin and end within sectors are read', async () => {
  const bytes = Uint8Array.from({ length: 16_384 }, (_unused, index) => index % 251);
  const { bio } = new MemoryHypercalls(bytes, { sectorSizeBytes: 4096 });
  expect(await readBytes(bio, 1024, 1024)).toEqual(bytes.slice(1024, 2048));
  expect(await readBytes(bio, 4000, 5000)).toEqual(bytes.slice(4000, 9000));
});
