/** The report of the cache's state. */
import { writeXml } from '@ginit/core/config';
import { expect, test } from 'vitest';
import { cacheReport } from '../src/cache-report.ts';
import { FakeDevice } from './fake-device.ts';
import { makeCache } from './make-cache.ts';

test('fits its buffer, however many clients there are: some are left out, and counted', () => {
  const cache = makeCache(new FakeDevice(1000, 64), { slots: 64 });
  for (let number = 0; number < 3000; number++) cache.join(`init -> client ${number} -> disk`);
  for (const bufferBytes of [4096, 16_384, 2 ** 20]) {
    const report = cacheReport(cache, bufferBytes);
    expect(Buffer.byteLength(writeXml(report))).toBeLessThanOrEqual(bufferBytes);
    const shown = report.childrenOf('client').length;
    expect(shown).toBeGreaterThan(10);
    expect(shown + Number(report.value('clients_left_out') ?? 0)).toBe(3000);
  }
  expect(cacheReport(cache, 2 ** 20).has('clients_left_out')).toBe(false);
});
