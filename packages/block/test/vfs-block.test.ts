/** vfs_block over a file system in memory. */
import type { Component, Main } from '@ginit/core';
import { Block, BlockClient } from '@ginit/core/block';
import { ConfigNode, type ElementSchema, readConfig } from '@ginit/core/config';
import { FileSystem, FileSystemClient } from '@ginit/core/file_system';
import ramFs from '@ginit/os/ram_fs';
import { expect, test, vi } from 'vitest';
import { runSystem } from '../../../test/harness/in-process-system.ts';
import vfsBlock from '../src/vfs_block/main.ts';
import { VfsDisk } from '../src/vfs_block/vfs-disk.ts';
import { clientOf, codeOf, complaintsOf, endsWell, idleClient } from './system-client.ts';

const TO_FS = '<service name="File_system"> <child name="fs"/> </service>';

const components = (client: Component) => ({ ram_fs: ramFs, vfs_block: vfsBlock, client });

const starts = (config: string, fsPolicy = 'writeable="yes"'): string =>
  `<start name="fs" ram="8M"> <binary name="ram_fs"/> <provides> <service name="File_system"/> </provides>
     <config> <content> <dir name="images"> <inline name="disk">${'a'.repeat(5000)}</inline> </dir> </content>
       <policy label_prefix="disk" ${fsPolicy}/> <default-policy writeable="yes"/> </config> </start>
   <start name="disk"> <binary name="vfs_block"/> <provides> <service name="Block"/> </provides> ${config}
     <route> ${TO_FS} <any-service> <parent/> </any-service> </route> </start>
   <start name="client" ram="16M"> <exit propagate="yes"/>
     <route> ${TO_FS} <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
   </start>`;

const run = (config: string, work: Main): Promise<readonly string[]> =>
  endsWell(
    runSystem('shared', components(clientOf(work, { requires: [Block, FileSystem] })), starts(config)),
  );

test('whole blocks of the file are the device, and what is written is in the file', async () => {
  const lines = await run('<config file="/images/disk" writeable="yes"/>', async (env) => {
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
  expect(lines).toContain(
    '[init -> disk] Warning: file "/images/disk" has 5000 bytes: the last 392 are no whole block of 512 and left out',
  );
});

test('a file that gets longer is a device that grows, and one that gets shorter fails cleanly', async () => {
  await run('<config file="/images/disk"/>', async (env) => {
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
});

test.each([
  ['<config file="/images/none"/>', 'file "/images/none" cannot be opened'],
  ['<config file="/images"/>', 'file "/images" cannot be opened'],
  ['<config file="/images/disk" block_size="8K"/>', 'has 5000 bytes, which is less than a block of 8192'],
  ['<config file="/images/disk" block_size="1000"/>', 'block_size is 1000, which is no power of two'],
])('%s is an error with its place', async (config, problem) => {
  const complaints = await complaintsOf(components(idleClient), starts(config));
  expect(complaints).toMatch(/config\.xml:\d+:\d+: /);
  expect(complaints).toContain(problem);
});

test('what the file system does not let it write is an error with its place', async () => {
  const config = '<config file="/images/disk" writeable="yes"/>';
  const complaints = await complaintsOf(components(idleClient), starts(config, ''));
  expect(complaints).toContain('file "/images/disk" cannot be opened: ');
});

test('a disk that is not to be written refuses it', async () => {
  await run('<config file="/images/disk"/>', async (env) => {
    const disk = await BlockClient.connect(env, {});
    expect(await codeOf(disk.write(0, 1, new Uint8Array(512)))).toBe('ReadOnly');
  });
});

test('the end of the driver syncs a write that was under way during the last SYNC', async () => {
  const done: string[] = [];
  let endWrite = (): void => {};
  const file = {
    status: async () => ({ sizeBytes: 1024 }),
    write: async () => {
      await new Promise<void>((resolve) => (endWrite = resolve));
      done.push('write');
    },
    close: async () => void done.push('close'),
  };
  const fs: unknown = {
    open: async () => file,
    watch: async () => ({ close: async () => {} }),
    sync: async () => void done.push('sync'),
    close: async () => {},
  };
  // The members of the two that the driver uses.
  const connect = vi.spyOn(FileSystemClient, 'connect').mockResolvedValue(fs as FileSystemClient);
  const node = ConfigNode.make('config', { file: '/disk', writeable: true });
  const env: unknown = { config: { read: (schema: ElementSchema) => readConfig(node, schema) } };
  const disk = await VfsDisk.open(env as Parameters<typeof VfsDisk.open>[0]);
  connect.mockRestore();
  const write = disk.write(0, 1, new Uint8Array(512));
  await disk.sync();
  endWrite();
  await write;
  await disk.close();
  expect(done).toEqual(['sync', 'write', 'sync', 'close']);
});
