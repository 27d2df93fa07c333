/**
 * Tests of components as strangers write them, with the test runner of Node, against the built
 * packages.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test, vi } from 'vitest';

vi.setConfig({ testTimeout: 300_000 });

const FILE = fileURLToPath(new URL('visitor.test.mjs', import.meta.url));
const run = promisify(execFile);

test('a file of tests that knows nothing of vitest passes by itself', async () => {
  const { stdout } = await run(process.execPath, ['--test', '--test-reporter=tap', FILE]);
  expect(stdout).toMatch(/^# pass 3$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});

test('one component can be tested in the bundled form of the packages, too', async () => {
  const flags = ['--conditions=ginit-bundle', '--test', '--test-reporter=tap', '--test-name-pattern=greeted'];
  const { stdout } = await run(process.execPath, [...flags, FILE]);
  expect(stdout).toMatch(/^ok 1 - the visitor is greeted after a minute$/m);
  expect(stdout).toMatch(/^# fail 0$/m);
});
