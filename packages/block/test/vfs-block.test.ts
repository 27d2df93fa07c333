/** vfs_block over a file system in memory. */
import { type Main } from '@ginit/core';
import { Block, BlockClient } from '@ginit/core/block';
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import ramFs from '@ginit/os/ram_fs';
import { expect, test } from 'vitest';
import { type FinishedSystem, runSystem } from '../../../test/harness/in-process-system.ts';
import vfsBlock from '../src/vfs_block/main.ts';
import { clientOf, codeOf } from './system-client.ts';

const TO_FS = '<service name="File_system"> <child name="fs"/> </service>';

function run(config: string, work: Main, fsPolicy = 'writeable="yes"'): Promise<FinishedSystem> {
  const client = clientOf(work, { requires: [Block, FileSystem] });
  return runSystem(
    'shared',
    { ram_fs: ramFs, vfs_block: vfsBlock, client },
    `<start name="fs" ram="8M"> <binary name="ram_fs"/> <provides> <service name="File_system"/> </provides>
       <config> <content> <dir name="images"> <inline name="disk">${'a'.repeat(5000)}</inline> </dir> </content>
         <policy label_prefix="disk" ${fsPolicy}/> <default-policy writeable="yes"/> </config> </start>
     <start name="disk"> <binary name="vfs_block"/> <provides> <service name="Block"/> </provides> ${config}
       <route> ${TO_FS} <any-service> <parent/> </any-service> </route> </start>
     <start name="client" ram="16M"> <exit propagate="yes"/>
       <route> ${TO_FS} <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
     </start>`,
  );
}

test('whole blocks of the file are the device, and what is written is in the file', async () => {
  const { end, lines } = await run('<config file="/images/disk" writeable="yes"/>', async (env) => {
    const disk = await BlockClient.connect(env, {});
    expect(disk.info).toMatchObject({ blockSize: 512, blockCount: 9, writeable: true });
    const block = new Uint8Array(512);
    await disk.read(8, 1, block);
    expect(block.every((byte) => byte === 97)).toBe(true);
    await disk.write(8, 1, block.fill(98));
    await disk.writeZeroes(0, 2);
    await disk.sync();
    const fs = await FileSystemClient.connect(env);
    const content = await fs.readFile('/images/disk', 10_000);
    expect(content.length).toBe(5000);
    expect([
      content[0],
      content[1023],
      content[1024],
      content[4095],
      content[4096],
      content[4607],
      content[4608],
    ]).toEqual([0, 0, 97, 97, 98, 98, 97]);
  });
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  expect(lines).toContain(
    '[init -> disk] Warning: the last 392 bytes of the file are no whole block and left out',
  );
});

test('a file that gets longer is a device that grows, and one that gets shorter fails cleanly', async () => {
  const { end, lines } = await run('<config file="/images/disk"/>', async (env) => {
    const disk = await BlockClient.connect(env, {});
    const fs = await FileSystemClient.connect(env);
    const changed = (): Promise<void> => new Promise((resolve) => disk.onInfoChanged(resolve));
    let change = changed();
    await fs.truncate('/images/disk', 20 * 512);
    await fs.sync();
    await change;
    expect(disk.info.blockCount).toBe(20);
    await disk.read(10, 10, new Uint8Array(10 * 512));
    change = changed();
    await fs.truncate('/images/disk', 512);
    expect(['InputOutput', 'OutOfRange']).toContain(
      await codeOf(disk.read(10, 10, new Uint8Array(10 * 512))),
    );
    await fs.sync();
    await change;
    expect(await codeOf(disk.read(1, 1, new Uint8Array(512)))).toBe('OutOfRange');
  });
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
});

test.each([
  ['<config file="/images/none"/>', 'file "/images/none" cannot be opened'],
  ['<config file="/images"/>', 'file "/images" cannot be opened'],
  ['<config file="/images/disk" block_size="8K"/>', 'has 5000 bytes, which is less than a block of 8192'],
  ['<config file="/images/disk" block_size="1000"/>', 'block_size is 1000, which is no power of two'],
])('%s is an error with its place', async (config, problem) => {
  const { complaints } = await run(config, (env) => env.timer.sleep(50));
  expect(complaints.join('\n')).toMatch(/config\.xml:\d+:\d+: /);
  expect(complaints.join('\n')).toContain(problem);
});

test('what the file system does not let it write is an error with its place', async () => {
  const { complaints } = await run(
    '<config file="/images/disk" writeable="yes"/>',
    (env) => env.timer.sleep(50),
    '',
  );
  expect(complaints.join('\n')).toContain('file "/images/disk" cannot be opened: ');
});

test('a disk that is not to be written refuses it', async () => {
  const { end, lines } = await run('<config file="/images/disk"/>', async (env) => {
    const disk = await BlockClient.connect(env, {});
    expect(await codeOf(disk.write(0, 1, new Uint8Array(512)))).toBe('ReadOnly');
  });
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
});
