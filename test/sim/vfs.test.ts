/** A tree of vfs whose servers crash, in every order: nothing hangs, and all works again. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CORE_URL, systemConfig, Workplace } from '../harness/ginit.ts';

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
});
afterEach(() => place[Symbol.dispose]());

/** Of vfs, too: a server that goes while vfs opens it for the first time ends it. */
const RESTART = '<restart max="20" period_s="100"/>';
const SYSTEM = systemConfig(`
  <start name="home" ram="8M"> <binary name="ram_fs"/> ${RESTART}
    <provides> <service name="File_system"/> </provides>
    <config> <content> <dir name="d"> <inline name="f">text</inline> </dir> </content>
      <default-policy writeable="yes"/> </config> </start>
  <start name="disk" ram="4M"> <binary name="ram_block"/> ${RESTART}
    <provides> <service name="Block"/> </provides> <config size="64K" block_size="512"/> </start>
  <start name="vfs" ram="16M" caps="300" reattach="yes"> <binary name="vfs"/> ${RESTART}
    <provides> <service name="File_system"/> </provides>
    <config> <vfs> <ram/> <random/> <block name="disk"/> <dir name="home"> <fs root="/d"/> </dir> </vfs>
      <default-policy writeable="yes"/> </config>
    <route> <service name="File_system"> <child name="home"/> </service>
      <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route> </start>
  <start name="user" ram="8M" caps="200"> <binary name="./user.mjs"/> ${RESTART} <exit propagate="yes"/>
    <route> <service name="File_system"> <child name="vfs"/> </service>
      <any-service> <parent/> </any-service> </route> </start>`);

const USER = `import { component } from '${CORE_URL}';
import { FileSystem, FileSystemClient } from '${CORE_URL}/file_system';
export default component({ requires: [FileSystem] }, async (env) => {
  const fs = await FileSystemClient.connect(env);
  const file = await fs.open('/home/f', { mode: 'read-write' });
  const errors = new Set();
  const into = new Uint8Array(700);
  const steps = [
    async () => fs.writeFile('/home/new', into.fill(1)),
    async () => fs.readFile('/home/f', 1000),
    async () => file.read(0, into),
    async () => fs.withFile('/disk', { mode: 'read-write' }, (disk) => disk.write(100, into)),
    async () => fs.sync(),
    async () => { for await (const entry of fs.readdir('/home')) void entry; },
  ];
  for (let round = 0; round < 6; round++) {
    await Promise.all(steps.map((step) => step().catch((error) => errors.add(error.code))));
    // What does not stand on those that crash always works.
    await fs.writeFile('/own', into.fill(round));
    env.assertAlways((await fs.readFile('/own', 1000))[699] === round, 'its own memory works');
    await fs.withFile('/random', {}, (random) => random.read(0, into));
    await env.timer.sleep(50);
  }
  // Then all works again, what was open too: the file is where it was.
  for (;;) {
    try {
      for (const step of steps) await step();
      break;
    } catch {
      await env.timer.sleep(100);
    }
  }
  // Any other code would be no error of files.
  const known = ['Input_output', 'Unavailable', 'Lookup_failed', 'No_space'];
  env.assertAlways([...errors].every((code) => known.includes(code)), 'errors are those of files');
  env.exit(0);
});`;

test('servers behind a tree crash: errors, and then all works again', async () => {
  place.write('config.xml', SYSTEM);
  place.write('user.mjs', USER);
  place.write(
    'plan.xml',
    `<faults> <crash component="init -> home" within="1500" count="2"/>
      <crash component="init -> disk" within="1500" count="2"/> </faults>`,
  );
  const run = await place.simulate('--seeds', '1..2', '--faults', 'plan.xml', 'config.xml');
  expect([run.code, run.stdout + run.stderr]).toEqual([0, expect.stringContaining('2 of 2 seeds')]);
}, 120_000);
