/**
 * The table at the end: both kinds of memory of each component. And the depth of a driver's
 * operations on the host.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

const HOLDER = `import { component } from '${CORE_URL}';
const kept = [];
export default component(async (env) => {
  kept.push(await env.ram.allocate(1024 * 1024));
  // 20 MB of V8's heap at least: numbers that are no integers take eight bytes each.
  for (let index = 0; index < 100; index++) kept.push(Array.from({ length: 25_000 }, (_, item) => item + 0.5));
  await env.log('holds');
  env.exit(0);
});`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write('holder.mjs', HOLDER);
});
afterEach(() => place[Symbol.dispose]());

const start = (attributes: string): string =>
  `<start name="holder" ${attributes}> <binary name="./holder.mjs"/> <exit propagate="yes"/> </start>`;

/** The heap of the component in the table, in MiB, and the text about its bound. */
async function heapShown(
  config: string,
  ...options: readonly string[]
): Promise<[number, string | undefined]> {
  place.write('config.xml', config);
  const { code, stderr } = await place.run(...options, 'config.xml');
  expect(code, stderr).toBe(0);
  expect(stderr).toContain('heap used of bound');
  // The row shows its dataspace of 1 MiB, and the costs of a running component and its process.
  const row =
    /^ginit: init -> holder .* (?:1092|1220)K \((?:1092|1220)K\) of \S+ +\d+ of \d+ +([\d.]+)M(?: of (\S+))? +0$/m.exec(
      stderr,
    );
  if (!row) throw new Error(`no such row:\n${stderr}`);
  return [Number(row[1]), row[2]];
}

test('the summary shows dataspaces and heap, and the bounds of both', async () => {
  const [used, bound] = await heapShown(systemConfig(start('heap="200M"')), '--summary');
  expect(used).toBeGreaterThan(19);
  expect(used).toBeLessThan(200);
  expect(bound).toBe('200M');
});

test('without a bound the summary shows only the heap used, also for a process', async () => {
  const config = systemConfig(start('isolation="process"')).replace('<config>', '<config summary="yes">');
  const [used, bound] = await heapShown(config);
  expect(used).toBeGreaterThan(19);
  expect(bound).toBeUndefined();
});

test.runIf(process.platform === 'linux')('<host depth> sizes the pool of a driver', async () => {
  place.write(
    'idle.mjs',
    `import { component } from '${CORE_URL}';\nexport default component((env) => env.log('up'));`,
  );
  place.write('file', 'content');
  const driver = (name: string, depth: string): string =>
    `<start name="${name}"> <binary name="./idle.mjs"/> <host ${depth}> <file path="file"/> </host> </start>`;
  place.write('config.xml', systemConfig(driver('deep', 'depth="33"') + driver('plain', '')));
  const running = place.start('config.xml');
  for (const name of ['deep', 'plain']) await running.until(`[init -> ${name}] up`);
  const environments = running.processes().map((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8'));
  const sizes = environments.flatMap((text) => /UV_THREADPOOL_SIZE=(\d+)/.exec(text)?.[1] ?? []);
  running.child.kill('SIGTERM');
  expect((await running.finished).code).toBe(0);
  // Init has a process of its own as well, a jailed one where that can be had.
  const ofInit = process.arch === 'x64' ? '4' : '16';
  expect(sizes.toSorted()).toEqual(['16', '33', ofInit].toSorted());
});
