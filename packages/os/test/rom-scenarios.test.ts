/**
 * The components of ROMs, reports and files in whole systems: the example, and its orders of
 * events.
 */
import { join } from 'node:path';
import { simulate, simulateSeeds } from '@ginit/init/testing';
import { expect, test, vi } from 'vitest';
import { GinitRun } from '../../../test/harness/ginit.ts';
import { ROOT } from '../../../test/house/source-files.ts';

// Each run reads manifests in a process of its own.
vi.setConfig({ testTimeout: 300_000 });

const ROMS = join(ROOT, 'examples', 'roms.xml');
const LIVE = join(ROOT, 'examples', 'live-config.xml');
const LINES = [
  '[init -> tool] cat /app.config: <config verbose="yes">',
  '[init -> tool] cat /app.config:   <library/>',
  '[init -> tool] cat /app.config: </config>',
  '[init -> tool] cat /motd: Welcome!',
  '[init -> tool] write /note: 14 bytes',
  '[init -> tool] ls /: file 46 app.config',
  '[init -> tool] ls /: file 8 motd',
  '[init -> tool] ls /: file 14 note',
  '[init -> tool] fs_tool done',
];

test('a content goes from a ROM through a filter, a file, a ROM of it, into another file', async () => {
  const run = await simulate({ config: ROMS, shareModules: true });
  expect(run).toMatchObject({ exitCode: 0, problem: undefined });
  expect(run.log.filter((line) => line.startsWith('[init -> tool]'))).toEqual(LINES);
});

test('a config that comes from another component is followed, and so is what that is made of', async () => {
  const run = await simulate({ config: LIVE, shareModules: true });
  expect(run).toMatchObject({ exitCode: 0, problem: undefined });
  expect(run.log.filter((line) => line.startsWith('[init -> dummy]'))).toEqual([
    '[init -> dummy] config 1: no',
    '[init -> dummy] switched off',
    '[init -> dummy] config 2: yes',
    '[init -> dummy] switched on',
  ]);
});

test('a nested init follows a config that comes from another component', async () => {
  const child = (name: string, line: string): string =>
    `<start name="${name}"> <binary name="dummy"/> <config> <log string="${line}"/> </config> </start>`;
  const inner = (...children: string[]): string => `<config>
    <parent-provides> <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> </parent-provides>
    <default-route> <any-service> <parent/> </any-service> </default-route>
    <default caps="100" ram="2M"/> ${children.join('')} </config>`;
  const steps = [inner(child('a', 'hello')), inner(child('a', 'hello'), child('b', 'I am new'))];
  const config = `<config>
    <parent-provides>
      <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
    </parent-provides>
    <default-route> <any-service> <parent/> </any-service> </default-route>
    <default caps="100" ram="4M"/>
    <start name="configs"> <binary name="dynamic_rom"/> <provides> <service name="ROM"/> </provides>
      <config> <rom name="inner"> ${steps.map((step) => `<inline>${step}</inline> <sleep milliseconds="1000"/>`).join('')}
        <sleep milliseconds="1000000"/> </rom> </config>
    </start>
    <start name="inner" ram="64M" caps="1000"> <binary name="init"/>
      <route> <service name="ROM" label="config"> <child name="configs" label="inner"/> </service>
        <any-service> <parent/> </any-service> </route>
    </start>
    <start name="end"> <binary name="dummy"/> <exit propagate="yes"/> <config> <sleep ms="3000"/> <exit/> </config> </start>
  </config>`;
  const run = await simulate({ config, directory: ROOT, shareModules: true });
  expect(run).toMatchObject({ exitCode: 0, problem: undefined });
  expect(run.log.filter((line) => line.startsWith('[init -> inner -> '))).toEqual([
    '[init -> inner -> a] hello',
    '[init -> inner -> b] I am new',
  ]);
});

test('the examples end well whatever happens first', async () => {
  for (const config of [ROMS, LIVE]) {
    const { failure } = await simulateSeeds({ config, seeds: [1, 8], jobs: 1, shareModules: true });
    expect(failure?.replay).toBeUndefined();
  }
});

test('the real command follows a config that comes from another component', async () => {
  const { code, lines, stderr } = await new GinitRun([LIVE], ROOT).finished;
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('Error')]);
  expect(lines.findLast((line) => line.startsWith('[init -> dummy]'))).toBe('[init -> dummy] switched on');
});
