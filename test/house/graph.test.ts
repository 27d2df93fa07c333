/** Tests that the picture of the rooms in the docs is the one that the code gives. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from './source-files.ts';

test('docs/rooms.svg shows the imports as they are (npm run graph draws it anew)', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts', 'graph.mjs'), '--check']);
  expect(status, stderr.toString()).toBe(0);
});
