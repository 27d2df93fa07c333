/**
 * Block devices over the host, under the real command: what clients do with blocks is done to the
 * host's file, and what becomes of the file reaches the clients while the system runs.
 */
import { readdirSync, readFileSync, readlinkSync, statSync, truncateSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { support } from 'sharedarraybuffer-polyfill';
import { CORE_URL, GinitRun, systemConfig, Workplace } from '../harness/ginit.ts';

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

/**
 * Processes under a filter of system calls that have a ring of io_uring, past which no filter sees.
 */
const confinedRings = (run: GinitRun): number[] =>
  run.processes().filter((pid) => {
    const filtered = /^Seccomp:\s*2$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return filtered && readdirSync(`/proc/${pid}/fd`).some((name) => isRing(`/proc/${pid}/fd/${name}`));
  });

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
  ['in a jail', '', 'isolation="jail"'],
])('file_block %s', (_, more, isolation) => {
  test('does to the file what clients do to the blocks, and grows with it', async () => {
    place.write('config.xml', system(more, isolation));
    const run = new GinitRun(['config.xml'], place.directory);
    await run.until(`[init -> client] has ${BLOCKS} blocks`);
    expect(confinedRings(run)).toEqual([]);
    const native = process.platform === 'linux' && support().shared;
    // 64 of the blocks are holes now.
    if (native) expect(statSync(place.path('disk.img')).blocks * 512).toBeLessThanOrEqual(64 * SIZE);
    truncateSync(place.path('disk.img'), 2 * BLOCKS * SIZE);
    const { code, lines } = await run.finished;
    expect(lines).toEqual(expect.arrayContaining(['[init -> client] block 2 holds 0, block 3 7']));
    expect(lines).toEqual(expect.arrayContaining([`[init -> client] has ${2 * BLOCKS} blocks`]));
    expect(code).toBe(0);
    const content = readFileSync(place.path('disk.img'));
    expect([content[0], content[3 * SIZE], content[(2 * BLOCKS - 1) * SIZE]]).toEqual([0, 7, 9]);
    expect(await run.leftOver()).toEqual([]);
  });
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
