/**
 * Tests the component `sequence` as users run it, and its check; and that a simulated run says the
 * same.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';
import { expectSaysTheSame } from '../harness/simulated-too.ts';

const WORKER = `import { component } from '${CORE_URL}';
export default component({}, async (env) => {
  await env.log('done');
  env.exit(Number(env.config.node.value('code') ?? 0));
});`;
const step = (name: string, config = '') =>
  `<start name="${name}"> <binary name="./worker.mjs"/> ${config} </start>`;
const sequence = (steps: string, attributes = '') =>
  systemConfig(
    `<start name="steps" ram="16M" caps="200"> <binary name="sequence"/> <exit propagate="yes"/>
    <config ${attributes}> ${steps} </config> </start>`,
  );

let place: Workplace;
beforeAll(() => {
  place = new Workplace();
  place.write('worker.mjs', WORKER);
});
afterAll(() => place[Symbol.dispose]());

test('children run one after another, and the last exit is that of the system', async () => {
  place.write(
    'steps.xml',
    sequence(step('a') + step('b', '<config code="3"/>') + step('c'), 'keep_going="yes"'),
  );
  const run = await place.run('steps.xml');
  expect(run.lines).toEqual([
    '[init -> steps -> a] done',
    '[init -> steps] child "a" exited with exit value 0',
    '[init -> steps -> b] done',
    '[init -> steps] child "b" exited with exit value 3',
    '[init -> steps -> c] done',
    '[init -> steps] child "c" exited with exit value 0',
    '[init] child "steps" exited with exit value 0',
  ]);
  expect([run.code, run.stderr]).toEqual([0, '']);
  await expectSaysTheSame(place, 'steps.xml', run);
});

test('the check looks into its steps: their binaries, imports, routes and quotas', async () => {
  place.write('greedy.mjs', `import 'node:fs';\n${WORKER}`);
  place.write(
    'wrong.xml',
    sequence(
      `<start name="a"> <binary name="./nowhere.mjs"/> </start> <start name="b"> <binary name="./greedy.mjs"/> </start>
       <start name="c" ram="1G"> <binary name="part_block"/> </start>`,
    ),
  );
  const { code, stderr } = await place.run('check', 'wrong.xml');
  expect(code).toBe(2);
  expect(stderr).toContain('there is no file "./nowhere.mjs"');
  expect(stderr).toContain('component "./greedy.mjs" imports node:fs');
  expect(stderr).toContain(
    'start node "c" needs service "Block" from above, but start node "steps" cannot have it',
  );
  expect(stderr).toContain('the children need 1G of ram together, but init has 16M of ram');
});
