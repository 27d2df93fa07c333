/** The process that reads manifests ends with whoever started it, however early that goes. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../dist/platform/process/manifest-main.js', import.meta.url));

test('a reader whose ginit is gone before its modules are loaded ends by itself', async () => {
  const reader = fork(MAIN, ['1', '20000'], { stdio: 'ignore', env: {}, execArgv: [] });
  reader.disconnect();
  const [code] = await once(reader, 'exit');
  expect(code).toBe(0);
});
