/**
 * The cache over `fault_block`: requests that fail, are torn, come in another order, or get stuck.
 */
import { component, type Env, hasCode } from '@ginit/core';
import { BlockClient } from '@ginit/core/block';
import { expect, test } from 'vitest';
import { runSystem } from '../../../test/harness/in-process-system.ts';
import faultBlock from '../../block/src/fault_block/main.ts';
import ramBlock from '../../block/src/ram_block/main.ts';
import { Random } from '../../simulator/src/order/random.ts';
import blockcache from '../src/main.ts';

const SIZE = 512;
const BLOCKS = 2048;
const ROUTES = '<any-service> <parent/> <any-child/> </any-service>';
const to = (server: string): string =>
  `<route> <service name="Block" label="bare"> <child name="disk"/> </service>
    <service name="Block"> <child name="${server}"/> </service> ${ROUTES} </route>`;

/** Runs a client of a cache whose device has faults. */
async function withFaults(faults: string, config: string, work: (env: Env) => Promise<void>): Promise<void> {
  const client = component({}, async (env) => {
    try {
      await work(env);
      env.exit(0);
    } catch (error) {
      await env.error(error instanceof Error ? (error.stack ?? '') : String(error));
      env.exit(1);
    }
  });
  const starts = `
    <start name="disk" ram="4M"> <binary name="ram_block"/> <provides> <service name="Block"/> </provides>
      <config size="${BLOCKS * SIZE}" block_size="${SIZE}"/> </start>
    <start name="faults" ram="8M" step_bound_ms="1000"> <binary name="fault_block"/> <provides> <service name="Block"/> </provides>
      <config seed="5"> ${faults} </config> ${to('disk')} </start>
    <start name="cache" ram="4M" step_bound_ms="1000"> <binary name="blockcache"/> <provides> <service name="Block"/> </provides>
      <config size="256K" dirty_age_ms="100" ${config}/> ${to('faults')} </start>
    <start name="client" ram="16M"> <exit propagate="yes"/> ${to('cache')} </start>`;
  const components = { ram_block: ramBlock, fault_block: faultBlock, blockcache, client };
  const { end, lines } = await runSystem('shared', components, starts);
  expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
}

const filled = (blocks: number, byte: number): Uint8Array => new Uint8Array(blocks * SIZE).fill(byte);

/** Whether it failed as a device does. */
const failed = async (work: Promise<void>): Promise<boolean> => {
  try {
    await work;
    return false;
  } catch (error) {
    if (!hasCode(error, 'InputOutput')) throw error;
    return true;
  }
};

test.each(['write-back', 'write-through'])(
  '%s: what a device fails to take, or takes in part and in any order, is told and not lost',
  async (mode) => {
    const faults = `<error operation="write" one_in="6" most="60"/> <torn-write operation="write" one_in="9" most="40"/>
      <error operation="sync" one_in="4" most="6"/> <reorder window="4" hold_ms="1"/>`;
    await withFaults(faults, `mode="${mode}"`, async (env) => {
      const bare = await BlockClient.connect(env, { label: 'bare' });
      const clients = [
        await BlockClient.connect(env, { label: 'a' }),
        await BlockClient.connect(env, { label: 'b' }),
      ];
      const random = new Random(3);
      const content = new Uint8Array(BLOCKS);
      let told = 0;
      for (let step = 1; step <= 400; step++) {
        const block = random.below(BLOCKS - 16);
        const count = 1 + random.below(16);
        const client = clients[step % 2];
        if (!client) return;
        // What a write that failed has left is made known by writing again.
        while (await failed(client.write(block, count, filled(count, step % 250)))) told++;
        content.fill(step % 250, block, block + count);
        if (step % 40 === 0 && (await failed(client.sync()))) told++;
      }
      for (const client of clients) while (await failed(client.sync())) told++;
      expect(told).toBeGreaterThan(3);
      const all = filled(BLOCKS, 0);
      await bare.read(0, BLOCKS, all);
      for (let block = 0; block < BLOCKS; block++)
        expect(all[block * SIZE], `block ${block}`).toBe(content[block]);
    });
  },
);

test('a read that is never answered holds up nobody but those who want its blocks', async () => {
  await withFaults('<stuck operation="read" one_in="1" first="800" count="8"/>', '', async (env) => {
    const disk = await BlockClient.connect(env);
    let answered = 0;
    const stuck = disk.read(800, 1, filled(1, 0)).then(
      () => answered++,
      () => answered++,
    );
    for (let round = 0; round < 2; round++) {
      for (let block = 0; block < BLOCKS; block += 24) {
        if (block >= 792 && block <= 808) continue;
        await disk.read(block, 1, filled(1, 0));
        await disk.write(block, 1, filled(1, 7));
      }
    }
    await disk.sync();
    expect(answered).toBe(0);
    void stuck;
  });
});

test('a write that is never answered holds up SYNC, and reads and writes go on', async () => {
  await withFaults(
    '<stuck operation="write" one_in="1" first="800" count="8" most="1"/>',
    '',
    async (env) => {
      const disk = await BlockClient.connect(env);
      await disk.write(800, 8, filled(8, 5));
      let synced = false;
      disk.sync().then(
        () => (synced = true),
        () => {},
      );
      await env.timer.sleep(200);
      const back = filled(8, 0);
      await disk.read(800, 8, back);
      expect(back).toEqual(filled(8, 5));
      for (let block = 0; block < 700; block += 8) await disk.write(block, 8, filled(8, 9));
      await disk.read(0, 8, back);
      expect(back).toEqual(filled(8, 9));
      expect(synced).toBe(false);
    },
  );
});
