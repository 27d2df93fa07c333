/**
 * Disks in files of file systems, partitions by name, faults and tests of devices: the components
 * of blocks that need nothing of the host but an image, in whole systems.
 */
import { join } from 'node:path';
import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkQcow2 } from '../../packages/block/src/image/qcow2/check.ts';
import { createQcow2 } from '../../packages/block/src/image/qcow2/create.ts';
import { MemoryDevice } from '../../packages/block/test/image/memory-device.ts';
import { guidOf, writeGpt } from '../../packages/block/test/gpt-image.ts';
import { SimulatedToo } from '../harness/simulated-too.ts';

let place: SimulatedToo;
beforeEach(() => {
  place = new SimulatedToo();
});
afterEach(() => place[Symbol.dispose]());

const provides = (binary: string): string => {
  if (binary === 'block_tester') return '';
  return `<provides> <service name="${binary === 'ram_fs' ? 'File_system' : 'Block'}"/> </provides>`;
};

const start = (
  name: string,
  binary: string,
  config: string,
  to: Readonly<Record<string, string>> = {},
): string => {
  const services = Object.entries(to).map(([which, child]) => {
    const [service, label] = which.split(':');
    const labelled = label === undefined ? '' : ` label="${label}"`;
    return `<service name="${service}"${labelled}> <child name="${child}"/> </service>`;
  });
  return `<start name="${name}" ram="16M"> <binary name="${binary}"/>
    ${provides(binary)} ${config}
    <route> ${services.join(' ')} <any-service> <parent/> </any-service> </route> </start>`;
};

const configOf = (...starts: string[]): string => `<config>
  <parent-provides>
    <service name="ROM"/> <service name="LOG"/> <service name="PD"/> <service name="CPU"/> <service name="Timer"/>
  </parent-provides>
  <default caps="200" ram="4M"/>
  ${starts.join('\n')}
</config>`;

const TESTER = `<exit propagate="yes"/> <config figures="no" stop_on_error="no"> <tests>
    <sequential size="4K" batch="8" write="yes" verify="yes"/>
    <random size="2K" batch="16" requests="64" write="yes" verify="yes"/>
  </tests> </config>`;

const ofTest = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith('[init -> test]'));

test('a file of a file system is a disk; requests in another order change nothing', async () => {
  const image = `<content> <inline name="disk.img">${'x'.repeat(65_536)}</inline> </content>`;
  place.write(
    'config.xml',
    configOf(
      start('fs', 'ram_fs', `<config> ${image} <default-policy writeable="yes"/> </config>`),
      start('disk', 'vfs_block', '<config file="/disk.img" writeable="yes"/>', { File_system: 'fs' }),
      start('faults', 'fault_block', '<config> <reorder window="4"/> <delay one_in="5"/> </config>', {
        Block: 'disk',
      }),
      start('test', 'block_tester', TESTER, { Block: 'faults' }),
    ),
  );
  const { code, lines } = await place.run('config.xml');
  expect(ofTest(lines)).toEqual([
    '[init -> test] sequential read and write of 4096 bytes, 8 under way, verified: ok, 33 requests, 64K read, 64K written',
    expect.stringMatching(/random read and write of 2048 bytes, 16 under way, verified: ok, 97 requests, /),
    '[init -> test] all tests finished',
  ]);
  expect(code).toBe(0);
});

test('a bad place of a partition is found, and its place is named', async () => {
  const image = new Uint8Array(512 * 1024);
  writeGpt(image, {
    entries: [
      { first: 40, last: 103, name: 'small' },
      { first: 104, last: 903, name: 'data' },
    ],
  });
  writeFileSync(join(place.directory, 'disk.img'), image);
  const file = '<host> <file path="disk.img" access="rw"/> </host> <config file="disk.img" writeable="yes"/>';
  place.write(
    'config.xml',
    configOf(
      start('disk', 'file_block', file),
      start(
        'faults',
        'fault_block',
        '<config> <error operation="read" one_in="1" first="200" count="1"/> </config>',
        {
          Block: 'disk',
        },
      ),
      start(
        'parts',
        'part_block',
        `<config> <policy label_prefix="test" guid="${guidOf(2)}" name="data" writeable="yes"/> </config>`,
        { Block: 'faults' },
      ),
      start('test', 'block_tester', TESTER.replace('4K', '16K'), { Block: 'parts' }),
    ),
  );
  const { code, lines } = await place.run('config.xml');
  expect(lines).toContain(
    '[init -> test] Error: read of 32 blocks from 96 on: block request failed: InputOutput',
  );
  expect(lines).toContain('[init -> test] 2 of 2 tests failed');
  expect(code).toBe(1);
});

test('a snapshot is taken, survives what is written since, and is what the next start rolls back to', async () => {
  for (const name of ['disk.img', 'store.img'])
    writeFileSync(join(place.directory, name), new Uint8Array(512 * 1024));
  const disk = (file: string): string =>
    `<host> <file path="${file}" access="rw"/> </host> <config file="${file}" writeable="yes"/>`;
  const config = (children: string, tests: string): string =>
    configOf(
      start('disk', 'file_block', disk('disk.img')),
      start('store', 'file_block', disk('store.img')),
      start(
        'snapshots',
        'snapshot_block',
        `<config format="yes" chunk_size="4K"> ${children} <policy label_prefix="test" writeable="yes"/> </config>`,
        { 'Block:origin': 'disk', 'Block:store': 'store' },
      ),
      start(
        'test',
        'block_tester',
        `<exit propagate="yes"/> <config figures="no"> <tests> ${tests} </tests> </config>`,
        {
          Block: 'snapshots',
        },
      ),
    );
  place.write(
    'config.xml',
    config(
      '<snapshot name="before"/>',
      '<sequential size="16K" batch="4" length="128K" write="yes" verify="yes"/> <random size="4K" batch="8" write="yes" length="128K" verify="yes"/>',
    ),
  );
  const first = await place.run('config.xml');
  expect(first.code, first.stderr).toBe(0);
  expect(first.lines).toContain('[init -> snapshots] snapshot "before" was made');
  const written = readFileSync(join(place.directory, 'disk.img'));
  expect(written.subarray(0, 128 * 1024).every((byte) => byte === 0)).toBe(false);
  place.write(
    'config.xml',
    config('<rollback name="before" token="1"/>', '<replay> <request type="read"/> </replay>'),
  );
  const second = await place.run('config.xml');
  expect(second.code, second.stderr).toBe(0);
  expect(second.lines).toContain('[init -> snapshots] the device was rolled back to snapshot "before"');
  expect(readFileSync(join(place.directory, 'disk.img')).every((byte) => byte === 0)).toBe(true);
});

test('an image over another is a disk; what is behind it is only read', async () => {
  const device = new MemoryDevice();
  await createQcow2(device, { sizeBytes: 65_536, backing: { name: 'base.img', format: 'raw' } });
  // A simulated file does not become longer: the clusters of the disk have room at the end.
  await device.setSize(1024 * 1024);
  place.write('top.qcow2', device.content());
  place.write('base.img', new Uint8Array(65_536).fill(7));
  place.write(
    'config.xml',
    configOf(
      `<start name="disk" ram="16M"> <binary name="image_block"/> ${provides('image_block')}
        <host> <file path="top.qcow2" access="rw"/> <file path="base.img"/> </host>
        <config file="top.qcow2" writeable="yes"/> <route> <any-service> <parent/> </any-service> </route> </start>`,
      start('test', 'block_tester', TESTER, { Block: 'disk' }),
    ),
  );
  const { code, lines, stderr } = await place.run('config.xml');
  expect(lines, stderr).toContain('[init -> test] all tests finished');
  expect(code).toBe(0);
  expect(readFileSync(join(place.directory, 'base.img'))).toEqual(Buffer.alloc(65_536, 7));
  // Whenever the power goes, the image is whole.
  place.write('cut.xml', '<faults> <power-cut within="600"/> </faults>');
  for (const seed of ['1', '2', '3']) {
    const args = ['--seed', seed, '--faults', 'cut.xml', '--images', `out${seed}`];
    expect((await place.simulate(...args, '--until', '1m', 'config.xml')).stderr).toContain(
      'the power of its disk was cut',
    );
    const image = readFileSync(join(place.directory, `out${seed}`, 'top.qcow2'));
    expect(await checkQcow2(new MemoryDevice(image))).toMatchObject({ problems: [], leaks: 0 });
  }
});
