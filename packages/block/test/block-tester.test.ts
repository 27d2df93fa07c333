/** block_tester over devices that work, and over some that do not. */
import type { Component } from '@ginit/core';
import { blockError } from '@ginit/core/block';
import { ConfigNode, readConfig } from '@ginit/core/config';
import { expect, test } from 'vitest';
import { type FinishedSystem, runSystem } from '../../../test/harness/in-process-system.ts';
import blockTester from '../src/block_tester/main.ts';
import { BLOCK_TESTER_CONFIG } from '../src/block_tester/schema.ts';
import type { DeviceBelow } from '../src/lib/device-below.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { overDisk } from './over-disk.ts';
import { complaintsOf, endsWell, reportsTo, serverOf } from './system-client.ts';

const SIZE = 512;

/** A server of what `change` makes of a disk in memory. */
function changedDisk(change: (disk: RamDisk) => Partial<DeviceBelow> = () => ({})): Component {
  const disk = new RamDisk(new Uint8Array(256 * 1024), SIZE);
  return serverOf(overDisk(disk, change(disk)));
}

const reports: string[] = [];

function run(config: string, disk = changedDisk()): Promise<FinishedSystem> {
  return runSystem(
    'shared',
    { disk, reports: reportsTo(reports), block_tester: blockTester },
    `<start name="disk"> <provides> <service name="Block"/> </provides> </start>
     <start name="reports"> <provides> <service name="Report"/> </provides> </start>
     <start name="test" ram="16M"> <binary name="block_tester"/> <exit propagate="yes"/> ${config} </start>`,
  );
}

const ofTest = (lines: readonly string[]): string[] =>
  lines
    .filter((line) => line.startsWith('[init -> test] '))
    .map((line) => line.slice('[init -> test] '.length));

test('every kind of test runs, counts its bytes and says so', async () => {
  const lines = await endsWell(
    run(`<config figures="no"> <tests>
    <sequential size="4K" batch="8"/>
    <sequential size="16K" batch="4" write="yes" length="128K" start="64K"/>
    <sequential size="8K" batch="4" write="yes" verify="yes"/>
    <random size="2K" batch="16" requests="500"/>
    <random size="2K" batch="16" requests="500" write="yes" verify="yes" seed="7"/>
    <random size="2K" batch="16" requests="100" read="no" write="yes"/>
    <ping_pong size="4K" batch="3" length="60K" write="yes" verify="yes"/>
    <sequential size="1K" batch="9" synchronous="yes" length="64K"/>
    <replay batch="3">
      <request type="write" lba="3" count="2"/> <request type="sync"/> <request type="read" lba="3" count="2"/>
      <request type="trim" lba="3"/> <request type="zeroes" lba="0" count="16"/>
    </replay>
  </tests> </config>`),
  );
  expect(ofTest(lines)).toEqual([
    'sequential read of 4096 bytes, 8 under way: ok, 64 requests, 256K read',
    'sequential write of 16384 bytes, 4 under way: ok, 8 requests, 128K written',
    'sequential read and write of 8192 bytes, 4 under way, verified: ok, 65 requests, 256K read, 256K written',
    'random read of 2048 bytes, 16 under way: ok, 500 requests, 1000K read',
    expect.stringMatching(/^random read and write of 2048 bytes, 16 under way, verified: ok, 629 requests, /),
    'random write of 2048 bytes, 16 under way: ok, 100 requests, 200K written',
    'ping_pong read and write of 4096 bytes, 3 under way, verified: ok, 31 requests, 60K read, 60K written',
    'sequential read of 1024 bytes, 1 under way: ok, 64 requests, 64K read',
    'replay of 5 requests: ok, 5 requests, 1K read, 1K written',
    'all tests finished',
  ]);
});

test('as many requests are under way as the test says', async () => {
  let underWay = 0;
  let most = 0;
  const slow = changedDisk((disk) => ({
    read: async (block, count, into) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 2));
      underWay--;
      disk.read(block, count, into);
    },
  }));
  for (const [attributes, expected] of [
    ['batch="12"', 12],
    ['batch="12" synchronous="yes"', 1],
  ] as const) {
    most = 0;
    await endsWell(
      run(`<config> <tests> <random size="1K" requests="60" ${attributes}/> </tests> </config>`, slow),
    );
    expect(most).toBe(expected);
  }
});

const VERIFIED = '<sequential size="4K" batch="4" write="yes" verify="yes"/>';

test.each<[string, (disk: RamDisk) => Partial<DeviceBelow>, RegExp]>([
  [
    'loses a write',
    (disk) => ({
      write: (block, count, from) => (block === 64 ? undefined : disk.write(block, count, from)),
    }),
    /^Error: sector 64 should hold write 1 and holds zeros$/,
  ],
  [
    'writes to another place',
    (disk) => ({ write: (block, count, from) => disk.write(block === 64 ? 72 : block, count, from) }),
    /^Error: sector 64 should hold write 1 and holds zeros$/,
  ],
  [
    'reads from another place',
    (disk) => ({ read: (block, count, into) => disk.read(block === 64 ? 72 : block, count, into) }),
    /^Error: sector 64 should hold write 1 and holds write 1 of sector 72$/,
  ],
  [
    'flips a bit',
    (disk) => ({
      read: (block, count, into) => {
        disk.read(block, count, into);
        if (block === 64) into[1000] = (into[1000] ?? 0) ^ 4;
      },
    }),
    /^Error: sector 65 should hold write 1 and is damaged$/,
  ],
])('a device that %s is found out', async (_, change, problem) => {
  const { end, lines } = await run(`<config> <tests> ${VERIFIED} </tests> </config>`, changedDisk(change));
  expect(end).toEqual({ kind: 'exit', code: 1 });
  expect(ofTest(lines)).toContainEqual(expect.stringMatching(problem));
  expect(ofTest(lines)).toContain('1 of 1 tests failed');
});

test('an old content is told from a new one', async () => {
  let writes = 0;
  const forgetful = changedDisk((disk) => ({
    write: (block, count, from) => (block === 0 && ++writes > 1 ? undefined : disk.write(block, count, from)),
  }));
  const { lines } = await run(
    `<config> <tests> <random size="4K" length="16K" requests="40" write="yes" verify="yes"/> </tests> </config>`,
    forgetful,
  );
  expect(ofTest(lines)).toContainEqual(
    expect.stringMatching(/^Error: sector 0 should hold write \d+ and holds write 1$/),
  );
});

test('requests that fail are counted, and the first test that fails is the last one, unless the config says otherwise', async () => {
  const bad = changedDisk(() => ({ read: () => Promise.reject(blockError('InputOutput')) }));
  const tests =
    '<tests> <sequential size="64K" synchronous="yes"/> <replay> <request type="sync"/> </replay> </tests>';
  const stopped = await run(`<config figures="no"> ${tests} </config>`, bad);
  expect(stopped.end).toEqual({ kind: 'exit', code: 1 });
  expect(ofTest(stopped.lines)).toEqual([
    'sequential read of 65536 bytes, 1 under way: 1 errors, 1 requests',
    'Error: read of 128 blocks from 0 on: block request failed: InputOutput',
    '1 of 1 tests failed',
  ]);
  const going = await run(`<config figures="no" stop_on_error="no"> ${tests} </config>`, bad);
  expect(ofTest(going.lines)).toContain('sequential read of 65536 bytes, 1 under way: 4 errors, 4 requests');
  expect(ofTest(going.lines)).toContain('1 of 2 tests failed');
});

test('figures and the report', async () => {
  reports.length = 0;
  const { lines } = await run(
    '<config report="yes" latency_one_in="1"> <tests> <random size="4K" batch="8" requests="64"/> </tests> </config>',
  );
  expect(ofTest(lines)[0]).toMatch(
    /ok, 64 requests, 256K read, \d+\.\d MiB\/s, \d+ requests\/s, latency in us: p50 \d+, p90 \d+, p99 \d+, max \d+$/,
  );
  expect(reports.at(-1)).toMatch(
    /<results finished="yes" ok="yes">\s+<result test="random read [^"]+" ok="yes" requests="64" read_bytes="262144" written_bytes="0" duration_us="\d+" mib_per_second="[\d.]+" iops="\d+" latency_p50_us="\d+"/,
  );
});

test.each([
  ['<sequential size="1000"/>', 'size is 1000, which is no multiple of the block size 512'],
  ['<sequential start="100"/>', 'start is 100, which is no multiple'],
  ['<sequential length="1M"/>', 'the range ends beyond the 512 blocks of the device'],
  ['<sequential start="1M"/>', 'the range'],
  ['<random read="no"/>', 'a test that neither reads nor writes tests nothing'],
  ['<replay> <request type="read" lba="511" count="2"/> </replay>', 'the request ends beyond the 512 blocks'],
  ['<replay> <request type="write" count="0"/> </replay>', 'a write of no blocks'],
])('a test that cannot be, as %s, is an error with its place', async (tests, problem) => {
  const complaints = await complaintsOf(
    { disk: changedDisk(), block_tester: blockTester },
    `<start name="disk"> <provides> <service name="Block"/> </provides> </start>
     <start name="test" ram="16M"> <binary name="block_tester"/> <config> <tests> ${tests} </tests> </config> </start>`,
  );
  expect(complaints).toMatch(/config\.xml:\d+:\d+: /);
  expect(complaints).toContain(problem);
});

test('more requests than can be replayed are an error of the config', () => {
  const requests = Array.from({ length: 65_537 }, () => ConfigNode.make('request', { type: 'read' }));
  const config = (count: number): ConfigNode =>
    ConfigNode.make('config', {}, [
      ConfigNode.make('tests', {}, [ConfigNode.make('replay', {}, requests.slice(0, count))]),
    ]);
  expect(() => readConfig(config(65_537), BLOCK_TESTER_CONFIG)).toThrow('65536');
  expect(readConfig(config(65_536), BLOCK_TESTER_CONFIG).$children.tests.$content.length).toBe(1);
});
