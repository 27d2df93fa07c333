/**
 * Without koffi, or switched off, everything loads and works within one process, and says why not
 * beyond.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const PROGRAM = `
import * as polyfill from './dist/index.js';
const { SharedAtomics, SharedMemory } = polyfill;
const memory = SharedMemory.create(4096, { readOnlyForOthers: true });
const words = memory.words();
const attempt = (action) => { try { return action(); } catch (error) { return error.code + ': ' + error.message; } };
const waiting = SharedAtomics.waitAsync(words, 0, 0);
const notified = SharedAtomics.notify(words, 0);
const alive = setInterval(() => {}, 1000);
const outcome = await waiting.value;
clearInterval(alive);
console.log(JSON.stringify({
  support: polyfill.support(), shared: memory.shared, bytes: memory.bytes().length, notified, outcome,
  wait: SharedAtomics.wait(words, 0, 0, 1), add: SharedAtomics.add(words, 1, 5),
  descriptor: attempt(() => memory.descriptor), create: attempt(() => polyfill.createMemory(1)),
  open: attempt(() => SharedMemory.open(0, 4096)), socket: attempt(() => polyfill.DescriptorSocket.pair()),
  futex: attempt(() => polyfill.futexWake(words, 0)), isShared: polyfill.isShared(words),
}));
memory.close();
`;

let directory = '';
beforeAll(() => {
  // Out of reach of any node_modules: importing koffi fails there as it does where it is not
  // installed.
  directory = mkdtempSync(join(tmpdir(), 'polyfill-'));
  cpSync(join(PACKAGE, 'dist'), join(directory, 'dist'), { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  writeFileSync(join(directory, 'program.mjs'), PROGRAM);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function run(path: string, environment: Record<string, string>): Record<string, unknown> {
  // Package managers may set NODE_PATH for what they run, and koffi would be found all the same.
  const env = { ...process.env, NODE_PATH: '', ...environment };
  const options = { env, encoding: 'utf8', timeout: 30_000 } as const;
  const { stdout, stderr } = spawnSync(process.execPath, [path], options);
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

function expectOneProcessOnly(result: Record<string, unknown>, reason: string): void {
  expect(result).toMatchObject({ support: { shared: false, reason }, shared: false, isShared: false });
  expect(result).toMatchObject({ bytes: 4096, notified: 1, outcome: 'ok', wait: 'timed-out', add: 0 });
  for (const name of ['descriptor', 'create', 'open', 'socket']) {
    expect(result[name]).toContain('NotSupported');
    expect(result[name]).toContain(reason);
  }
  expect(result['futex']).toContain('InvalidArgument');
}

test.runIf(process.platform === 'linux')('without koffi', () => {
  const reason = 'koffi is not installed or cannot be loaded: npm install koffi';
  expectOneProcessOnly(run(join(directory, 'program.mjs'), {}), reason);
});

test('switched off', () => {
  const reason = 'switched off by SHAREDARRAYBUFFER_POLYFILL=off';
  expectOneProcessOnly(run(join(directory, 'program.mjs'), { SHAREDARRAYBUFFER_POLYFILL: 'off' }), reason);
});
