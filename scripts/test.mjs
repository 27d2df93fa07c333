// Sets up, then runs every test. The last line counts them. Arguments go to vitest: npm test --
// test/conformance
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installOracles } from './oracles.mjs';
import { compile, root, setUp } from './setup.mjs';

await setUp();
compile([]);
installOracles();

const directory = mkdtempSync(join(tmpdir(), 'ginit-test-'));
const report = join(directory, 'report.json');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const { status } = spawnSync(process.execPath, [vitest, 'run', ...reporters, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});

let failed = status !== 0;
try {
  const counts = JSON.parse(readFileSync(report, 'utf8'));
  const skipped = counts.numPendingTests + counts.numTodoTests;
  console.log(`${counts.numPassedTests} passed, ${counts.numFailedTests} failed, ${skipped} skipped`);
} catch {
  failed = true;
  console.log('0 passed, 1 failed, 0 skipped');
}
rmSync(directory, { recursive: true, force: true });
process.exitCode = failed ? 1 : 0;
