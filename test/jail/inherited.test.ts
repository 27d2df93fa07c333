/** Tests that descriptors which somebody has left open in ginit reach no component. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, GINIT, systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';

/** This number lies beyond a gap: Node keeps those before it to itself. */
const LEFT_OPEN = 40;
const FIRST = 3;

/**
 * Tries to write there, as code does that breaks the one rule; and by a program, if that is
 * granted.
 */
const SOURCE = `import { component } from '${CORE_URL}';
export default component({ mayHost: ['program'] }, async (env) => {
  const host = Reflect.get(globalThis, ['pro', 'cess'].join(''));
  const fs = Reflect.apply(Reflect.get(host, ['get', 'Builtin', 'Module'].join('')), host, ['node:fs']);
  try { fs.writeSync(${LEFT_OPEN}, 'written'); await env.log('open'); } catch (error) { await env.log(error.code); }
  for (const { path } of env.host.grants) {
    const program = await env.host.run(path, ['-c', 'test -e /proc/self/fd/${LEFT_OPEN}']);
    await env.log(\`program \${(await program.ended).code}\`);
  }
  await env.exit(0);
});`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

async function lines(start: string): Promise<string[]> {
  place.write('a.mjs', SOURCE);
  place.write('config.xml', systemConfig(start));
  const descriptor = openSync(place.write('left-open', ''), 'a');
  const gap = Array.from({ length: LEFT_OPEN - FIRST }, () => 'ignore' as const);
  const child = spawn(process.execPath, [GINIT, 'config.xml'], {
    cwd: place.directory,
    stdio: ['ignore', 'pipe', 'inherit', ...gap, descriptor],
  });
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  closeSync(descriptor);
  expect(code).toBe(0);
  expect(readFileSync(place.path('left-open'), 'utf8')).toBe('');
  return output.split('\n').flatMap((line) => /^\[init -> a\] (.+)$/.exec(line)?.[1] ?? []);
}

describe.skipIf(!JAILABLE)('descriptors that ginit has inherited (jails are for Linux on x64)', () => {
  test.each(['isolation="process"', 'isolation="jail"', 'isolation="process" jail="no"', ''])(
    'reach no component: %s',
    async (attributes) => {
      const start = `<start name="a" ${attributes}> <binary name="./a.mjs"/> <exit propagate="yes"/> </start>`;
      expect(await lines(start)).toEqual(['EBADF']);
    },
  );

  test('reach no program of a driver', async () => {
    const start = `<start name="a"> <binary name="./a.mjs"/> <host> <program path="/bin/sh"/> </host>
      <exit propagate="yes"/> </start>`;
    expect(await lines(start)).toEqual(['EBADF', 'program 1']);
  });
});
