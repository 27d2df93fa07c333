/** Tests that the manuals describe configs as the schemas do. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './source-files.ts';

test('the tables of attributes in the manuals are those of the schemas (npm run build && npm run tables)', () => {
  const script = join(ROOT, 'scripts', 'attribute-tables.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
