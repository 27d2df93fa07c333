/**
 * Tests that the simulator finds races, calls without an answer, and the consequences of faults.
 */
import { cpSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { skipIfLong } from '../harness/long.ts';
import { DiskImage, missingTools } from '../harness/disk-image.ts';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

const EXAMPLES = new URL('../../examples/', import.meta.url).pathname;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

function copyRace(): void {
  for (const name of ['door.mjs', 'visitor.mjs', 'careful-visitor.mjs', 'race.xml', 'fixed.xml']) {
    const text = readFileSync(`${EXAMPLES}race/${name}`, 'utf8');
    place.write(name, text.replace(`'@ginit/core'`, `'${CORE_URL}'`));
  }
}

test('the race of the documentation is found within 100 seeds, and its seed repeats it', async () => {
  copyRace();
  const many = await place.simulate('--seeds', '1..100', 'race.xml');
  expect(many.code, many.stderr).toBe(3);
  const [, seed = '', rest = ''] =
    /^ginit: sim: seed (\d+): (FAILED: nothing can happen any more.*)$/m.exec(many.stderr) ?? [];
  const one = await place.simulate('--seed', seed, 'race.xml');
  expect(one.stderr).toContain(`seed ${seed}: ${rest}`);
  expect(one.code).toBe(3);
  const fixed = await place.simulate('--seeds', `${seed}..${Number(seed) + 3}`, 'fixed.xml');
  expect(fixed.code, fixed.stderr).toBe(0);
});

test('a call that is not answered is found, and it is said which component waits for which', async () => {
  place.write(
    'deaf.mjs',
    `import { component, rpc, session } from '${CORE_URL}';
    export const Deaf = session('Deaf', { ask: rpc({ args: [] }) });
    export default component({ provides: [Deaf] }, (env) => {
      env.timer.every(1000, () => {});
      env.provide(Deaf, () => ({ ask: () => new Promise(() => {}) }));
    });`,
  );
  place.write(
    'client.mjs',
    `import { component } from '${CORE_URL}'; import { Deaf } from './deaf.mjs';
    export default component({ requires: [Deaf] }, async (env) => { await (await env.connect(Deaf)).ask(); env.exit(0); });`,
  );
  place.write(
    'config.xml',
    systemConfig(
      `<start name="deaf"> <binary name="./deaf.mjs"/> <provides> <service name="Deaf"/> </provides> </start>
      <start name="client"> <binary name="./client.mjs"/> <exit propagate="yes"/> </start>`,
    ),
  );
  const { code, stderr } = await place.simulate('--patience', '1m', 'config.xml');
  expect(stderr).toMatch(
    /calls are not answered; \[init -> client\] waits for \[init -> deaf\] to answer Deaf\.ask/,
  );
  expect(code).toBe(3);
});

/** The storage example, on a disk of the test, with a plan. */
function copyStorage(plan: string, tool: string): void {
  const config = readFileSync(`${EXAMPLES}storage.xml`, 'utf8')
    .replace('<binary name="file_block"/>', '<binary name="file_block"/> <restart max="5" period_s="100"/>')
    .replace(/<config>\s*<ls[^]*?<\/config>/, `<config> ${tool} </config>`);
  place.write('storage.xml', config);
  place.write('plan.xml', plan);
}

test.skipIf(missingTools)(
  'e2fsck finds no mistake in a disk that a simulated system has written',
  async () => {
    DiskImage.make(place.directory, 'disk.img', 8192, ['-b', '1024']);
    copyStorage(
      '<faults/>',
      `<write path="/new.txt">hello</write> <mkdir path="/made"/> <fill path="/made/f" size="2M" seed="7"/>
     <verify path="/made/f" size="2M" seed="7"/> <unlink path="/new.txt"/> <sync/>`,
    );
    for (const seed of ['1', '2']) {
      const run = await place.simulate('--seed', seed, '--images', 'after', 'storage.xml');
      expect(run.code, run.stderr).toBe(0);
      const again = new Workplace();
      const image = DiskImage.make(again.directory, 'disk.img', 8192, ['-b', '1024']);
      cpSync(place.path('after/disk.img'), image.path);
      expect(image.problems()).toBe('');
      expect(image.content('/made/f').length).toBe(2 * 1024 * 1024);
      again[Symbol.dispose]();
    }
  },
);

test('crashes and power cuts by a plan are the same each time, and leave nothing behind', async (context) => {
  skipIfLong(context);
  cpSync(`${EXAMPLES}disk.img`, place.path('disk.img'));
  copyStorage(
    '<faults> <crash within="800" count="2"/> <power-cut within="800" torn="yes"/> </faults>',
    '<write path="/a">1</write> <sync/> <ls path="/"/>',
  );
  const args = ['sim', '--faults', 'plan.xml', '--seed', '4', '--log', 'storage.xml'];
  const first = await place.run(...args);
  expect(first.stderr).toMatch(/^fault \d: \[init -> [a-z]+\] crashes$/m);
  expect(first.stderr).toMatch(/crashed by the fault plan|power of its disk was cut/);
  expect((await place.run(...args)).stderr).toBe(first.stderr);
  const many = await place.simulate('--faults', 'plan.xml', '--seeds', '1..8', '--any-exit', 'storage.xml');
  expect(many.code, many.stderr).toBe(0);
});

test('a planned end of a process takes its components with it; stalls and clock jumps happen as planned', async () => {
  place.write(
    'one.mjs',
    `import { component } from '${CORE_URL}';
    export default component(async (env) => {
      const before = await env.timer.currentTimeMs();
      for (let round = 0; round < 20; round++) await env.timer.sleep(50);
      if ((await env.timer.currentTimeMs()) < before) await env.log('the clock went back');
      if (env.config.node.value('ends') === 'yes') { await env.timer.sleep(1000); env.exit(0); }
    });`,
  );
  const start = (name: string, more: string): string =>
    `<start name="${name}"> <binary name="./one.mjs"/> <restart max="1" period_s="100"/> ${more} </start>`;
  const last = start('last', '<exit propagate="yes"/> <config ends="yes"/>').replace(
    '">',
    '" isolation="process">',
  );
  place.write('config.xml', systemConfig(start('a', '') + start('b', '') + last));
  place.write(
    'plan.xml',
    `<faults> <crash component="init -> a" process="yes" within="200"/> <clock-jump by_s="-7200" within="600"/>
    <stall component="init -> b" ms="50" within="200"/> </faults>`,
  );
  const texts: string[] = [];
  for (let seed = 1; seed <= 6; seed++) {
    const args = ['--log', '--seed', String(seed), '--faults', 'plan.xml'];
    const { code, stdout, stderr } = await place.simulate(...args, 'config.xml');
    expect(code, stderr).toBe(0);
    texts.push(stdout + stderr);
  }
  const all = texts.join('');
  expect(all).toContain('[init -> a] crashed: its process was ended by the fault plan');
  expect(all).toMatch(/\[init -> b\] is gone: its process \d was brought down by \[init -> a\]/);
  expect(all).toMatch(/^fault 3: \[init -> b\] stalls for 50 ms$/m);
  expect(all).toContain('the clock went back');
});

test('a component that never rests ends at --tasks', async () => {
  place.write(
    'busy.mjs',
    `import { component } from '${CORE_URL}';
    export default component(async (env) => { for (;;) await env.quota(); });`,
  );
  place.write('config.xml', systemConfig('<start name="busy"> <binary name="./busy.mjs"/> </start>'));
  const { code, stderr } = await place.simulate('--tasks', '5000', 'config.xml');
  expect(stderr).toContain('ginit: sim: still running at --tasks');
  expect(code).toBe(0);
});

test('a wrong fault plan gives one clear error with its place', async () => {
  copyRace();
  place.write('plan.xml', '<faults>\n  <crash whithin="5"/>\n</faults>');
  const { code, stderr } = await place.simulate('--faults', 'plan.xml', 'race.xml');
  expect(stderr).toContain('plan.xml:2:10: unknown attribute "whithin" of <crash> (did you mean "within"?)');
  expect(code).toBe(2);
});
