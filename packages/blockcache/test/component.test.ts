/** The component in whole systems. */
import { type Component, component, type Main, RpcError } from '@ginit/core';
import { Block, type BlockBackend, BlockClient, serveBlock } from '@ginit/core/block';
import { describe, expect, test } from 'vitest';
import { type CarrierKind, finish, runSystem, startSystem } from '../../../test/harness/in-process-system.ts';
import blockcache from '../src/main.ts';

const SIZE = 512;

/** A device in memory that logs the requests to it. */
class LoggingDisk implements BlockBackend {
  readonly info;
  readonly bytes: Uint8Array;
  readonly log: string[] = [];

  constructor(blockCount = 20_000, blockSize = SIZE) {
    this.info = { blockSize, blockCount, alignLog2: 12, writeable: true };
    this.bytes = new Uint8Array(blockCount * blockSize);
  }

  read(block: number, count: number, into: Uint8Array): void {
    this.log.push(`read ${block} ${count}`);
    into.set(this.bytes.subarray(block * SIZE, (block + count) * SIZE));
  }

  write(block: number, count: number, from: Uint8Array): void {
    this.log.push(`write ${block} ${count}`);
    this.bytes.set(from, block * SIZE);
  }

  sync(): void {
    this.log.push('sync');
  }

  trim(): void {}

  writeZeroes(block: number, count: number): void {
    this.log.push(`zeroes ${block} ${count}`);
    this.bytes.fill(0, block * SIZE, (block + count) * SIZE);
  }
}

/** The operations of a disk, to be spread into another one. */
const wholeDevice = (disk: LoggingDisk): BlockBackend => ({
  info: disk.info,
  read: (block, count, into) => disk.read(block, count, into),
  write: (block, count, from) => disk.write(block, count, from),
  sync: () => disk.sync(),
  trim: () => disk.trim(),
  writeZeroes: (block, count) => disk.writeZeroes(block, count),
});

const diskOf = (backend: BlockBackend): Component =>
  component({ provides: [Block] }, (env) => {
    env.provide(Block, (session) => serveBlock(session, backend));
  });

function clientOf(work: Main): Component {
  return component({ requires: [Block] }, async (env) => {
    try {
      await work(env);
      env.exit(0);
    } catch (error) {
      await env.error(error instanceof Error ? (error.stack ?? '') : String(error));
      env.exit(1);
    }
  });
}

const TO_CACHE =
  '<route> <service name="Block"> <child name="blockcache"/> </service> <any-service> <parent/> </any-service> </route>';
const TO_DISK =
  '<route> <service name="Block"> <child name="disk"/> </service> <any-service> <parent/> </any-service> </route>';

const systemOf = (config: string): string => `
  <start name="disk"> <provides> <service name="Block"/> </provides> </start>
  <start name="blockcache"> <provides> <service name="Block"/> </provides> ${config} ${TO_DISK} </start>
  <start name="client" ram="16M"> <exit propagate="yes"/> ${TO_CACHE} </start>`;

const filled = (blocks: number, byte: number): Uint8Array => new Uint8Array(blocks * SIZE).fill(byte);

describe.each<CarrierKind>(['shared', 'copying', 'tiny rings'])('over a carrier that is %s', (kind) => {
  test.each(['write-back', 'write-through'])(
    '%s: large and small transfers of two clients are right',
    async (mode) => {
      const disk = new LoggingDisk();
      const client = clientOf(async (env) => {
        const one = await BlockClient.connect(env, { label: 'one', args: { tx_buf_size: 256 * 1024 } });
        const two = await BlockClient.connect(env, { label: 'two' });
        const bytes = Uint8Array.from({ length: 12_000 * SIZE }, (_, at) => (at * 31) >> 9);
        await one.write(1001, 12_000, bytes);
        await two.write(5000, 3, filled(3, 9));
        bytes.fill(9, 3999 * SIZE, 4002 * SIZE);
        const back = new Uint8Array(bytes.length);
        await two.read(1001, 12_000, back);
        expect(Buffer.compare(back, bytes)).toBe(0);
        await two.sync();
        expect(Buffer.compare(disk.bytes.subarray(1001 * SIZE, 13_001 * SIZE), bytes)).toBe(0);
        expect(disk.log.at(-1)).toBe('sync');
      });
      const { end, lines } = await runSystem(
        kind,
        { disk: diskOf(disk), blockcache, client },
        systemOf(`<config mode="${mode}"/>`),
      );
      expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
    },
  );

  test('a session that is closed leaves nothing in the cache, and neither does the end', async () => {
    const disk = new LoggingDisk();
    const client = clientOf(async (env) => {
      const first = await BlockClient.connect(env, { label: 'first' });
      await first.write(8, 8, filled(8, 1));
      expect(disk.log).toEqual([]);
      await first.close();
      expect(disk.log).toEqual(['write 8 8', 'sync']);
      const second = await BlockClient.connect(env, { label: 'second' });
      await second.write(800, 1, filled(1, 2));
    });
    const { end, lines } = await runSystem(
      kind,
      { disk: diskOf(disk), blockcache, client },
      systemOf('<config/>'),
    );
    expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
    expect(disk.log).toContain('write 800 1');
    expect(disk.log.at(-1)).toBe('sync');
    expect(disk.bytes[800 * SIZE]).toBe(2);
  });

  test('an end while the device still reads ahead is no error', async () => {
    const disk = new LoggingDisk();
    const slow: BlockBackend = {
      ...wholeDevice(disk),
      read: async (block, count, into) => {
        disk.read(block, count, into);
        // The cache wanted these blocks; from the second read on those behind them, too.
        if (disk.log.length > 2) await new Promise((done) => setTimeout(done, 300));
      },
    };
    const client = clientOf(async (env) => {
      const session = await BlockClient.connect(env);
      // A read that finds its blocks in the cache, and makes it read ahead.
      for (let block = 0; disk.log.length < 3; block += 8) await session.read(block, 8, filled(8, 1));
    });
    const { end, lines } = await runSystem(
      kind,
      { disk: diskOf(slow), blockcache, client },
      systemOf('<config/>'),
    );
    expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
    expect(lines.filter((line) => line.includes('Error'))).toEqual([]);
  });

  test('policies and read-only devices decide who may write', async () => {
    const disk = new LoggingDisk();
    const client = clientOf(async (env) => {
      const reader = await BlockClient.connect(env, { label: 'reader' });
      const writer = await BlockClient.connect(env, { label: 'writer' });
      expect([reader.info.writeable, writer.info.writeable]).toEqual([false, true]);
      await expect(BlockClient.connect(env, { label: 'other' })).rejects.toThrow('no policy defined');
    });
    const policies = '<policy label_suffix="reader"/> <policy label_suffix="writer" writeable="yes"/>';
    const first = await runSystem(
      kind,
      { disk: diskOf(disk), blockcache, client },
      systemOf(`<config> ${policies} </config>`),
    );
    expect(first.end, first.lines.join('\n')).toEqual({ kind: 'exit', code: 0 });

    const readOnly: BlockBackend = new LoggingDisk();
    const fixed = component({ provides: [Block] }, (env) => {
      env.provide(Block, (session) => serveBlock(session, readOnly, { writeable: false }));
    });
    const looker = clientOf(async (env) => {
      const session = await BlockClient.connect(env);
      expect(session.info.writeable).toBe(false);
      await session.read(0, 100, new Uint8Array(100 * SIZE));
    });
    const second = await runSystem(kind, { disk: fixed, blockcache, client: looker }, systemOf('<config/>'));
    expect(second.end, second.lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
    expect(second.lines.filter((line) => line.includes('Error'))).toEqual([]);
  });

  test.each<[string, LoggingDisk, string, string]>([
    [
      'blocks that are too large',
      new LoggingDisk(100, 8192),
      '<config/>',
      'the device has blocks of 8192 bytes',
    ],
    [
      'a size beyond the quota',
      new LoggingDisk(),
      '<config size="64M"/>',
      'size is 67108864 bytes, but the RAM quota',
    ],
    ['a buffer beyond the quota', new LoggingDisk(), '<config tx_buf_size="32M"/>', 'OUT_OF_RAM'],
  ])('%s: one clear error', async (_, disk, config, message) => {
    const client = clientOf(async (env) => {
      await expect(BlockClient.connect(env)).rejects.toThrow();
    });
    const system = startSystem(kind, { disk: diskOf(disk), blockcache, client }, systemOf(config));
    const { lines } = await finish(system);
    const told = [...lines, ...system.platform.complaints].filter((line) => line.includes(message));
    expect(told).toEqual([expect.stringMatching(/^\[init -> blockcache\] crashed: /)]);
  });

  test('the end of the device’s server fails waiting requests, and the cache says what is lost', async () => {
    const never: BlockBackend = {
      info: new LoggingDisk().info,
      read: () => new Promise(() => {}),
      write: () => new Promise(() => {}),
      sync: () => new Promise(() => {}),
      trim: () => new Promise(() => {}),
      writeZeroes: () => new Promise(() => {}),
    };
    const codes: string[] = [];
    const client = clientOf(async (env) => {
      const session = await BlockClient.connect(env);
      await session.write(0, 8, filled(8, 1));
      const note = (error: unknown): void =>
        void codes.push(error instanceof RpcError ? error.code : String(error));
      const work = [session.read(800, 1, filled(1, 0)).catch(note), session.sync().catch(note)];
      await env.log('waiting');
      await Promise.all(work);
    });
    const system = startSystem(kind, { disk: diskOf(never), blockcache, client }, systemOf('<config/>'));
    while (!system.platform.lines.some((line) => line.includes('waiting'))) {
      await new Promise((done) => setTimeout(done, 5));
    }
    system.platform.crash('init -> disk');
    const { lines } = await finish(system);
    expect(codes.length).toBe(2);
    expect(codes.every((code) => code === 'PeerGone' || code === 'Gone')).toBe(true);
    expect(lines.join('\n')).toContain(
      'the server of the device is gone; 1 chunks of 4096 bytes that were not written to it are lost',
    );
  });
});
