/**
 * Wrong configs and components: one clear error each, with its place, exit code 2, and nothing is
 * started.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, systemConfig } from '../harness/ginit.ts';
import { SimulatedToo } from '../harness/simulated-too.ts';

const IDLE = `import { component } from '${CORE_URL}';
export default component(async (env) => { await env.log('started'); env.exit(0); });`;

let place: SimulatedToo;
beforeEach(() => {
  place = new SimulatedToo();
  place.write('idle.mjs', IDLE);
});
afterEach(() => place[Symbol.dispose]());

const idle = (more = ''): string =>
  `<start name="idle"> <binary name="./idle.mjs"/> <exit propagate="yes"/> ${more} </start>`;

async function errorsOf(config: string): Promise<string[]> {
  place.write('config.xml', config);
  const { code, stdout, stderr } = await place.run('config.xml');
  expect(stdout).toBe('');
  expect(code).toBe(2);
  const checked = await place.run('check', 'config.xml');
  expect(checked.stderr).toBe(stderr);
  expect(checked.code).toBe(2);
  return stderr.trim().split('\n');
}

test('a right config runs, and check says so', async () => {
  place.write('config.xml', systemConfig(idle()));
  expect((await place.run('check', 'config.xml')).code).toBe(0);
  const { code, stdout } = await place.run('config.xml');
  expect(stdout).toContain('[init -> idle] started');
  expect(code).toBe(0);
});

test('broken XML gives one error with its place', async () => {
  expect(await errorsOf('<config>\n  <start name="a">\n</config>')).toEqual([
    expect.stringMatching(/^config\.xml:3:\d+: .*<start>/),
  ]);
});

test('an unknown attribute is refused with the name that was probably meant', async () => {
  const config = systemConfig(idle()).replace('caps="100"', 'cabs="100"');
  expect(await errorsOf(config)).toContain(
    'config.xml:6:12: unknown attribute "cabs" of <default> (did you mean "caps"?)',
  );
});

test('a route to a child that does not exist is refused', async () => {
  const route =
    '<route> <service name="Block"> <child name="disc"/> </service> <any-service> <parent/> </any-service> </route>';
  const disk = '<start name="disk"> <binary name="./idle.mjs"/> </start>';
  expect(await errorsOf(systemConfig(disk + idle(route)))).toEqual([
    expect.stringMatching(/^config\.xml:7:\d+: .*"disc".*\(did you mean "disk"\?\)/),
  ]);
});

test('a component that does not exist, or is no component, is refused', async () => {
  place.write('none.mjs', 'export default 42;');
  place.write('broken.mjs', 'export default (;');
  const errors = await errorsOf(
    systemConfig(`<start name="a"> <binary name="./missing.mjs"/> </start>
      <start name="b"> <binary name="./none.mjs"/> </start>
      <start name="c"> <binary name="./broken.mjs"/> </start>
      <start name="d"> <binary name="file_blok"/> </start>`),
  );
  expect(errors).toEqual([
    expect.stringMatching(/^config\.xml:7:\d+: there is no file "\.\/missing\.mjs"/),
    expect.stringMatching(
      /^config\.xml:8:\d+: component "\.\/none\.mjs" cannot be used: its module has no default export/,
    ),
    expect.stringMatching(
      /^config\.xml:9:\d+: component "\.\/broken\.mjs" cannot be used: Unexpected token at .*broken\.mjs:1:17$/,
    ),
    expect.stringMatching(
      /^config\.xml:10:\d+: there is no component "file_blok" \(did you mean "file_block"\?\)/,
    ),
  ]);
});

test('a component that reaches the host without being a driver, also through an import, is refused', async () => {
  place.write(
    'helper.mjs',
    `// the third line\n\nimport { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n`,
  );
  place.write('sneaky.mjs', `import './helper.mjs';\n${IDLE}`);
  const errors = await errorsOf(systemConfig('<start name="a"> <binary name="./sneaky.mjs"/> </start>'));
  expect(errors).toEqual([
    expect.stringMatching(
      /^config\.xml:7:\d+: component "\.\/sneaky\.mjs" imports node:fs at .*helper\.mjs:3:31: /,
    ),
  ]);
});

test('a module that never finishes loading does not hang the check of the others', async () => {
  place.write('exits.mjs', 'process.exit(3);');
  const errors = await errorsOf(
    systemConfig(`<start name="a"> <binary name="./exits.mjs"/> </start> ${idle()}`),
  );
  expect(errors).toEqual([
    expect.stringMatching(/component "\.\/exits\.mjs" cannot be used: its module ends its thread/),
  ]);
});

test('a missing host grant that a driver needs is an error', async () => {
  const disk = `<start name="disk"> <binary name="file_block"/> <provides> <service name="Block"/> </provides>
    <config file="disk.img"/> </start>`;
  expect(await errorsOf(systemConfig(disk))).toEqual([
    expect.stringMatching(/^config\.xml:7:1: component "file_block" needs <host><file \.\.\.\/><\/host>/),
  ]);
});

test('quotas beyond what there is are refused', async () => {
  const config = systemConfig(`<start name="a" ram="100G"> <binary name="./idle.mjs"/> </start>`);
  place.write('config.xml', config);
  const { code, stderr } = await place.run('--ram', '1G', 'config.xml');
  expect(stderr).toMatch(/^config\.xml:1:1: the children need 100G of ram together/);
  expect(code).toBe(2);
});

test('"ginit help COMMAND" is the help of the command, whichever it is', async () => {
  for (const command of ['image', 'guests', 'vm', 'sim']) {
    const { code, stdout } = await place.run('help', command);
    expect([code, stdout.split(':')[0]]).toEqual([0, `ginit ${command}`]);
  }
  expect((await place.run('help', 'check')).stdout).toContain('ginit check [OPTIONS] CONFIG.xml');
});

test('help exists for a component, and is an error for one that does not exist', async () => {
  const { code, stdout } = await place.run('help', 'part_block');
  expect(code).toBe(0);
  expect(stdout).toMatch(/provides: Block/);
  expect(stdout).toMatch(/<policy/);
  expect(await place.run('help', 'part_blok')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('(did you mean "part_block"?)'),
  });
});

test('a config file that does not exist, and wrong command lines, give one error each', async () => {
  expect(await place.run('nowhere.xml')).toMatchObject({
    code: 2,
    stderr: 'ginit: cannot read nowhere.xml: there is no such file\n',
  });
  expect((await place.run()).code).toBe(2);
  expect((await place.run('--frobnicate', 'x.xml')).stderr).toContain('--frobnicate');
  expect((await place.run('a.xml', 'b.xml')).code).toBe(2);
  expect((await place.run('--ram', 'much', 'a.xml')).stderr).toContain('not a size');
});
