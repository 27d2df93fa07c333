/** Two ends that measure together: when one of them is gone, the other does not wait for it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const harness = (name: string): string => JSON.stringify(new URL(`./harness/${name}`, import.meta.url).href);

/** The exit code of a program whose server ends before its client has any figures. */
function exitOf(text: string): number | null {
  const directory = mkdtempSync(join(tmpdir(), 'ginit-pair-'));
  try {
    const file = join(directory, 'pair.mjs');
    writeFileSync(file, text);
    return spawnSync(process.execPath, [file, '{}'], { timeout: 60_000 }).status;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const FOR_EVER = '() => new Promise((resolve) => setTimeout(resolve, 2 ** 30))';

test('of two processes', () => {
  const text = `import { runProcessPair } from ${harness('process-pair.mjs')};
    await runProcessPair(import.meta.url, { server: () => process.exit(3), client: ${FOR_EVER} });`;
  expect(exitOf(text)).toBe(1);
});

test('of two threads', () => {
  const text = `import { runPair } from ${harness('pair.mjs')};
    await runPair(import.meta.url, { server: () => process.exit(3), client: ${FOR_EVER} });`;
  expect(exitOf(text)).toBe(1);
});
