/**
 * Block devices over the host, under the real command: what clients do with blocks is done to the
 * host's file, and what becomes of the file reaches the clients while the system runs.
 */
import { readdirSync, readFileSync, readlinkSync, statSync, truncateSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { support } from 'sharedarraybuffer-polyfill';
import { CORE_URL, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';
import { JAILABLE } from '../harness/jailable.ts';

/** Writes, trims, makes zeros, and then waits for the device to grow. */
const CLIENT = `import { component } from '${CORE_URL}';
import { Block, BlockClient } from '${CORE_URL}/block';
export default component({ requires: [Block] }, async (env) => {
  const disk = await BlockClient.connect(env);
  const { blockSize, blockCount } = disk.info;
  const grown = new Promise((resolve) => disk.onInfoChanged(resolve));
  const bytes = new Uint8Array(8 * blockSize).fill(7);
  for (let at = 0; at < blockCount; at += 8) await disk.write(at, 8, bytes);
  await disk.sync();
  await disk.trim(64, 64);
  await disk.writeZeroes(0, 3);
  await disk.sync();
  await disk.read(0, 8, bytes);
  await env.log('block 2 holds ' + bytes[2 * blockSize] + ', block 3 ' + bytes[3 * blockSize]);
  await env.log('has ' + blockCount + ' blocks');
  await grown;
  await disk.write(disk.info.blockCount - 1, 1, bytes.subarray(0, blockSize).fill(9));
  await disk.sync();
  await env.log('has ' + disk.info.blockCount + ' blocks');
  env.exit(0);
});`;

const BLOCKS = 128;
const SIZE = 4096;

let place: Workplace;
beforeEach(() => {
  place = new Workplace();
  place.write('client.mjs', CLIENT);
  place.write('disk.img', new Uint8Array(BLOCKS * SIZE));
});
afterEach(() => place[Symbol.dispose]());

const system = (more: string, isolation = ''): string =>
  systemConfig(`<start name="disk" ram="8M" ${isolation}> <binary name="file_block"/>
    <provides> <service name="Block"/> </provides>
    <host> <file path="disk.img" access="rw"/> </host>
    <config file="disk.img" block_size="4K" writeable="yes" ${more}/> </start>
  <start name="client"> <binary name="./client.mjs"/> <exit propagate="yes"/> </start>`);

/** Processes of a run that are under a filter of system calls. */
const confined = (run: GinitRun): number[] =>
  run.processes().filter((pid) => /^Seccomp:\s*2$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')));

/** Whether a process has a ring of io_uring, past which no filter of system calls sees. */
const hasRing = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/fd`).some((name) => isRing(`/proc/${pid}/fd/${name}`));

function isRing(path: string): boolean {
  try {
    return readlinkSync(path) === 'anon_inode:[io_uring]';
  } catch {
    return false;
  }
}

describe.each([
  ['as it comes', '', ''],
  ['by the pool only', 'io="pool"', ''],
  ['past the cache', 'direct="yes"', ''],
  ['in a jail (jails are for Linux on x64)', '', 'isolation="jail"'],
])('file_block %s', (_, more, isolation) => {
  const jailed = isolation !== '';
  test.skipIf(jailed && !JAILABLE)(
    'does to the file what clients do to the blocks, and grows with it',
    async () => {
      place.write('config.xml', system(more, isolation));
      const run = new GinitRun(['--summary', 'config.xml'], place.directory);
      await run.until(`[init -> client] has ${BLOCKS} blocks`);
      const filtered = confined(run);
      expect(filtered.filter(hasRing)).toEqual([]);
      const native = process.platform === 'linux' && support().shared;
      // 64 of the blocks are holes now.
      if (native) expect(statSync(place.path('disk.img')).blocks * 512).toBeLessThanOrEqual(64 * SIZE);
      truncateSync(place.path('disk.img'), 2 * BLOCKS * SIZE);
      const { code, lines, stderr } = await run.finished;
      // Init has a filter, too.
      const driver = Number(/^ginit: init -> disk +process (\d+)/m.exec(stderr)?.[1]);
      expect(filtered.includes(driver), stderr).toBe(jailed);
      expect(lines).toEqual(expect.arrayContaining(['[init -> client] block 2 holds 0, block 3 7']));
      expect(lines).toEqual(expect.arrayContaining([`[init -> client] has ${2 * BLOCKS} blocks`]));
      expect(code).toBe(0);
      const content = readFileSync(place.path('disk.img'));
      expect([content[0], content[3 * SIZE], content[(2 * BLOCKS - 1) * SIZE]]).toEqual([0, 7, 9]);
      expect(await run.leftOver()).toEqual([]);
    },
  );
});

test('rom_block shows a file of the host as a disk', async () => {
  place.write('cd.iso', new Uint8Array(3 * 2048 + 100).fill(5));
  place.write(
    'reader.mjs',
    `import { component } from '${CORE_URL}';
import { Block, BlockClient } from '${CORE_URL}/block';
export default component({ requires: [Block] }, async (env) => {
  const disk = await BlockClient.connect(env);
  const bytes = new Uint8Array(2 * 2048);
  await disk.read(2, 2, bytes);
  await env.log(disk.info.blockCount + ' blocks, ' + bytes.indexOf(0) + ' bytes of two');
  await env.log(String(await disk.write(0, 1, bytes.subarray(0, 2048)).catch((error) => error.code)));
  env.exit(0);
});`,
  );
  place.write(
    'config.xml',
    systemConfig(`<start name="roms" ram="8M"> <binary name="host_rom"/>
    <provides> <service name="ROM"/> </provides>
    <host> <file path="cd.iso"/> </host>
    <config> <rom name="cd.iso"/> </config> </start>
  <start name="cd"> <binary name="rom_block"/>
    <provides> <service name="Block"/> </provides>
    <config file="cd.iso" block_size="2K"/>
    <route> <service name="ROM" label="cd.iso"> <child name="roms"/> </service>
      <any-service> <parent/> </any-service> </route> </start>
  <start name="reader"> <binary name="./reader.mjs"/> <exit propagate="yes"/> </start>`),
  );
  const { code, lines, stderr } = await place.run('config.xml');
  expect(lines, stderr).toEqual(
    expect.arrayContaining(['[init -> reader] 4 blocks, 2148 bytes of two', '[init -> reader] ReadOnly']),
  );
  expect(code).toBe(0);
});

test.each([
  ['in the same process', ''],
  ['in another process', 'isolation="process"'],
])('rom_block answers with Gone when the server of its ROM has crashed, %s', async (_, isolation) => {
  place.write(
    'roms.mjs',
    `import { component, Rom } from '${CORE_URL}';
export default component({ provides: [Rom] }, async (env) => {
  const content = await env.ram.allocate(4096);
  content.attach().fill(7);
  content.seal();
  env.provide(Rom, ({ label }) => {
    if (label.last === 'crash') void Promise.reject(new Error('as planned'));
    return { dataspace: () => content, update: () => true, setHandler: () => {} };
  });
});`,
  );
  place.write(
    'reader.mjs',
    `import { component, Rom } from '${CORE_URL}';
import { Block, BlockClient } from '${CORE_URL}/block';
export default component({ requires: [Block, Rom] }, async (env) => {
  const disk = await BlockClient.connect(env);
  const read = () => disk.read(0, 1, new Uint8Array(512)).then(() => 'read', (error) => error.code);
  await env.log('first ' + (await read()));
  await env.connect(Rom, { label: 'crash' }).catch(() => {});
  let last = 'read';
  while (last === 'read') {
    await env.timer.sleep(5);
    last = await read();
  }
  await env.log('then ' + last + ' and ' + (await read()));
  env.exit(0);
});`,
  );
  place.write(
    'config.xml',
    systemConfig(`<start name="roms" ram="8M" ${isolation}> <binary name="./roms.mjs"/>
    <provides> <service name="ROM"/> </provides> </start>
  <start name="cd"> <binary name="rom_block"/>
    <provides> <service name="Block"/> </provides>
    <config file="cd.iso"/>
    <route> <service name="ROM" label="cd.iso"> <child name="roms"/> </service>
      <any-service> <parent/> </any-service> </route> </start>
  <start name="reader"> <binary name="./reader.mjs"/> <exit propagate="yes"/>
    <route> <service name="ROM" label="crash"> <child name="roms"/> </service>
      <service name="Block"> <child name="cd"/> </service> <any-service> <parent/> </any-service> </route> </start>`),
  );
  const { code, lines, stderr } = await place.run('config.xml');
  expect(stderr).toContain('as planned');
  expect(lines, stderr).toEqual(
    expect.arrayContaining(['[init -> reader] first read', '[init -> reader] then Gone and Gone']),
  );
  expect(code).toBe(0);
});
