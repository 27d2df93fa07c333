/**
 * Simulates clients with `reattach="yes"` whose servers crash, are killed and restarted, in every
 * order of events that the seeds give: each lost session is followed by another one, and the books
 * of every init agree with the accounts at every step.
 */
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type FinishedRun, systemConfig, Workplace } from '../harness/ginit.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`./components/${name}.mjs`, import.meta.url));

const server = (name: string): string =>
  `<start name="${name}"> <binary name="${fixture('echo')}"/> <provides> <service name="Echo"/> </provides>
    <restart max="1000" period_s="10000"/> </start>`;
const client = (name: string, route: string): string =>
  `<start name="${name}" reattach="yes"> <binary name="${fixture('faithful')}"/>
    <route> <service name="Echo"> ${route} </service> <any-service> <parent/> </any-service> </route> </start>`;
const SYSTEM = `${server('one')} ${client('a', '<child name="one"/>')} ${client('b', '<child name="one"/>')}
  <start name="sub" caps="900" ram="40M" reattach="yes"> <binary name="init"/>
    ${systemConfig(client('c', '<parent/>')).replace('<parent-provides>', '<parent-provides> <service name="Echo"/>')}
    <route> <service name="Echo"> <child name="one"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`;

const PLAN = `<faults>
  <crash component="init -> one" within="2500" count="2"/>
  <kill component="init -> one" within="2500"/>
  <restart component="init -> one" within="2500" count="2"/>
  <stall within="2500" ms="200"/>
</faults>`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write('config.xml', systemConfig(SYSTEM));
  place.write('plan.xml', PLAN);
});
afterEach(() => place[Symbol.dispose]());

const simulate = (seeds: string, ...more: readonly string[]): Promise<FinishedRun> => {
  const bounds = ['--until', '8s', '--patience', '2s', '--seeds', seeds];
  return place.simulate(...bounds, ...more, '--faults', 'plan.xml', 'config.xml');
};

test('whatever happens to a server, its clients stay and have sessions again', async () => {
  const run = await simulate('1..3');
  expect(run.code, run.stderr).toBe(0);
});

test('a server that is replaced when another is ready, again and again: the same', async () => {
  const system = (version: string): string =>
    systemConfig(
      SYSTEM.replace('<start name="one">', `<start name="one" replace="ready" version="${version}">`),
    );
  place.write('config.xml', system('1'));
  place.write('next.xml', system('2'));
  const configs = `<config file="next.xml" within="2500" count="2"/> <config file="config.xml" within="2500" count="2"/>`;
  place.write('plan.xml', PLAN.replace('<faults>', `<faults> ${configs}`));
  const run = await simulate('1..3');
  expect(run.code, run.stderr).toBe(0);
});

test('the rig finds out when a client is not handed another session', async () => {
  // A restart would take it along, and it would have a session again.
  place.write('plan.xml', '<faults> <crash component="init -> one" within="2500" count="4"/> </faults>');
  place.write('config.xml', systemConfig(SYSTEM.replace('name="a" reattach="yes"', 'name="a"')));
  const run = await simulate('1..1', '--no-shrink');
  expect(run.code).not.toBe(0);
  expect(run.stderr).toContain('a session takes the place of one that is lost');
});
