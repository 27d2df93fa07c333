/** The process that reads manifests ends with whoever started it, however early that goes. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../dist/platform/manifest/manifest-main.js', import.meta.url));

test('a reader whose ginit is gone before its modules are loaded ends by itself', async () => {
  const reader = spawn(process.execPath, [MAIN, '1', '20000'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    env: {},
  });
  reader.stdio[3]?.destroy();
  const [, signal] = await once(reader, 'exit');
  expect(signal).toBe('SIGKILL');
});
