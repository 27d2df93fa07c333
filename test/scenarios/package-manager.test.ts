/** Tests that ending npx ends ginit: it stops in order, though npx does not pass the signal on. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CORE_URL, GINIT, systemConfig, Workplace } from '../harness/ginit.ts';

/** A component that writes a file of the host when it is stopped in order. */
const STOPPED = `import { component } from '${CORE_URL}';
export default component({ host: ['file'] }, async (env) => {
  const file = await env.host.openFile('stopped', 'rw');
  env.onStop(() => file.write(new Uint8Array([49]), 0));
  await env.log('runs');
});`;

/** A component that takes a long time to be imported. */
const SLOW = `import { component } from '${CORE_URL}';
await new Promise((resolve) => setTimeout(resolve, 1500));
export default component({}, () => {});`;

const there = spawnSync('npx', ['--version']).status === 0;

/** A directory in which `npx ginit config.xml` runs ours. */
function placeWith(start: string): Workplace {
  const place = new Workplace();
  place.write('package.json', '{ "name": "place", "private": true }');
  place.write('config.xml', systemConfig(start));
  mkdirSync(place.path('node_modules/.bin'));
  symlinkSync(GINIT, place.path('node_modules/.bin/ginit'));
  writeFileSync(place.path('.npmrc'), 'offline=true\nupdate-notifier=false\n');
  return place;
}

/** Settles when a descendant of a process reads the manifests of components. */
async function readsManifests(pid: number): Promise<void> {
  const readers = (parent: number): boolean => {
    const children = spawnSync('pgrep', ['-P', String(parent), '-a'], { encoding: 'utf8' }).stdout;
    const lines = children.split('\n').filter((line) => line !== '');
    return lines.some((line) => line.includes('manifest-main') || readers(Number.parseInt(line, 10)));
  };
  while (!readers(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe.skipIf(!there)(`npx${there ? '' : ' (skipped: there is none)'}`, () => {
  test.each(['SIGTERM', 'SIGKILL', 'SIGHUP'] as const)('%s to it stops ginit in order', async (signal) => {
    using place = placeWith(
      '<start name="s"> <binary name="./stopped.mjs"/> <host> <file path="stopped" access="rw"/> </host> </start>',
    );
    place.write('stopped.mjs', STOPPED);
    place.write('stopped', '0');
    const run = place.startProgram('npx', 'ginit', 'config.xml');
    await run.until('runs');
    run.child.kill(signal);
    const { stderr } = await run.finished;
    expect(stderr).toContain('ginit: the program that has started it is gone');
    expect(await run.leftOver()).toEqual([]);
    expect(place.read('stopped')).toBe('1');
  });

  test('SIGTERM to it while the config is still being checked ends ginit, too', async () => {
    using place = placeWith('<start name="s"> <binary name="./slow.mjs"/> </start>');
    place.write('slow.mjs', SLOW);
    const run = place.startProgram('npx', 'ginit', 'config.xml');
    await readsManifests(run.child.pid ?? 0);
    run.child.kill('SIGTERM');
    const { stderr } = await run.finished;
    expect(stderr).toContain('ginit: the program that has started it is gone');
    expect(await run.leftOver()).toEqual([]);
  });
});
