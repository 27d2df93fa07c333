/**
 * Tests many seeds on threads: the end of a thread is reported with its seed, and nothing is left.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => {
  vi.unstubAllEnvs();
  place[Symbol.dispose]();
});

/** A system of one component whose main function is `body`. */
function system(body: string): void {
  place.write(
    'one.mjs',
    `import { component } from '${CORE_URL}';\nexport default component(async (env) => {\n${body}\n});`,
  );
  place.write(
    'config.xml',
    systemConfig('<start name="one"> <binary name="./one.mjs"/> <exit propagate="yes"/> </start>'),
  );
}

test('more seeds than one generation of threads runs are run once each, with the same result as by themselves', async (context) => {
  skipIfLong(context);
  system('await env.timer.sleep(10); env.exit(0);');
  const many = await place.run('sim', '--seeds', '1..120', '--jobs', '3', 'config.xml');
  expect(many.code, many.stderr).toBe(0);
  expect(many.stderr).toMatch(/^ginit: sim: 120 of 120 seeds: /m);
});

test('the lowest failing seed is reported, however many threads there are', async () => {
  system('env.exit(crypto.getRandomValues(new Uint8Array(1))[0] < 32 ? 5 : 0);');
  const told = new Set<string | undefined>();
  for (const jobs of ['1', '2', '4']) {
    const { code, stderr } = await place.run('sim', '--seeds', '1..60', '--jobs', jobs, 'config.xml');
    expect(code, stderr).toBe(5);
    told.add(/^ginit: sim: seed \d+: .*$/m.exec(stderr)?.[0]);
  }
  expect(told.size).toBe(1);
});

test('a seed that fills its thread’s heap gives one error that names the seed', async () => {
  vi.stubEnv('NODE_OPTIONS', '--max-old-space-size=100');
  system('const kept = []; for (;;) kept.push(new Array(1000).fill(1.5));');
  const { code, stdout, stderr } = await place.run('sim', '--seeds', '7..8', '--jobs', '1', 'config.xml');
  expect(stderr).toMatch(/^ginit: sim: seed 7: FAILED: the thread that ran it is gone; .*memory limit/m);
  expect(stdout).toBe('');
  expect(code).toBe(3);
});

test('an interrupt ends a run of many seeds at once', async () => {
  system('for (;;) await env.quota();');
  const running = place.start('sim', '--seeds', '1..100', '--jobs', '2', 'config.xml');
  const threads = (): number => {
    try {
      return Number(
        /^Threads:\s*(\d+)/m.exec(readFileSync(`/proc/${running.child.pid}/status`, 'utf8'))?.[1],
      );
    } catch {
      return 0;
    }
  };
  const before = threads();
  for (let waitedMs = 0; threads() <= before + 1 && waitedMs < 20_000; waitedMs += 20) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  running.child.kill('SIGINT');
  const { signal } = await running.finished;
  expect(signal).toBe('SIGINT');
  expect(await running.leftOver()).toEqual([]);
});
