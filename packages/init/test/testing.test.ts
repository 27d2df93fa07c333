/**
 * `@ginit/init/testing`: whole systems under the simulator, from a plain test. It runs compiled, in
 * threads of its own.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { simulate, simulateSeeds, SimulationRefused } from '@ginit/init/testing';
import { describe, expect, test, vi } from 'vitest';

// Each run reads manifests in a process of its own: several of them take their time on a machine
// that has other things to do.
vi.setConfig({ testTimeout: 300_000 });

const RACERS = fileURLToPath(new URL('racers/', import.meta.url));
const EXAMPLES = fileURLToPath(new URL('../../../examples/', import.meta.url));
const HELLO = join(EXAMPLES, 'hello.xml');
/** The system ends with the code of the one that is first. */
const RACE = `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/>
  </parent-provides>
  <default-route> <any-service> <parent/> </any-service> </default-route>
  <default caps="100" ram="4M"/>
  <start name="good"> <binary name="./racer.mjs"/> <exit propagate="yes"/> <config code="0"/> </start>
  <start name="bad"> <binary name="./racer.mjs"/> <exit propagate="yes"/> <config code="9"/> </start>
</config>`;

describe('one run', () => {
  test('of a file gives its exit code, its lines, and the same state each time', async () => {
    const first = await simulate({ config: HELLO, seed: 7 });
    expect(first).toMatchObject({ seed: 7, exitCode: 0, problem: undefined });
    expect(first.log.some((line) => line.startsWith('[init -> visitor] '))).toBe(true);
    const second = await simulate({ config: HELLO, seed: 7 });
    expect(second.stateHash).toBe(first.stateHash);
    expect(second.log).toEqual(first.log);
    expect((await simulate({ config: HELLO, seed: 8 })).stateHash).not.toBe(first.stateHash);
  });

  test('of a text finds components in the directory that is given', async () => {
    const config = readFileSync(HELLO, 'utf8');
    const run = await simulate({ config, directory: EXAMPLES });
    expect(run).toMatchObject({ exitCode: 0, problem: undefined });
    expect(run.replay).toBe(`ginit sim ${join(EXAMPLES, 'config.xml')} --replay 1`);
  });

  test('is the same where threads have the gc of --expose-gc, which cannot be redefined', async () => {
    const usual = await simulate({ config: HELLO, seed: 7 });
    setFlagsFromString('--expose-gc');
    try {
      expect((await simulate({ config: HELLO, seed: 7 })).stateHash).toBe(usual.stateHash);
    } finally {
      setFlagsFromString('--no-expose-gc');
    }
  });

  test('keeps its schedule when that is asked for, and leaves the globals of the test alone', async () => {
    const { setTimeout: before, Date: clock } = globalThis;
    const running = simulate({ config: HELLO, schedule: true });
    expect([globalThis.setTimeout, globalThis.Date]).toEqual([before, clock]);
    expect((await running).schedule.length).toBeGreaterThan(10);
  });

  test('of a config that is wrong is refused with its place', async () => {
    const config = '<config> <start name="a" lable="b"/> </config>';
    const refused = simulate({ config, directory: EXAMPLES });
    await expect(refused).rejects.toThrow(SimulationRefused);
    await expect(refused).rejects.toThrow(/config\.xml:1:\d+: .*"lable"/);
  });

  test('with an option that cannot be is refused in the words of the command line', async () => {
    await expect(simulate({ config: HELLO, until: 'soon' })).rejects.toThrow('--until soon: not a time');
    await expect(simulate({ config: HELLO, faults: '<faults> <quake/> </faults>' })).rejects.toThrow('quake');
  });
});

test.each([
  ['tests-core.mjs', '@ginit/core/testing'],
  ['tests-init.mjs', 'node:'],
])('a component cannot import the doors for tests: %s', async (file, imported) => {
  const config = RACE.replaceAll('racer.mjs', file);
  const refused = simulate({ config, directory: RACERS });
  await expect(refused).rejects.toThrow(SimulationRefused);
  await expect(refused).rejects.toThrow(imported);
});

describe('many seeds', () => {
  test('that all go well are counted', async () => {
    expect(await simulateSeeds({ config: HELLO, seeds: [1, 4], jobs: 1 })).toEqual({
      runs: 4,
      failure: undefined,
    });
  });

  test('end at the first that fails, with the command that shows it', async () => {
    const race = { config: RACE, directory: RACERS };
    const { failure } = await simulateSeeds({ ...race, seeds: [1, 40], jobs: 1 });
    expect(failure).toMatchObject({ exitCode: 9, problem: undefined });
    const { seed = 0, replay } = failure ?? {};
    expect(replay).toBe(`ginit sim ${join(RACERS, 'config.xml')} --replay ${seed}`);
    const again = await simulate({ ...race, seed });
    expect([again.exitCode, again.stateHash]).toEqual([9, failure?.stateHash]);
  });

  test('of which one fails by its faults name those that it needs', async () => {
    const faults = '<faults> <crash component="init -> good" within="200" count="3"/> </faults>';
    const { failure } = await simulateSeeds({
      config: RACE,
      directory: RACERS,
      faults,
      seeds: [1, 40],
      jobs: 1,
    });
    expect(failure?.replay).toMatch(
      /^ginit sim .* --faults .*faults\.xml --only-faults (none|[\d,]+) --replay \d+$/,
    );
  });

  test('whose exit codes do not count all go well', async () => {
    const seeds = await simulateSeeds({
      config: RACE,
      directory: RACERS,
      seeds: [1, 10],
      anyExit: true,
      jobs: 1,
    });
    expect(seeds).toEqual({ runs: 10, failure: undefined });
  });
});
