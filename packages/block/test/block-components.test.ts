/** Block components in whole systems: ram_block, and part_block over a disk in memory. */
import { type Component, component, Dataspace, Rom, RpcError, type SignalCapability } from '@ginit/core';
import { Block, BlockClient, type BlockBackend, serveBlock } from '@ginit/core/block';
import { describe, expect, test, vi } from 'vitest';
import { type CarrierKind, runSystem } from '../../../test/harness/in-process-system.ts';
import romBlock from '../src/rom_block/main.ts';
import { RomDisk } from '../src/rom_block/rom-disk.ts';
import partBlock from '../src/part_block/main.ts';
import ramBlock from '../src/ram_block/main.ts';
import { RamDisk } from '../src/ram_block/ram-disk.ts';
import { type Entry, numberedImage } from './disk-image.ts';
import { clientOf, codeOf, complaintsOf, endsWell, reasonOf } from './system-client.ts';

const SIZE = 512;

/** A server of a disk with a table, whose sessions are counted. */
function diskOf(entries: readonly Entry[], sessions: string[] = []): Component {
  return component({ provides: [Block] }, (env) => {
    const disk: BlockBackend = new RamDisk(numberedImage(1000, entries), SIZE);
    env.provide(Block, (session) => {
      const { label, args } = session;
      sessions.push(`${label.text} ${JSON.stringify(args)}`);
      return serveBlock(session, disk, { closed: () => void sessions.push(`closed ${label.text}`) });
    });
  });
}

const LINUX = 0x83;
const TABLE = [
  { type: LINUX, first: 10, count: 100 },
  { type: LINUX, first: 500, count: 500 },
  { type: LINUX, first: 990, count: 11 },
];

const TO_PARTITIONS =
  '<route> <service name="Block"> <child name="partitions"/> </service> <any-service> <parent/> </any-service> </route>';

const partitioned = (policies: string): string => `
  <start name="disk"> <provides> <service name="Block"/> </provides> </start>
  <start name="partitions"> <binary name="part_block"/> <provides> <service name="Block"/> </provides>
    <config> ${policies} </config>
    <route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>
  </start>
  <start name="client" ram="16M"> <exit propagate="yes"/> ${TO_PARTITIONS} </start>`;

const POLICIES = `
  <policy label="client -> data" partition="1" writeable="yes"/>
  <policy label_prefix="client -> ro" partition="2"/>
  <policy label_suffix="broken" partition="3"/>
  <policy label_suffix="missing" partition="4"/>`;

describe.each<CarrierKind>(['shared', 'copying'])('over a carrier that is %s', (kind) => {
  test('ram_block: every client reads what any client has written', async () => {
    const client = clientOf(async (env) => {
      const one = await BlockClient.connect(env, { label: 'one' });
      const two = await BlockClient.connect(env, { label: 'two' });
      const bytes = Uint8Array.from({ length: 64 * SIZE }, (_, at) => at * 31);
      await one.write(7, 64, bytes);
      const back = new Uint8Array(bytes.length);
      await two.read(7, 64, back);
      expect(Buffer.compare(back, bytes)).toBe(0);
      await two.trim(7, 1);
      await one.read(7, 64, back);
      expect(back.subarray(0, SIZE).every((byte) => byte === 0)).toBe(true);
      expect(one.info).toMatchObject({ blockSize: SIZE, blockCount: 2048, writeable: true });
    });
    await endsWell(
      runSystem(
        kind,
        { ram_block: ramBlock, client },
        `<start name="ram_block"> <provides> <service name="Block"/> </provides> <config size="1M"/> </start>
       <start name="client"> <exit propagate="yes"/> </start>`,
      ),
    );
  });

  test('ram_block: policies say who may write, and who gets a session', async () => {
    const client = clientOf(async (env) => {
      const reader = await BlockClient.connect(env, { label: 'reader' });
      const writer = await BlockClient.connect(env, { label: 'writer' });
      const careful = await BlockClient.connect(env, { label: 'writer', args: { writeable: false } });
      expect([reader, writer, careful].map(({ info }) => info.writeable)).toEqual([false, true, false]);
      expect(await codeOf(reader.write(0, 1, new Uint8Array(SIZE)))).toBe('ReadOnly');
      expect(await codeOf(writer.write(0, 1, new Uint8Array(SIZE)))).toBe('succeeded');
      expect(await reasonOf(BlockClient.connect(env, { label: 'stranger' }))).toContain(
        'no policy defined for label "client -> stranger"',
      );
    });
    await endsWell(
      runSystem(
        kind,
        { ram_block: ramBlock, client },
        `<start name="ram_block"> <provides> <service name="Block"/> </provides>
         <config size="64K">
           <policy label_suffix="reader"/> <policy label_suffix="writer" writeable="yes"/>
         </config>
       </start>
       <start name="client" ram="16M"> <exit propagate="yes"/> </start>`,
      ),
    );
  });

  test('ram_block: memory beyond the quota is one clear error', async () => {
    const complaints = await complaintsOf(
      { ram_block: ramBlock },
      `<start name="ram_block"> <provides> <service name="Block"/> </provides> <config size="64M"/> </start>`,
      kind,
    );
    expect(complaints).toMatch(/^\[init -> ram_block\] crashed: .*67108864 bytes wanted.*$/);
  });

  test('rom_block: the module as it was at the start, for reading', async () => {
    let handler: SignalCapability | undefined;
    const roms = component({ provides: [Rom] }, async (env) => {
      const content = await env.ram.allocate(3 * SIZE - 10);
      content.attach().fill(3);
      content.seal();
      env.provide(Rom, ({ label }) => ({
        dataspace: () => (label.last === 'none' ? null : content),
        update: () => true,
        setHandler: (given) => {
          handler = given;
          given.submit();
        },
      }));
    });
    const client = clientOf(async (env) => {
      const disk = await BlockClient.connect(env);
      expect(disk.info).toMatchObject({ blockSize: SIZE, blockCount: 3, writeable: false });
      const bytes = new Uint8Array(2 * SIZE).fill(9);
      await disk.read(1, 2, bytes);
      expect(bytes.indexOf(0)).toBe(2 * SIZE - 10);
      expect(bytes.lastIndexOf(3)).toBe(2 * SIZE - 11);
      expect(await codeOf(disk.write(0, 1, new Uint8Array(SIZE)))).toBe('ReadOnly');
      expect(await codeOf(disk.read(3, 1, new Uint8Array(SIZE)))).toBe('OutOfRange');
      await disk.sync();
    });
    const lines = await endsWell(
      runSystem(
        kind,
        { rom_block: romBlock, roms, client },
        `<start name="roms" ram="8M"> <provides> <service name="ROM"/> </provides> </start>
       <start name="rom_block" ram="8M"> <provides> <service name="Block"/> </provides> <config file="cd"/>
         <route> <service name="ROM" label="cd"> <child name="roms"/> </service>
           <any-service> <parent/> </any-service> </route> </start>
       <start name="client"> <exit propagate="yes"/> </start>`,
      ),
    );
    expect(handler).not.toBe(undefined);
    expect(lines.join('\n')).toContain('the ROM module "cd" has changed: the device keeps its content');
  });

  test.each([
    ['a module that is not there', 'file="none"', 'the ROM module "none" is not there'],
    [
      'a block size that is none',
      'file="cd" block_size="1000"',
      'block_size is 1000, which is no power of two',
    ],
  ])('rom_block: %s is one clear error', async (_, attributes, message) => {
    const roms = component({ provides: [Rom] }, (env) => {
      env.provide(Rom, () => ({ dataspace: () => null, update: () => false, setHandler: () => {} }));
    });
    const complaints = await complaintsOf(
      { rom_block: romBlock, roms },
      `<start name="roms" ram="8M"> <provides> <service name="ROM"/> </provides> </start>
       <start name="rom_block" ram="8M"> <provides> <service name="Block"/> </provides>
         <config ${attributes}/>
         <route> <service name="ROM" label="cd"> <child name="roms"/> </service>
           <service name="ROM" label="none"> <child name="roms"/> </service>
           <any-service> <parent/> </any-service> </route> </start>`,
      kind,
    );
    expect(complaints).toMatch(/^\[init -> rom_block\] crashed: .*$/);
    expect(complaints).toContain(message);
  });

  test('part_block: each client sees its partition, as its policy lets it', async () => {
    const sessions: string[] = [];
    const client = clientOf(async (env) => {
      const before = await env.quota();
      const data = await BlockClient.connect(env, { label: 'data' });
      expect(data.info).toMatchObject({ blockCount: 100, writeable: true });
      const block = new Uint8Array(SIZE);
      await data.read(99, 1, block);
      expect(new DataView(block.buffer).getUint32(0, true)).toBe(109);
      expect(await codeOf(data.read(100, 1, block))).toBe('OutOfRange');
      await data.write(0, 1, block.fill(7));
      await data.sync();

      const args = { offset: 3, num_blocks: 4, tx_buf_size: 64 * 1024 };
      const part = await BlockClient.connect(env, { label: 'ro', args });
      expect(part.info).toMatchObject({ blockCount: 4, writeable: false });
      await part.read(0, 1, block);
      expect(new DataView(block.buffer).getUint32(0, true)).toBe(503);
      await part.close();
      await data.close();
      expect(await env.quota()).toEqual(before);
    });
    const lines = await endsWell(
      runSystem(
        kind,
        { disk: diskOf(TABLE, sessions), part_block: partBlock, client },
        partitioned(POLICIES),
      ),
    );
    expect(lines).toContain(
      '[init -> partitions] Error: partition 3 has 11 blocks from 990 on, which is beyond the end of the disk (1000 blocks)',
    );
    expect(sessions).toEqual([
      'partitions -> table {"tx_buf_size":65536,"writeable":false}',
      'partitions -> client -> data {"offset":10,"num_blocks":100,"writeable":true}',
      'partitions -> client -> ro {"tx_buf_size":65536,"offset":503,"num_blocks":4,"writeable":false}',
      'closed partitions -> client -> ro',
      'closed partitions -> client -> data',
      'closed partitions -> table',
    ]);
  });

  test('part_block: a session may need more quota than the mediator has, because the client pays', async () => {
    const client = clientOf(async (env) => {
      const data = await BlockClient.connect(env, { label: 'data', args: { tx_buf_size: 8 * 2 ** 20 } });
      await data.read(0, 100, new Uint8Array(100 * SIZE));
    });
    await endsWell(
      runSystem(kind, { disk: diskOf(TABLE), part_block: partBlock, client }, partitioned(POLICIES)),
    );
  });

  test('part_block: an impossible session is denied with the reason', async () => {
    const client = clientOf(async (env) => {
      const tryOne = (label: string, args = {}): Promise<string> =>
        reasonOf(BlockClient.connect(env, { label, args }));
      expect(await tryOne('broken')).toContain('DENIED: partition 3 has 11 blocks from 990 on');
      expect(await tryOne('missing')).toContain(
        'DENIED: there is no partition 4: the partition table has no such',
      );
      expect(await tryOne('nobody')).toContain('no policy defined for label "client -> nobody"');
      expect(await tryOne('data', { num_blocks: 101 })).toContain('go beyond the 100 blocks');
      const first = await BlockClient.connect(env, { label: 'data' });
      expect(await tryOne('data')).toContain('partition 1 is in use by another session');
      await first.close();
      expect(await tryOne('data')).toBe('succeeded');
    });
    await endsWell(
      runSystem(kind, { disk: diskOf(TABLE), part_block: partBlock, client }, partitioned(POLICIES)),
    );
  });

  test('part_block: a client that crashes frees its partition', async () => {
    const first = component({}, async (env) => {
      await BlockClient.connect(env, { label: 'shared' });
      await env.log('has it');
      throw new RpcError('Crash', 'as planned');
    });
    const second = clientOf(async (env) => {
      let why = '';
      while (why !== 'succeeded') {
        why = await reasonOf(BlockClient.connect(env, { label: 'shared' }));
        await env.timer.sleep(5);
      }
    });
    await endsWell(
      runSystem(
        kind,
        { disk: diskOf(TABLE), part_block: partBlock, client: second, first },
        `${partitioned('<policy label_suffix="shared" partition="1"/>')} <start name="first"> ${TO_PARTITIONS} </start>`,
      ),
    );
  });
});

test('rom_block: a module that is taken back during a read gives an error, and no zeros', () => {
  const content = Dataspace.ofContent(new Uint8Array(2 * SIZE).fill(3));
  const disk = new RomDisk(content, SIZE);
  const bytes = new Uint8Array(SIZE);
  disk.read(1, 1, bytes);
  expect(bytes[0]).toBe(3);
  vi.spyOn(content, 'attach').mockImplementation(() => {
    content.detached();
    return new Uint8Array(2 * SIZE);
  });
  expect(() => disk.read(1, 1, bytes)).toThrow(expect.objectContaining({ code: 'Gone' }));
});
