/**
 * Simulates systems that get other configs while they run, and while their components crash, stall,
 * and are restarted and killed from outside. Every check of the simulator must hold at every step,
 * and what each init tells of its children must be true.
 */
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemConfig, Workplace } from '../harness/ginit.ts';

const fixture = (name: string): string => fileURLToPath(new URL(`./components/${name}.mjs`, import.meta.url));

const server = (name: string, attributes = ''): string =>
  `<start name="${name}" ${attributes}> <binary name="${fixture('echo')}"/> <provides> <service name="Echo"/> </provides>
    <restart max="1000" period_s="10000"/> </start>`;

/** A client of the server `of`, or of none. */
const client = (name: string, of: string | undefined, attributes = ''): string =>
  `<start name="${name}" ${attributes}> <binary name="${fixture('caller')}"/> <restart max="1000" period_s="10000"/>
    <route> ${of === undefined ? '' : `<service name="Echo"> <child name="${of}"/> </service>`} <any-service> <parent/> </any-service> </route> </start>`;

const nested = (starts: string): string =>
  `<start name="sub" caps="900" ram="40M"> <binary name="init"/> ${systemConfig(starts)} </start>`;

/** Can be asked for memory, and is started again when it misses heartbeats. */
const SAVER = `<start name="saver"> <binary name="${fixture('saver')}"/> <heartbeat restart_after_skipped="2"/> </start>`;
const BEATS = '<heartbeat rate_ms="100"/>';

const CONFIGS = {
  'config.xml': `${BEATS} ${SAVER} ${server('one')} ${server('two')} ${client('a', 'one')} ${client('b', 'two')}
    ${nested(server('in') + client('c', 'in'))}`,
  // A server goes, a client is led elsewhere, quotas change, and so does the config of the nested
  // init.
  'less.xml': `${BEATS} ${SAVER} ${server('one', 'ram="5M"')} ${client('a', 'one', 'ram="3M"')} ${client('b', 'one')}
    ${nested(server('in', 'version="2"') + client('c', 'in') + client('d', 'in'))}`,
  // A client without a server, a new child, and no nested init.
  'stuck.xml': `${server('two', 'version="2"')} ${client('a', undefined)} ${client('b', 'two')} ${client('e', 'two')}`,
};

const PLAN = `<faults>
  <config file="less.xml" within="4000" count="2"/>
  <config file="stuck.xml" within="4000" count="2"/>
  <config file="config.xml" within="4000" count="2"/>
  <restart within="4000"/>
  <kill within="4000"/>
  <crash within="4000" count="2"/>
  <stall within="4000" ms="200"/>
  <silence within="4000" ms="3000"/>
  <yield within="4000" ram="64K"/>
</faults>`;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  for (const [file, starts] of Object.entries(CONFIGS)) place.write(file, systemConfig(starts));
  place.write('plan.xml', PLAN);
});
afterEach(() => place[Symbol.dispose]());

test('a system that gets other configs in any order keeps every promise', async () => {
  const run = await place.simulate('--until', '3s', '--seeds', '1..6', '--faults', 'plan.xml', 'config.xml');
  expect(run.code, run.stderr).toBe(0);
  expect(run.stderr).toMatch(/ config \d\d,/);
});

test('a config of the plan in which something is wrong is refused before anything runs', async () => {
  place.write('less.xml', '<config> <start/> </config>');
  const run = await place.simulate('--faults', 'plan.xml', 'config.xml');
  expect(run.code).toBe(2);
  expect(run.stderr).toContain('less.xml:1:10: <start> needs an attribute "name"');
});

const HEARTBEATS = `${BEATS} ${SAVER} <start name="end"> <binary name="${fixture('end')}"/> <exit propagate="yes"/> </start>`;

test('a component that answers no heartbeat is started again, and one that answers is not', async () => {
  place.write('beats.xml', systemConfig(HEARTBEATS));
  const sim = (name: string, plan: string) => {
    place.write(name, plan);
    return place.simulate('--seed', '3', '--faults', name, 'beats.xml');
  };
  const silent = await sim(
    'silent.xml',
    '<faults> <silence component="init -> saver" within="100" ms="1000"/> </faults>',
  );
  expect(silent.code, silent.stderr).toBe(0);
  expect(silent.stdout.split('holds memory').length, silent.stdout).toBe(3);
  expect(silent.stdout).toContain('child "saver" has missed 3 heartbeats and is started again');
  const brief = await sim(
    'brief.xml',
    '<faults> <silence component="init -> saver" within="100" ms="150"/> </faults>',
  );
  expect(brief.stdout.split('holds memory').length, brief.stdout).toBe(2);
});

test('a component is asked by the plan to give back quota; a plan in HID is the same plan', async () => {
  place.write('beats.xml', systemConfig(HEARTBEATS));
  place.write(
    'yield.xml',
    '<faults> <yield component="init -> saver" within="500" ram="64K" caps="2"/> <stall within="500" ms="10"/> </faults>',
  );
  place.write(
    'yield.hid',
    'faults\n+ yield | component: init -> saver | within: 500 | ram: 64K | caps: 2\n+ stall | within: 500 | ms: 10\n-\n',
  );
  const sim = (plan: string) => place.simulate('--seed', '5', '--faults', plan, 'beats.xml');
  const [xml, hid] = [await sim('yield.xml'), await sim('yield.hid')];
  expect(xml.code, xml.stderr).toBe(0);
  expect(xml.stdout).toContain('[init -> saver] asked for 65536 bytes and 2 caps');
  expect(xml.stderr).toMatch(/state [0-9a-f]+/);
  expect([hid.stdout, hid.stderr]).toEqual([xml.stdout, xml.stderr]);
});
