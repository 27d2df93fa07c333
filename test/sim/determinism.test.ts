/**
 * Tests that the same seed gives the same output, schedule and state, and that the output is that
 * of a real run.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CORE_URL, type FinishedRun, Workplace } from '../harness/ginit.ts';
import { byComponent } from '../harness/simulated-too.ts';
import { allLongIf } from '../harness/long.ts';

const EXAMPLES = new URL('../../examples/', import.meta.url).pathname;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  for (const name of ['hello.xml', 'greeter.mjs', 'visitor.mjs', 'storage.xml', 'disk.img']) {
    const text = readFileSync(join(EXAMPLES, name));
    // Away from the workspace, components name the runtime by its place.
    place.write(
      name,
      name.endsWith('.mjs') ? text.toString().replace(`'@ginit/core'`, `'${CORE_URL}'`) : text,
    );
  }
  place.write('files.xml', filesConfig(readFileSync(join(EXAMPLES, 'storage.xml'), 'utf8')));
});
afterEach(() => place[Symbol.dispose]());

/** The storage example with more work, and with mistakes. */
function filesConfig(storage: string): string {
  const tool = `<write path="/new.txt">hello</write> <append path="/new.txt"> world</append> <mkdir path="/made"/>
    <fill path="/made/filled" size="600K" seed="7"/> <verify path="/made/filled" size="600K" seed="7"/>
    <sha256 path="/made/filled"/> <truncate path="/hello.txt" size="10"/> <cat path="/hello.txt"/>
    <rmdir path="/made" expect="Not_empty"/> <cat path="/docs" expect="Is_a_directory"/> <remove-all path="/docs"/>
    <repeat count="5"> <append path="/log">line. </append> </repeat> <sync/> <ls path="/"/> <df/> <cat path="/oops"/>`;
  return storage.replace(/<config>\s*<ls[^]*?<\/config>/, `<config> ${tool} </config>`);
}

const stateOf = ({ stderr }: FinishedRun): string | undefined => /state ([0-9a-f]{16})$/m.exec(stderr)?.[1];

describe.each([
  ['hello.xml', 0],
  ['storage.xml', 0],
  ['files.xml', 1],
])('%s', (config, code) => {
  allLongIf(config === 'files.xml');

  test('the same seed gives the same run, byte for byte; another seed gives another one; all print what a real run prints, and leave the files alone', async () => {
    const disk = readFileSync(place.path('disk.img'));
    const first = await place.run('sim', '--seed', '1', '--log', config);
    const second = await place.run('sim', '--seed', '1', '--log', config);
    const other = await place.simulate('--seed', '2', config);
    expect(readFileSync(place.path('disk.img')).equals(disk)).toBe(true);
    expect(first.stderr).toMatch(/^0\.\d{6} #1 \[init\] starts$/m);
    expect(second.stdout).toBe(first.stdout);
    expect(second.stderr).toBe(first.stderr);
    expect(stateOf(other)).toMatch(/./);
    expect(stateOf(other)).not.toBe(stateOf(first));
    // A process that has simulated something else before does the same.
    expect(stateOf(await place.simulate('--seed', '1', config))).toBe(stateOf(first));
    const real = await place.run(config);
    expect([first.code, other.code, real.code], first.stderr).toEqual([code, code, code]);
    for (const run of [first, other]) expect(byComponent(run)).toEqual(byComponent(real));
  });

  test.each(['shared', 'copying'])('prints the same over carriers that are %s', async (carriers) => {
    const run = await place.simulate('--carriers', carriers, config);
    expect(run.code, run.stderr).toBe(code);
  });
});

test('many seeds run on threads, silently', async () => {
  const many = await place.simulate('--seeds', '1..30', '--jobs', '2', 'hello.xml');
  expect(many.code, many.stderr).toBe(0);
  expect(many.stdout).toBe('');
  expect(many.stderr).toMatch(/30 of 30 seeds/);
});
