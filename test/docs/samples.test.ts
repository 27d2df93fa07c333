/** The samples of the manuals are tried: they compile, run, and print what stands below them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { ROOT } from '../house/source-files.ts';

const TIMEOUT_MS = 600_000;

test.for(['docs/components.md', 'docs/configuration.md'])(
  'the samples of %s run and print what it says (npm run build && npm run samples)',
  { timeout: TIMEOUT_MS },
  (manual, context) => {
    skipIfLong(context, manual === 'docs/configuration.md');
    const script = join(ROOT, 'scripts', 'docs-samples.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, '--check', manual], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  },
);
