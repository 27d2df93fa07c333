/** part_block in whole systems, over disks with a GPT. */
import type { Component } from '@ginit/core';
import { Listeners } from '@ginit/core/async';
import { type BlockBackend, BlockClient, type BlockInfo } from '@ginit/core/block';
import { expect, test } from 'vitest';
import { runSystem } from '../../../test/harness/in-process-system.ts';
import partBlock from '../src/part_block/main.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { writeBootRecord } from './disk-image.ts';
import { EFI_TYPE, type GptTestEntry, guidOf, LINUX_TYPE, writeGpt } from './gpt-image.ts';
import {
  clientOf,
  complaintsOf,
  endsWell,
  idleClient,
  reasonOf,
  reportsTo,
  serverOf,
} from './system-client.ts';

const SIZE = 512;
const BLOCKS = 1000;
const ENTRIES: GptTestEntry[] = [
  { first: 40, last: 99, type: EFI_TYPE, name: 'boot' },
  { first: 100, last: 199, name: 'home' },
  { first: 200, last: 299, name: 'root' },
  { first: 300, last: 349, name: 'twin' },
  { first: 350, last: 399, name: 'twin' },
];

function gptImage(entries: readonly GptTestEntry[]): Uint8Array {
  const image = new Uint8Array(BLOCKS * SIZE);
  writeGpt(image, { entries });
  return image;
}

/** A disk of which only a part is there at first. */
class GrowingDisk implements BlockBackend {
  readonly #disk: RamDisk;
  readonly #listeners = new Listeners();
  #blockCount: number;

  constructor(image: Uint8Array, blockCount: number) {
    this.#disk = new RamDisk(image, SIZE);
    this.#blockCount = blockCount;
  }

  grow(blockCount: number): void {
    this.#blockCount = blockCount;
    this.#listeners.call();
  }

  get info(): BlockInfo {
    return { ...this.#disk.info, blockCount: this.#blockCount };
  }

  onInfoChanged(handler: () => void): () => void {
    return this.#listeners.add(handler);
  }

  read = (block: number, count: number, into: Uint8Array): void => this.#disk.read(block, count, into);
  write = (block: number, count: number, from: Uint8Array): void => this.#disk.write(block, count, from);
  sync = (): void => {};
  trim = (): void => {};
  writeZeroes = (block: number, count: number): void => this.#disk.writeZeroes(block, count);
}

const TO_PARTITIONS =
  '<route> <service name="Block"> <child name="partitions"/> </service> <any-service> <parent/> </any-service> </route>';

const system = (config: string): string => `
  <start name="disk"> <provides> <service name="Block"/> </provides> </start>
  <start name="reports"> <provides> <service name="Report"/> </provides> </start>
  <start name="partitions"> <binary name="part_block"/> <provides> <service name="Block"/> </provides>
    ${config}
    <route> <service name="Block"> <child name="disk"/> </service>
      <service name="Report"> <child name="reports"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="client" ram="16M"> <exit propagate="yes"/> ${TO_PARTITIONS} </start>`;

const components = (disk: BlockBackend, client: Component, reports: string[] = []) => ({
  disk: serverOf(disk),
  reports: reportsTo(reports),
  part_block: partBlock,
  client,
});

const runOver = (disk: BlockBackend, config: string, client: Component, reports: string[] = []) =>
  endsWell(runSystem('shared', components(disk, client, reports), system(config)));

/** Over an image, which the test may change. */
const run = (image: Uint8Array, config: string, client: Component, reports: string[] = []) =>
  runOver(new RamDisk(image, SIZE), config, client, reports);

test('a policy names its partition by name, GUID or type, and by several of them', async () => {
  const client = clientOf(async (env) => {
    const firstOf = async (label: string): Promise<number> => {
      const session = await BlockClient.connect(env, { label });
      const block = new Uint8Array(SIZE);
      await session.read(0, 1, block);
      await session.close();
      return new DataView(block.buffer).getUint32(0, true);
    };
    expect(await firstOf('name')).toBe(100);
    expect(await firstOf('guid')).toBe(200);
    expect(await firstOf('type')).toBe(40);
    expect(await firstOf('both')).toBe(350);
  });
  const image = gptImage(ENTRIES);
  const view = new DataView(image.buffer);
  for (const block of [40, 100, 200, 300, 350]) view.setUint32(block * SIZE, block, true);
  await run(
    image,
    `<config>
       <policy label_suffix="name" name="home"/>
       <policy label_suffix="guid" guid="${guidOf(3).toUpperCase()}"/>
       <policy label_suffix="type" type="${EFI_TYPE}"/>
       <policy label_suffix="both" name="twin" partition="5"/>
     </config>`,
    client,
  );
});

test('a policy that several partitions fit, or none, gives nobody a session', async () => {
  const client = clientOf(async (env) => {
    const why = (label: string): Promise<string> => reasonOf(BlockClient.connect(env, { label }));
    expect(await why('twins')).toContain('partitions 4 and 5 are both a partition with name "twin"');
    expect(await why('linux')).toContain(`both a partition with type "${LINUX_TYPE}"`);
    expect(await why('missing')).toContain('there is no partition with name "hom"');
    expect(await why('other')).toContain('there is no partition 2 with name "root"');
  });
  await run(
    gptImage(ENTRIES),
    `<config>
       <policy label_suffix="twins" name="twin"/>
       <policy label_suffix="linux" type="${LINUX_TYPE}"/>
       <policy label_suffix="missing" name="hom"/>
       <policy label_suffix="other" partition="2" name="root"/>
     </config>`,
    client,
  );
});

test('a policy that names no partition is an error with its place', async () => {
  const complaints = await complaintsOf(
    components(new RamDisk(gptImage(ENTRIES), SIZE), idleClient),
    system('<config> <policy label_suffix="any" writeable="yes"/> </config>'),
  );
  expect(complaints).toMatch(/config\.xml:\d+:\d+: a policy names its partition by partition, name/);
});

test('an MBR has types, too', async () => {
  const image = new Uint8Array(BLOCKS * SIZE);
  writeBootRecord(image, 0, [
    { type: 0x83, first: 10, count: 20 },
    { type: 0x0c, first: 30, count: 40 },
  ]);
  const client = clientOf(async (env) => {
    const fat = await BlockClient.connect(env, { label: 'fat' });
    expect(fat.info.blockCount).toBe(40);
  });
  await run(image, '<config> <policy label_suffix="fat" type="0x0C"/> </config>', client);
});

test('a table that was written meanwhile is what the next session gets, and what is reported', async () => {
  const image = gptImage(ENTRIES);
  const reports: string[] = [];
  const client = clientOf(async (env) => {
    const home = await BlockClient.connect(env, { label: 'home' });
    expect(home.info.blockCount).toBe(100);
    writeGpt(image, {
      entries: [
        { first: 150, last: 249, name: 'new' },
        { first: 600, last: 799, name: 'home' },
      ],
    });
    expect(await reasonOf(BlockClient.connect(env, { label: 'new' }))).toContain(
      'partition 1 is in use by another session, as partition 2 of an earlier table',
    );
    const moved = await BlockClient.connect(env, { label: 'home' });
    expect(moved.info.blockCount).toBe(200);
    await moved.close();
    await home.close();
    const fresh = await BlockClient.connect(env, { label: 'new' });
    expect(fresh.info.blockCount).toBe(100);
  });
  await run(
    image,
    `<config> <report partitions="yes"/>
       <policy label_suffix="home" name="home"/> <policy label_suffix="new" name="new"/> </config>`,
    client,
    reports,
  );
  expect(reports).toHaveLength(2);
  expect(reports[0]).toContain('name="twin"');
  expect(reports[1]).not.toContain('name="twin"');
});

test('the report names every partition, and why one cannot be used', async () => {
  const reports: string[] = [];
  const entries = [
    { first: 40, last: 99, name: 'a <b> & "c"' },
    { first: 200, last: 299 },
    { first: 299, last: 350 },
  ];
  const client = clientOf(async (env) => {
    while (reports.length === 0) await env.timer.sleep(1);
  });
  await run(
    gptImage(entries),
    '<config> <report partitions="yes"/> <default-policy partition="1"/> </config>',
    client,
    reports,
  );
  expect(reports[0]).toBe(`partitions -> partitions
<partitions type="gpt" guid="${guidOf(0)}" total_blocks="1000" block_size="512">
  <partition number="1" type="${LINUX_TYPE}" start="40" length="60" block_size="512" name="a &lt;b&gt; &amp; &quot;c&quot;" guid="${guidOf(1)}"/>
  <partition number="2" fault="overlaps with partition 3"/>
  <partition number="3" fault="overlaps with partition 2"/>
</partitions>
`);
});

test('a report that does not fit its buffer is a warning, and sessions go on', async () => {
  const reports: string[] = [];
  const many = Array.from({ length: 20 }, (_, index) => ({
    first: 40 + index,
    last: 40 + index,
    name: 'x'.repeat(36),
  }));
  const client = clientOf(async (env) => void (await BlockClient.connect(env, { label: 'any' })));
  const lines = await run(
    gptImage(many),
    '<config> <report partitions="yes" buffer="1K"/> <default-policy partition="1"/> </config>',
    client,
    reports,
  );
  expect(reports).toEqual([]);
  expect(lines.join('\n')).toContain(
    'Warning: no report of the partitions: RpcError: report "partitions" has',
  );
});

test('a disk that grows: the table is looked at again, and sessions get partitions behind its old end', async () => {
  const image = gptImage([...ENTRIES.slice(0, 3), { first: 800, last: 899, name: 'far' }]);
  const disk = new GrowingDisk(image, 500);
  const reports: string[] = [];
  const client = clientOf(async (env) => {
    expect(await reasonOf(BlockClient.connect(env, { label: 'far' }))).toContain(
      'beyond the end of the disk',
    );
    disk.grow(BLOCKS);
    while (reports.length < 2) await env.timer.sleep(1);
    expect((await BlockClient.connect(env, { label: 'far' })).info.blockCount).toBe(100);
  });
  const config = '<config> <report partitions="yes"/> <policy label_suffix="far" name="far"/> </config>';
  await runOver(disk, config, client, reports);
  expect(reports[0]).toContain('total_blocks="500"');
  expect(reports[0]).toContain('<partition number="4" fault="has blocks 800 to 899');
  expect(reports[1]).toContain('total_blocks="1000"');
  expect(reports[1]).toContain('start="800" length="100"');
});

test('a session of a disk without a table grows with the disk', async () => {
  const disk = new GrowingDisk(new Uint8Array(BLOCKS * SIZE), 500);
  const client = clientOf(async (env) => {
    const whole = await BlockClient.connect(env, { label: 'whole' });
    expect(whole.info.blockCount).toBe(500);
    const grown = new Promise<void>((resolve) => whole.onInfoChanged(resolve));
    disk.grow(BLOCKS);
    await grown;
    expect(whole.info.blockCount).toBe(BLOCKS);
    await whole.write(999, 1, new Uint8Array(SIZE));
  });
  const config = '<config> <policy label_suffix="whole" partition="0" writeable="yes"/> </config>';
  await runOver(disk, config, client);
});

test('whoever has a whole disk that has grown has its new blocks, too, so that nobody else gets them', async () => {
  const image = new Uint8Array(BLOCKS * SIZE);
  const disk = new GrowingDisk(image, 500);
  const client = clientOf(async (env) => {
    const whole = await BlockClient.connect(env, { label: 'whole' });
    const grown = new Promise<void>((resolve) => whole.onInfoChanged(resolve));
    disk.grow(BLOCKS);
    await grown;
    writeGpt(image, { entries: [{ first: 800, last: 899, name: 'far' }] });
    expect(await reasonOf(BlockClient.connect(env, { label: 'far' }))).toContain(
      'partition 1 is in use by another session, as partition 0 of an earlier table',
    );
    await whole.close();
    expect((await BlockClient.connect(env, { label: 'far' })).info.blockCount).toBe(100);
  });
  const config = `<config> <policy label_suffix="whole" partition="0" writeable="yes"/>
    <policy label_suffix="far" name="far" writeable="yes"/> </config>`;
  await runOver(disk, config, client);
});
