/** Tests `sequence` in whole systems: one child at a time, and all quota comes back. */
import { component } from '@ginit/core';
import { expect, test } from 'vitest';
import sequence from '@ginit/init/sequence';
import { finish, runSystem, startSystem } from '../harness/in-process-system.ts';

/** Says when it begins and when it is being stopped, and exits with the code of its config. */
const worker = component({}, async (env) => {
  const { node } = env.config;
  await env.log(`begins with ${node.value('text') ?? 'nothing'}`);
  env.onStop(() => env.log('ends'));
  if (node.has('wait')) {
    env.config.onUpdate(async (now) => {
      await env.log(`hears ${now.value('text')}`);
      if (!now.has('wait')) env.exit(0);
    });
    return;
  }
  if (node.has('trip')) throw new Error('over my own feet');
  env.exit(Number(node.value('code') ?? 0));
});
/** Allocates half of what the system has: two of these do not fit in side by side. */
const eater = component({}, async (env) => {
  const { ramQuota } = await env.quota();
  await env.ram.allocate(Math.floor(ramQuota / 2));
  await env.log('eaten');
  env.exit(0);
});
const asker = component({}, async (env) => {
  await env.requestResources({ ram: 2 ** 20 });
  await env.log('has been given more');
  env.exit(0);
});
const components = { sequence, worker, eater, asker };

const steps = (inner: string, attributes = '', quota = 'ram="16M" caps="200"') =>
  `<start name="steps" ${quota}> <binary name="sequence"/> <exit propagate="yes"/>
    <config ${attributes}> ${inner} </config> </start>`;
const step = (name: string, config: string, attributes = '') =>
  `<start name="${name}" ${attributes}> <binary name="worker"/> <config ${config}/> </start>`;

async function run(starts: string): Promise<{ readonly lines: string[]; readonly code: number | undefined }> {
  const { end, lines } = await runSystem('shared', components, starts);
  return {
    lines: lines
      .filter((line) => line.startsWith('[init -> steps'))
      .map((line) => line.replace('init -> ', '')),
    code: end.kind === 'exit' ? end.code : undefined,
  };
}

test('children run one after another, and the sequence exits with 0 when all have', async () => {
  const { lines, code } = await run(
    steps(step('a', 'text="1"') + step('b', 'text="2"') + step('a', 'text="3"')),
  );
  expect(lines).toEqual([
    '[steps -> a] begins with 1',
    '[steps] child "a" exited with exit value 0',
    '[steps -> a] ends',
    '[steps -> b] begins with 2',
    '[steps] child "b" exited with exit value 0',
    '[steps -> b] ends',
    '[steps -> a] begins with 3',
    '[steps] child "a" exited with exit value 0',
    '[steps -> a] ends',
  ]);
  expect(code).toBe(0);
});

test('a child that fails ends the sequence with its code, and a crash with 1', async () => {
  const failed = await run(steps(step('a', 'code="7"') + step('b', '')));
  expect(failed.lines.filter((line) => line.includes('b]'))).toEqual([]);
  expect(failed.code).toBe(7);
  const crashed = await run(steps(step('a', 'trip="yes"') + step('b', '')));
  expect(crashed.lines.filter((line) => line.includes('b]'))).toEqual([]);
  expect(crashed.code).toBe(1);
});

test('with keep_going failures, crashes and children that cannot be started are passed over', async () => {
  const { lines, code } = await run(
    steps(
      step('a', 'code="7"') +
        step('b', 'trip="yes"') +
        step('rich', '', 'ram="1G"') +
        '<start name="nobody"/>' +
        step('c', 'text="last"'),
      'keep_going="yes"',
    ),
  );
  expect(lines).toContain('[steps -> c] begins with last');
  expect(lines.filter((line) => line.includes('cannot be started'))).toHaveLength(2);
  expect(code).toBe(0);
});

test('with repeat it begins again: here until a child fails', async () => {
  let turns = 0;
  const counter = component({}, (env) => env.exit(++turns < 3 ? 0 : 9));
  const { end } = await runSystem(
    'shared',
    { ...components, counter },
    steps(`${step('a', '')} <start name="counter"/>`, 'repeat="yes"'),
  );
  expect([end, turns]).toEqual([{ kind: 'exit', code: 9 }, 3]);
});

test('with keep_going and restart a failure leads back to the first child', async () => {
  let turns = 0;
  const first: number[] = [];
  const opener = component({}, (env) => {
    first.push(turns);
    env.exit(0);
  });
  const flaky = component({}, (env) => env.exit(++turns < 3 ? 1 : 0));
  const { end } = await runSystem(
    'shared',
    { ...components, opener, flaky },
    steps('<start name="opener"/> <start name="flaky"/>', 'keep_going="yes" restart="yes"'),
  );
  expect([end, turns, first]).toEqual([{ kind: 'exit', code: 0 }, 3, [0, 1, 2]]);
});

test('each child has all the quota that there is, one after another', async () => {
  const eaters = [1, 2, 3].map((number) => `<start name="e${number}"> <binary name="eater"/> </start>`);
  const { lines, code } = await run(steps(eaters.join('')));
  expect(lines.filter((line) => line.includes('eaten'))).toHaveLength(3);
  expect(code).toBe(0);
});

test('the next child, and the config of the one that runs, are those of the newest config', async () => {
  const old = steps(step('a', 'text="1" wait="yes"') + step('b', 'text="old"'));
  const system = startSystem('shared', components, old);
  const until = async (text: string): Promise<void> => {
    while (!system.platform.lines.some((line) => line.includes(text))) {
      await new Promise((resolve) => void setImmediate(resolve));
    }
  };
  const reconfigure = (inner: string): void => system.reconfigure(steps(inner));
  await until('begins with 1');
  reconfigure(step('z', '') + step('a', 'text="2" wait="yes"') + step('b', 'text="new"'));
  await until('hears 2');
  // A version with mistakes changes nothing.
  reconfigure(step('a', 'text="3"').replace('binary', 'bnary'));
  await until('this config is not applied');
  reconfigure(step('z', '') + step('a', 'text="4"') + step('b', 'text="newest" wait="yes"'));
  await until('begins with newest');
  // The child that runs is named no more: the sequence begins again.
  reconfigure(step('c', 'text="another"'));
  const { lines, end } = await finish(system);
  expect(
    lines.filter((line) => / -> steps -> /.test(line)).map((line) => line.replace('init -> steps -> ', '')),
  ).toEqual([
    '[a] begins with 1',
    '[a] hears 2',
    '[a] hears 4',
    '[a] ends',
    '[b] begins with newest',
    '[b] ends',
    '[c] begins with another',
    '[c] ends',
  ]);
  expect(end).toEqual({ kind: 'exit', code: 0 });
});

test('a sequence without children is done at once', async () => {
  expect(await run(steps('', 'repeat="yes"'))).toEqual({ lines: [], code: 0 });
});

test('a child that asks for more quota gets what the sequence is given', async () => {
  const { lines, code } = await run(
    steps('<start name="asker"/>').replace('ram="16M"', 'ram="16M" ram_limit="32M"'),
  );
  expect(lines).toContain('[steps -> asker] has been given more');
  expect(code).toBe(0);
});
