/** Random requests against a model through every device, some with faults in between. */
import { existsSync } from 'node:fs';
import type { Component } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import ramFs from '@ginit/os/ram_fs';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, runSystem } from '../../../test/harness/in-process-system.ts';
import { propertyRuns } from '../../../test/property-runs.ts';

import faultBlock from '../src/fault_block/main.ts';
import { checkImage } from '../src/image/open-image.ts';
import partBlock from '../src/part_block/main.ts';
import ramBlock from '../src/ram_block/main.ts';
import vfsBlock from '../src/vfs_block/main.ts';
import { hostDevices } from './host-devices.ts';
import { MemoryDevice } from './image/memory-device.ts';
import { ImagePlace } from './image/qemu.ts';
import { DeviceModel, mixRequests, type MixResult } from './mixed-requests.ts';
import { clientOf, endsWell } from './system-client.ts';

const SEED = Number(process.env['GINIT_PROPERTY_SEED'] ?? 20_261_127);

const COMPONENTS: Record<string, Component> = {
  ram_block: ramBlock,
  part_block: partBlock,
  fault_block: faultBlock,
  vfs_block: vfsBlock,
  ram_fs: ramFs,
};

const start = (name: string, binary: string, config: string, to = ''): string => `
  <start name="${name}" ram="8M"> <binary name="${binary}"/>
    <provides> <service name="Block"/> <service name="File_system"/> </provides> ${config}
    <route> ${to === '' ? '' : `<service name="Block"> <child name="${to}"/> </service> <service name="File_system"> <child name="fs"/> </service>`}
      <any-service> <parent/> </any-service> </route>
  </start>`;

/** The device of a driver, with faults between it and its client. */
const hosted = (binary: string, config: string): string =>
  `${start('host', binary, '')} ${start('faults', 'fault_block', config, 'host')}`;

const RAM = start('ram', 'ram_block', '<config size="256K"/>');
const DISTURBED = `<config seed="5"> <reorder window="6" hold_ms="1"/> <delay one_in="3" min_ms="0" max_ms="3"/> </config>`;
const FAILING = `<config seed="5"> <reorder window="6" hold_ms="1"/> <error one_in="20"/> <torn-write one_in="20"/> </config>`;
const FILE = `<content> <inline name="disk.img">${'0123456789abcdef'.repeat(8192)}</inline> </content>`;

interface Chain {
  readonly starts: string;
  readonly device: string;
  readonly mayFail?: readonly string[];
}

const CHAINS: Record<string, Chain> = {
  ram_block: { starts: RAM, device: 'ram' },
  'part_block over ram_block': {
    starts: `${RAM} ${start('parts', 'part_block', '<config> <default-policy partition="0" writeable="yes"/> </config>', 'ram')}`,
    device: 'parts',
  },
  'fault_block that delays and reorders': {
    starts: `${RAM} ${start('faults', 'fault_block', DISTURBED, 'ram')}`,
    device: 'faults',
  },
  'fault_block that fails': {
    starts: `${RAM} ${start('faults', 'fault_block', FAILING, 'ram')}`,
    device: 'faults',
    mayFail: ['InputOutput'],
  },
  'fault_block with a cache that forgets': {
    starts: `${RAM} ${start('faults', 'fault_block', '<config> <volatile size="64K" evict_one_in="4"/> </config>', 'ram')}`,
    device: 'faults',
  },
  'vfs_block over ram_fs': {
    starts: `${start('fs', 'ram_fs', `<config> ${FILE} <default-policy writeable="yes"/> </config>`)}
      ${start('file', 'vfs_block', '<config file="/disk.img" writeable="yes"/>', 'fs')}`,
    device: 'file',
  },
};

const HOSTED = [
  'file_block',
  'image_block, raw',
  'image_block, qcow2',
  'image_block, vdi',
  'nbd_block',
  'http_block',
];

async function mix(
  kind: CarrierKind,
  { starts, device, mayFail = [] }: Chain,
  seed: number,
  more: Record<string, Component> = {},
): Promise<MixResult> {
  let result = { failed: 0, compared: 0 };
  const client = clientOf(async (env) => {
    const disk = await BlockClient.connect(env, { label: 'mixed' });
    const { blockCount, blockSize, writeable } = disk.info;
    const content = new Uint8Array(blockCount * blockSize);
    // What is there at first is the model's beginning.
    for (let done = false; !done; ) {
      done = await disk.read(0, blockCount, content).then(
        () => true,
        () => false,
      );
    }
    const requests = propertyRuns(300);
    result = await mixRequests(disk, new DeviceModel(content, blockSize), {
      seed,
      requests,
      mayFail,
      readOnly: !writeable,
    });
  });
  await endsWell(
    runSystem(
      kind,
      { ...COMPONENTS, ...more, client },
      `${starts} <start name="client" ram="16M"> <exit propagate="yes"/>
       <route> <service name="Block"> <child name="${device}"/> </service> <any-service> <parent/> </any-service> </route>
     </start>`,
    ),
  );
  return result;
}

describe.each<CarrierKind>(['shared', 'copying'])('over a carrier that is %s', (kind) => {
  test.each(Object.entries(CHAINS))('%s answers as a model does', async (_, chain) => {
    const { failed, compared } = await mix(kind, chain, SEED);
    expect(compared).toBeGreaterThan(300);
    expect(failed > 0).toBe((chain.mayFail ?? []).length > 0);
  });

  test.each(HOSTED)('%s behind faults answers as a model does', async (binary) => {
    using place = new ImagePlace();
    const components = hostDevices(place);
    const disturbed = { starts: hosted(binary, DISTURBED), device: 'faults' };
    expect(await mix(kind, disturbed, SEED, components)).toMatchObject({ failed: 0 });
    const failing = { starts: hosted(binary, FAILING), device: 'faults', mayFail: ['InputOutput'] };
    const { failed, compared } = await mix(kind, failing, SEED, components);
    expect([failed > 0, compared > 300]).toEqual([true, true]);
    for (const [file, format] of [['disk.qcow2', 'qcow2'] as const, ['disk.vdi', 'vdi'] as const]) {
      if (!existsSync(place.path(file))) continue;
      const device = new MemoryDevice(place.read(file));
      expect(await checkImage(device, format)).toMatchObject({ problems: [], leaks: 0 });
    }
  });
});
