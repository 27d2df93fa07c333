/** Random requests against a model through every device, some with faults in between. */
import type { Component } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import ramFs from '@ginit/os/ram_fs';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, runSystem } from '../../../test/harness/in-process-system.ts';
import { propertyRuns } from '../../../test/property-runs.ts';

import faultBlock from '../src/fault_block/main.ts';
import partBlock from '../src/part_block/main.ts';
import ramBlock from '../src/ram_block/main.ts';
import vfsBlock from '../src/vfs_block/main.ts';
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

async function mix(
  kind: CarrierKind,
  { starts, device, mayFail = [] }: Chain,
  seed: number,
): Promise<MixResult> {
  let result = { failed: 0, compared: 0 };
  const client = clientOf(async (env) => {
    const disk = await BlockClient.connect(env, { label: 'mixed' });
    const { blockCount, blockSize } = disk.info;
    const content = new Uint8Array(blockCount * blockSize);
    // What is there at first is the model's beginning.
    for (let done = false; !done; ) {
      done = await disk.read(0, blockCount, content).then(
        () => true,
        () => false,
      );
    }
    const requests = propertyRuns(300);
    result = await mixRequests(disk, new DeviceModel(content, blockSize), { seed, requests, mayFail });
  });
  await endsWell(
    runSystem(
      kind,
      { ...COMPONENTS, client },
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
});
