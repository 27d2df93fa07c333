/**
 * Tests systems whose processes are on machines of their own, joined by a bus: what the bus does
 * within a lease nobody notices; a machine that is cut off for longer is lost, with its components.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { leftOut } from '../harness/long.ts';

const CALLS = 40;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write(
    'door.mjs',
    `import { component, integer, rpc, session } from '${CORE_URL}';
    export const Door = session('Door', {
      next: rpc({ args: [integer(0, 1000)], result: integer() }),
    });
    export default component({ provides: [Door] }, (env) => {
      let calls = 0;
      env.provide(Door, () => ({ next: (number) => { calls++; return number * 1000 + calls; } }));
    });`,
  );
  place.write(
    'visitor.mjs',
    `import { component } from '${CORE_URL}';
    import { Door } from './door.mjs';
    export default component({ requires: [Door] }, async (env) => {
      for (let number = 0; number < ${CALLS}; ) {
        try {
          const door = await env.connect(Door);
          for (; number < ${CALLS}; number++) {
            const answer = await door.next(number);
            if (answer !== number * 1000 + (answer % 1000)) throw new Error('answer ' + answer);
            await env.timer.sleep(50);
          }
          await env.log('the door was called ' + await door.next(0) % 1000 + ' times');
        } catch (error) {
          await env.log(number + ': ' + error.code + ' ' + error.executed);
          await env.timer.sleep(1000);
        }
      }
      env.exit(0);
    });`,
  );
});
afterEach(() => place[Symbol.dispose]());

const DOOR = `<start name="door" isolation="process"> <binary name="./door.mjs"/>
  <provides> <service name="Door"/> </provides> <restart/> </start>`;
const VISITOR = `<start name="visitor" isolation="process"> <binary name="./visitor.mjs"/> <exit propagate="yes"/> </start>`;

async function simulate(plan: string, ...args: string[]): Promise<FinishedRun> {
  place.write('config.xml', systemConfig(DOOR + VISITOR));
  place.write('plan.xml', `<faults> ${plan} </faults>`);
  return place.simulate('--faults', 'plan.xml', '--carriers', 'bus', ...args, 'config.xml');
}

const TROUBLE = `<bus-trouble within="900" lost="100" doubled="100" delayed="50" reordered="100" delay_ms="400" ms="3000"
  count="2"/> <partition component="init -> door" within="900" ms="2500"/>`;

test('trouble of the bus and short partitions cost time only; a seed replays', async () => {
  const states = new Set<string>();
  for (const seed of leftOut(true) ? ['1', '1'] : ['1', '1', '2', '3', '4', '5']) {
    const run = await simulate(TROUBLE, '--seed', seed, '--log');
    expect(run.code, run.stderr.slice(-800)).toBe(0);
    expect(run.stdout).toContain(`[init -> visitor] the door was called ${CALLS + 1} times`);
    expect(run.stderr).toMatch(/fault \d: the bus is in trouble for 3000 ms/);
    expect(run.stderr).toMatch(/fault \d: the machine of \[init -> door\] is cut off for 2500 ms/);
    states.add(/state (\w+)/.exec(run.stderr)?.[1] ?? '');
  }
  expect(states.size).toBe(leftOut(true) ? 1 : 5);
});

test('a machine that is cut off for longer than a lease is lost; its component starts again, and is found', async () => {
  let gone = 0;
  for (const seed of leftOut(true) ? ['1'] : ['1', '2', '3', '4', '5', '6']) {
    const plan = '<partition component="init -> door" within="700" ms="40000"/>';
    const run = await simulate(plan, '--seed', seed, '--log');
    expect(run.code, run.stderr.slice(-800)).toBe(0);
    expect(run.stdout + run.stderr).toContain('end of init -> door: its node was lost: ');
    expect(run.stdout).toContain('[init -> visitor] the door was called');
    if (/\[init -> visitor\] \d+: PeerGone (maybe|no)/.test(run.stdout)) gone++;
  }
  expect(gone).toBeGreaterThan(0);
});

test('faults of a bus are refused where there is none', async () => {
  place.write('config.xml', systemConfig(DOOR + VISITOR));
  place.write('plan.xml', '<faults> <partition within="9" ms="1"/> </faults>');
  const { code, stderr } = await place.simulate('--faults', 'plan.xml', 'config.xml');
  expect([code, stderr]).toEqual([2, 'ginit: plan.xml: bus-trouble and partition need --carriers bus\n']);
});
