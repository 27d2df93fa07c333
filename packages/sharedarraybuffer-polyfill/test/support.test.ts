/**
 * The other tests are skipped where memory cannot be shared: this one fails where it should be
 * possible.
 */
import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { skipReason } from './observe.ts';

function koffiIsThere(): boolean {
  try {
    createRequire(new URL('../package.json', import.meta.url))('koffi');
    return true;
  } catch {
    return false;
  }
}

const possible =
  process.platform === 'linux' && process.env['SHAREDARRAYBUFFER_POLYFILL'] !== 'off' && koffiIsThere();

test.runIf(possible)('memory can be shared where koffi is there', () => {
  expect(skipReason).toBeUndefined();
});
