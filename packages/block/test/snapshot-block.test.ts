/** snapshot_block in whole systems. */
import type { Component, Main } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import { expect, test } from 'vitest';
import { runSystem } from '../../../test/harness/in-process-system.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import snapshotBlock from '../src/snapshot_block/main.ts';
import { DeviceModel, mixRequests } from './mixed-requests.ts';
import {
  clientOf,
  codeOf,
  complaintsOf,
  endsWell,
  filled,
  firstByte,
  idleClient,
  reasonOf,
  reportsTo,
  serverOf,
} from './system-client.ts';

const SIZE = 512;

const PROVIDES = '<provides> <service name="Block"/> </provides>';

class Place {
  readonly origin: RamDisk;
  readonly reports: string[] = [];
  readonly store: RamDisk;

  constructor(storeBytes = 1024 * 1024, blockSize = SIZE) {
    this.origin = new RamDisk(new Uint8Array(256 * 1024), blockSize);
    this.store = new RamDisk(new Uint8Array(storeBytes), SIZE);
  }

  #components(client: Component) {
    return {
      origin: serverOf(this.origin),
      store: serverOf(this.store),
      reports: reportsTo(this.reports),
      snapshot_block: snapshotBlock,
      client,
    };
  }

  #starts(config: string): string {
    return `<start name="origin"> ${PROVIDES} </start> <start name="store"> ${PROVIDES} </start>
       <start name="reports"> <provides> <service name="Report"/> </provides> </start>
       <start name="snapshots" ram="8M"> <binary name="snapshot_block"/> ${PROVIDES} ${config}
         <route> <service name="Block" label="origin"> <child name="origin"/> </service>
           <service name="Block" label="store"> <child name="store"/> </service>
           <service name="Report"> <child name="reports"/> </service> <any-service> <parent/> </any-service> </route>
       </start>
       <start name="client" ram="16M"> <exit propagate="yes"/>
         <route> <service name="Block"> <child name="snapshots"/> </service> <any-service> <parent/> </any-service> </route>
       </start>`;
  }

  /** What is said of a config that cannot work. */
  complaints(attributes: string): Promise<string> {
    const config = `<config ${attributes}> ${POLICIES} </config>`;
    return complaintsOf(this.#components(idleClient), this.#starts(config));
  }

  /** Runs with these children of the config, and expects a good end. */
  async ok(
    children: string,
    work: Main,
    attributes = 'format="yes" chunk_size="4K"',
  ): Promise<readonly string[]> {
    const config = `<config ${attributes}> ${children} ${POLICIES} </config>`;
    const lines = await endsWell(runSystem('shared', this.#components(clientOf(work)), this.#starts(config)));
    return lines.filter((line) => line.startsWith('[init -> snapshots]')).map((line) => line.slice(20));
  }
}

const POLICIES = `
  <policy label_suffix="device" writeable="yes"/> <policy label_suffix="reader"/>
  <policy label_suffix="one" snapshot="one"/> <policy label_suffix="two" snapshot="two" writeable="yes"/>`;

const connect = (env: Parameters<Main>[0], label: string): Promise<BlockClient> =>
  BlockClient.connect(env, { label });

test('the config says which snapshots there are; over restarts they are made, shown, rolled back to and deleted', async () => {
  const place = new Place();
  const first = await place.ok('<snapshot name="one"/>', async (env) => {
    const device = await connect(env, 'device');
    expect(await reasonOf(connect(env, 'two'))).toContain('there is no snapshot "two"');
    await device.write(3, 1, filled(1));
    const one = await connect(env, 'one');
    expect([await firstByte(device, 3), await firstByte(one, 3)]).toEqual([1, 0]);
    expect(one.info).toMatchObject({ blockCount: 512, writeable: false });
    expect(await codeOf(one.write(3, 1, filled(2)))).toBe('ReadOnly');
    expect((await connect(env, 'reader')).info.writeable).toBe(false);
  });
  expect(first).toEqual(['the snapshot store was formatted', 'snapshot "one" was made']);

  const second = await place.ok(
    '<snapshot name="one"/> <snapshot name="two"/> <report snapshots="yes"/>',
    async (env) => {
      const device = await connect(env, 'device');
      await device.write(3, 1, filled(2));
      const [one, two] = [await connect(env, 'one'), await connect(env, 'two')];
      expect([await firstByte(device, 3), await firstByte(two, 3), await firstByte(one, 3)]).toEqual([
        2, 1, 0,
      ]);
      expect(await codeOf(two.writeZeroes(3, 1))).toBe('ReadOnly');
      while (!place.reports.at(-1)?.includes('used="2"')) await env.timer.sleep(1);
    },
  );
  expect(second).toEqual(['snapshot "two" was made']);
  expect(place.reports.at(-1)).toMatch(
    /^snapshots -> snapshots\n<snapshots chunk_bytes="4096" chunks="\d+" used="2">\s+<snapshot name="one" created_ms="\d+" blocks="512" chunks="1"\/>\s+<snapshot name="two"/,
  );

  const back = '<rollback name="one" token="1"/>';
  const third = await place.ok(`${back} <delete name="two"/>`, async (env) => {
    expect(await firstByte(await connect(env, 'reader'), 3)).toBe(0);
    await (await connect(env, 'device')).write(3, 1, filled(9));
  });
  expect(third).toEqual(['snapshot "two" was deleted', 'the device was rolled back to snapshot "one"']);
  // The same token again does nothing.
  const fourth = await place.ok(back, async (env) => {
    expect(await firstByte(await connect(env, 'reader'), 3)).toBe(9);
  });
  expect(fourth).toEqual([]);
});

test('a store that fills up warns at a mark, and then writes fail, never in silence', async () => {
  const place = new Place(65_536 + 4096 + 10 * 4096);
  const lines = await place.ok('<snapshot name="one"/>', async (env) => {
    const device = await connect(env, 'device');
    for (let chunk = 0; chunk < 10; chunk++) await device.write(chunk * 8, 1, filled(1));
    expect(await codeOf(device.write(80, 1, filled(1)))).toBe('NoSpace');
    expect(await codeOf(device.write(88, 1, filled(1)))).toBe('NoSpace');
    expect(await codeOf(device.write(0, 1, filled(2)))).toBe('succeeded');
  });
  expect(lines.slice(2)).toEqual([
    'Warning: the snapshot store is full to 80 %',
    'Error: the snapshot store is full: writes to the device fail until there is room',
  ]);
});

test('a full store may drop its oldest snapshot, with a warning', async () => {
  const place = new Place(65_536 + 4096 + 4 * 4096);
  const lines = await place.ok(
    '<snapshot name="one"/>',
    async (env) => {
      const device = await connect(env, 'device');
      for (let chunk = 0; chunk < 20; chunk++) await device.write(chunk * 8, 1, filled(1));
      expect(await reasonOf(connect(env, 'one'))).toContain('there is no snapshot "one"');
    },
    'format="yes" chunk_size="4K" when_full="drop-oldest" warn_at="100"',
  );
  expect(lines).toContain('Warning: the snapshot store was full: its oldest snapshot "one" was deleted');
});

test('many writes make few reports, and the last one has them all', async () => {
  const place = new Place();
  await place.ok('<snapshot name="one"/> <report snapshots="yes"/>', async (env) => {
    const device = await connect(env, 'device');
    for (let chunk = 0; chunk < 60; chunk++) await device.write(chunk * 8, 1, filled(1));
    while (!place.reports.at(-1)?.includes('used="60"')) await env.timer.sleep(10);
  });
  expect(place.reports.length).toBeLessThan(20);
});

test('random requests are answered as by a model, and the snapshot keeps the beginning', async () => {
  const place = new Place();
  const begin = Uint8Array.from({ length: 256 * 1024 }, (_, at) => at * 7);
  place.origin.write(0, 512, begin);
  await place.ok('<snapshot name="one"/>', async (env) => {
    const device = await connect(env, 'device');
    const model = new DeviceModel(begin.slice(), SIZE);
    const { compared } = await mixRequests(device, model, { seed: 11, requests: 400 });
    expect(compared).toBeGreaterThan(300);
    const one = await connect(env, 'one');
    const content = new Uint8Array(begin.length);
    await one.read(0, 512, content);
    expect(Buffer.compare(content, begin)).toBe(0);
  });
});

test.each([
  ['', 'the device holds no snapshot store'],
  ['format="yes" chunk_size="5000"', 'chunk_size is 5000, which is no power of two'],
])('with attributes %j: %s', async (attributes, problem) => {
  expect(await new Place().complaints(attributes)).toContain(problem);
});

test('chunks that are smaller than a block of the device are an error with its place', async () => {
  const place = new Place(1024 * 1024, 16 * 1024);
  expect(await place.complaints('format="yes" chunk_size="8K"')).toMatch(
    /config\.xml:\d+:\d+: chunk_size is 8192, which is less than a block of the device \(16384 bytes\)/,
  );
});

test('a store that holds something else is not formatted', async () => {
  const place = new Place();
  place.store.write(5, 1, filled(1));
  expect(await place.complaints('format="yes"')).toContain('the device holds no snapshot store');
});
