/** fault_block in whole systems, and its device with a cache that forgets. */
import { type Component, type Env, type Main } from '@ginit/core';
import { BlockClient, blockError } from '@ginit/core/block';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { runSystem } from '../../../test/harness/in-process-system.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import faultBlock from '../src/fault_block/main.ts';
import { VolatileDevice } from '../src/fault_block/volatile-device.ts';
import { Random } from '../src/lib/random.ts';
import ramBlock from '../src/ram_block/main.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { overDisk } from './over-disk.ts';
import { clientOf, codeOf, complaintsOf, endsWell, filled, firstByte, idleClient } from './system-client.ts';

const SIZE = 512;
const BLOCKS = 128;

const starts = (config: string, blockSize = SIZE): string => `
  <start name="disk"> <binary name="ram_block"/> <provides> <service name="Block"/> </provides>
    <config size="64K" block_size="${blockSize}"/> </start>
  <start name="faults" ram="8M"> <binary name="fault_block"/> <provides> <service name="Block"/> </provides> ${config}
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="client" ram="16M"> <exit propagate="yes"/>
    <route> <service name="Block" label="bare"> <child name="disk"/> </service>
      <service name="Block"> <child name="faults"/> </service> <any-service> <parent/> </any-service> </route>
  </start>`;

const components = (client: Component) => ({ ram_block: ramBlock, fault_block: faultBlock, client });

const run = (config: string, work: Main, blockSize = SIZE): Promise<readonly string[]> =>
  endsWell(runSystem('shared', components(clientOf(work)), starts(config, blockSize)));

const connect = (env: Env): Promise<BlockClient> => BlockClient.connect(env, { label: 'disk' });

test('a batch is answered in reverse, and each request gets its own blocks', async () => {
  await run('<config> <reorder window="8" order="reverse" hold_ms="60000"/> </config>', async (env) => {
    const bare = await BlockClient.connect(env, { label: 'bare' });
    const disk = await connect(env);
    for (let block = 0; block < 8; block++) await bare.write(block, 1, filled(block + 1));
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 8 }, async (_, block) => {
        expect(await firstByte(disk, block)).toBe(block + 1);
        order.push(block);
      }),
    );
    expect(order).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
  });
});

test('requests that are too few for the window go on after the time to hold them', async () => {
  await run('<config> <reorder window="8" hold_ms="1"/> </config>', async (env) => {
    const disk = await connect(env);
    await disk.write(3, 1, filled(9));
    expect(await firstByte(disk, 3)).toBe(9);
  });
});

test('delays by chance change the order of answers, the same way for the same seed', async () => {
  const orders: string[] = [];
  for (const seed of [1, 1, 2]) {
    await run(
      `<config seed="${seed}"> <delay one_in="1" min_ms="0" max_ms="400"/> </config>`,
      async (env) => {
        const disk = await connect(env);
        const order: number[] = [];
        const reads = Array.from({ length: 6 }, async (_, block) => {
          await firstByte(disk, block);
          order.push(block);
        });
        await Promise.all(reads);
        orders.push(order.join(' '));
      },
    );
  }
  expect(orders[0]).toBe(orders[1]);
  expect(orders[0]).not.toBe(orders[2]);
});

test('errors strike where and as often as the config says', async () => {
  const lines = await run(
    `<config>
       <error operation="write" one_in="1" first="10" count="2" code="NoSpace"/>
       <error operation="read" one_in="1" first="20" after="1" most="2" code="Gone"/>
     </config>`,
    async (env) => {
      const disk = await connect(env);
      const write = (block: number, count = 1): Promise<string> =>
        codeOf(disk.write(block, count, filled(1, count * SIZE)));
      expect(await write(9)).toBe('succeeded');
      expect(await write(10)).toBe('NoSpace');
      expect(await write(8, 3)).toBe('NoSpace');
      expect(await write(11)).toBe('NoSpace');
      expect(await write(12)).toBe('succeeded');
      expect(await firstByte(disk, 8)).toBe(0);
      const reads: string[] = [];
      for (let time = 0; time < 4; time++) reads.push(await codeOf(firstByte(disk, 30)));
      expect(reads).toEqual(['succeeded', 'Gone', 'Gone', 'succeeded']);
      expect(await codeOf(disk.sync())).toBe('succeeded');
    },
  );
  expect(lines).toContain('[init -> faults] errors: 5');
});

test('a torn write leaves its first sectors, also within a block, and fails', async () => {
  await run(
    '<config seed="3"> <torn-write one_in="1" after="1"/> </config>',
    async (env) => {
      const disk = await connect(env);
      const bytes = 8 * 4096;
      await disk.write(0, 8, filled(1, bytes));
      const cuts = new Set<number>();
      for (let time = 0; time < 20; time++) {
        expect(await codeOf(disk.write(0, 8, filled(time + 2, bytes)))).toBe('InputOutput');
        const now = new Uint8Array(bytes);
        await disk.read(0, 8, now);
        const cut = now.findIndex((byte) => byte !== time + 2);
        expect(cut % 512).toBe(0);
        expect(now.subarray(cut).every((byte) => byte < time + 2)).toBe(true);
        cuts.add(cut);
      }
      expect([...cuts].some((cut) => cut % 4096 !== 0)).toBe(true);
    },
    4096,
  );
});

test('a fault is logged with the number of its request, and counted only if it has struck', async () => {
  const lines = await run(
    `<config verbose="yes"> <torn-write one_in="1"/> <lost-sync one_in="1"/>
       <error one_in="1" after="2"/> </config>`,
    async (env) => {
      const disk = await connect(env);
      for (let time = 0; time < 2; time++) {
        await codeOf(disk.write(7, 1, filled(1)));
        await codeOf(disk.sync());
      }
    },
  );
  const told = lines.filter((line) => line.startsWith('[init -> faults] '));
  expect(told.map((line) => line.slice('[init -> faults] '.length))).toEqual([
    'request 1, write of 1 blocks from 7 on, is carried out in part',
    'request 2, sync, is answered and not carried out',
    'request 3, write of 1 blocks from 7 on, fails with InputOutput',
    'request 4, sync, fails with InputOutput',
    'torn writes: 1, lost SYNCs: 1, errors: 2',
  ]);
});

test('what is stuck ends with its session, and takes nobody else along', async () => {
  const lines = await run(
    '<config verbose="yes"> <stuck operation="read" one_in="1" first="5" count="1"/> </config>',
    async (env) => {
      const one = await connect(env);
      const other = await BlockClient.connect(env, { label: 'other' });
      const stuck = [codeOf(firstByte(one, 5)), codeOf(firstByte(one, 5))];
      expect(await firstByte(one, 6)).toBe(0);
      expect(await firstByte(other, 7)).toBe(0);
      await one.close();
      expect(await Promise.all(stuck)).toEqual(['PeerGone', 'PeerGone']);
      expect(await firstByte(other, 8)).toBe(0);
    },
  );
  expect(lines).toContain('[init -> faults] request 1, read of 1 blocks from 5 on, is not answered');
});

test('a lost SYNC: what was written is in memory only', async () => {
  await run('<config> <volatile size="64K"/> <lost-sync one_in="1" most="1"/> </config>', async (env) => {
    const bare = await BlockClient.connect(env, { label: 'bare' });
    const disk = await connect(env);
    await disk.write(1, 1, filled(7));
    await disk.sync();
    expect([await firstByte(disk, 1), await firstByte(bare, 1)]).toEqual([7, 0]);
    await disk.sync();
    expect(await firstByte(bare, 1)).toBe(7);
  });
});

test('after a power cut everything ends, and the device has what SYNC has acknowledged', async () => {
  const client = clientOf(async (env) => {
    const disk = await connect(env);
    for (let block = 0; block < 60; block++) await disk.write(block, 1, filled(1));
    await disk.sync();
    const codes = await Promise.all(
      Array.from({ length: 60 }, (_, block) => codeOf(disk.write(block, 1, filled(2)))),
    );
    expect(new Set(codes.slice(0, 39))).toEqual(new Set(['succeeded']));
    for (const code of codes.slice(39)) expect(['Gone', 'PeerGone']).toContain(code);
    const bare = await BlockClient.connect(env, { label: 'bare' });
    const found = [];
    for (let block = 0; block < 60; block++) found.push(await firstByte(bare, block));
    expect(new Set(found.slice(0, 39))).toEqual(new Set([1, 2]));
    expect(new Set(found.slice(39))).toEqual(new Set([1]));
  });
  const config = '<config> <volatile size="64K"/> <power-cut after="100"/> </config>';
  const lines = await endsWell(runSystem('shared', components(client), starts(config)));
  expect(lines.join('\n')).toMatch(
    /Error: the power is gone: of the blocks in memory \d+ are kept, \d+ lost, 0 torn/,
  );
});

test('a device with a small memory answers as a model does, and keeps after a power cut what was synced', async () => {
  const operation = fc.record({
    kind: fc.constantFrom('write', 'write', 'write', 'read', 'sync', 'trim', 'zeroes'),
    block: fc.nat(30),
    count: fc.integer({ min: 1, max: 4 }),
  });
  let lost = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), fc.nat(), async (operations, seed) => {
      const base = new RamDisk(new Uint8Array(36 * SIZE), SIZE);
      const random = new Random(seed, 'volatile');
      const device = new VolatileDevice(base, new Uint8Array(10 * SIZE), { evictOneIn: 5, random });
      // For each block, what may be there after a power cut: the synced content and all later ones.
      const allowed = Array.from({ length: 36 }, () => [0]);
      // What TRIM has named holds anything until it is written; and after a power cut, until then
      // and a SYNC.
      const free = new Set<number>();
      const uncertain = new Set<number>();
      for (const [index, { kind, block, count }] of operations.entries()) {
        const blocks = Array.from({ length: count }, (_, at) => block + at);
        const byte = kind === 'zeroes' ? 0 : (index % 250) + 1;
        if (kind === 'write' || kind === 'zeroes') {
          if (kind === 'write') await device.write(block, count, filled(byte, count * SIZE));
          else await device.writeZeroes(block, count);
          for (const at of blocks) {
            allowed[at]?.push(byte);
            free.delete(at);
          }
        } else if (kind === 'trim') {
          await device.trim(block, count);
          for (const at of blocks) free.add(at);
          for (const at of blocks) uncertain.add(at);
        } else if (kind === 'sync') {
          await device.sync();
          for (const [at, contents] of allowed.entries()) allowed[at] = contents.slice(-1);
          for (const at of uncertain) if (!free.has(at)) uncertain.delete(at);
        } else {
          const bytes = new Uint8Array(count * SIZE);
          await device.read(block, count, bytes);
          for (const [at, number] of blocks.entries()) {
            if (!free.has(number)) expect(bytes[at * SIZE]).toBe(allowed[number]?.at(-1));
          }
        }
      }
      lost += (await device.powerCut(false)).lost;
      const after = new Uint8Array(36 * SIZE);
      base.read(0, 36, after);
      for (const [block, contents] of allowed.entries()) {
        if (!uncertain.has(block)) expect(contents).toContain(after[block * SIZE]);
      }
    }),
    { numRuns: propertyRuns(100) },
  );
  expect(lost).toBeGreaterThan(10);
});

test('a batch of which one write fails has ended before the next one begins', async () => {
  const base = new RamDisk(new Uint8Array(8 * SIZE), SIZE);
  const ends: (() => void)[] = [];
  let failing = true;
  const slow = overDisk(base, {
    write: async (block, count, from) => {
      if (failing) {
        failing = false;
        throw blockError('InputOutput');
      }
      await new Promise<void>((resolve) => ends.push(resolve));
      base.write(block, count, from);
    },
  });
  const device = new VolatileDevice(slow, new Uint8Array(8 * SIZE), {
    evictOneIn: undefined,
    random: new Random(1, 'volatile'),
  });
  await device.write(0, 2, filled(1, 2 * SIZE));
  const failed = codeOf(device.sync());
  await device.write(1, 1, filled(2));
  const synced = codeOf(device.sync());
  await new Promise((resolve) => setImmediate(resolve));
  // Of one block there is one write at a time, so that the older one never comes last.
  expect(ends.length).toBe(1);
  while (ends.length > 0) {
    ends.pop()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([await failed, await synced]).toEqual(['InputOutput', 'succeeded']);
  const bytes = new Uint8Array(2 * SIZE);
  base.read(0, 2, bytes);
  expect([bytes[0], bytes[SIZE]]).toEqual([1, 2]);
});

test('a power cut without anything that could be lost is an error of the config', async () => {
  const complaints = await complaintsOf(
    components(idleClient),
    starts('<config> <power-cut after="1"/> </config>'),
  );
  expect(complaints).toMatch(/config\.xml:\d+:\d+: without <volatile> there is nothing/);
});

test('the device has as many blocks as the one below', async () => {
  await run('<config/>', async (env) => {
    expect((await connect(env)).info).toMatchObject({ blockCount: BLOCKS, blockSize: SIZE, writeable: true });
  });
});
