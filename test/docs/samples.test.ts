/** The samples of the manuals are tried: they compile, run, and print what stands below them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT } from '../house/source-files.ts';

const TIMEOUT_MS = 600_000;

test.each(['docs/components.md', 'docs/configuration.md'])(
  'the samples of %s run and print what it says (npm run build && npm run samples)',
  { timeout: TIMEOUT_MS },
  (manual) => {
    const script = join(ROOT, 'scripts', 'docs-samples.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, '--check', manual], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(status).toBe(0);
  },
);
