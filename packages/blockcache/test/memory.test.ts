/** The cache in whole systems: memory that comes and goes, late errors, and the report. */
import { type Component, component, type Env, RpcError } from '@ginit/core';
import { Block, type BlockBackend, BlockClient, blockError, serveBlock } from '@ginit/core/block';
import { ConfigNode } from '@ginit/core/config';
import { Report, serveReport } from '@ginit/core/report';
import { expect, test } from 'vitest';
import { finish, type InProcessSystem, startSystem } from '../../../test/harness/in-process-system.ts';
import blockcache from '../src/main.ts';

const SIZE = 4096;
const BLOCKS = 1024;

/** A device in memory of 4 MiB that counts reads, and whose writes fail when it is told so. */
class Disk implements BlockBackend {
  readonly info = { blockSize: SIZE, blockCount: BLOCKS, alignLog2: 12, writeable: true };
  readonly bytes = new Uint8Array(BLOCKS * SIZE);
  reads = 0;
  broken = false;

  read(block: number, count: number, into: Uint8Array): void {
    this.reads += count;
    into.set(this.bytes.subarray(block * SIZE, (block + count) * SIZE));
  }

  write(block: number, _count: number, from: Uint8Array): void {
    if (this.broken) throw blockError('InputOutput');
    this.bytes.set(from, block * SIZE);
  }

  sync(): void {}
  trim(): void {}
  writeZeroes(): void {}
}

const ROUTES = '<any-service> <parent/> <any-child/> </any-service>';
const to = (server: string): string =>
  `<route> <service name="Block"> <child name="${server}"/> </service> ${ROUTES} </route>`;

/** A system with a cache that reports its state, of which `report` tells the newest. */
class CacheSystem {
  readonly disk = new Disk();
  readonly #system: InProcessSystem;
  #report = '';

  constructor(cache: string, config: string, work: (env: Env, disk: BlockClient) => Promise<void>) {
    const disk = component({ provides: [Block] }, (env) => {
      env.provide(Block, (session) => serveBlock(session, this.disk));
    });
    const reports = component({ provides: [Report] }, (env) => {
      env.provide(Report, (session) =>
        serveReport(session, { submit: (bytes) => void (this.#report = new TextDecoder().decode(bytes)) }),
      );
    });
    const client = component({ requires: [Block] }, async (env) => {
      try {
        await work(env, await BlockClient.connect(env));
        env.exit(0);
      } catch (error) {
        await env.error(error instanceof Error ? (error.stack ?? '') : String(error));
        env.exit(1);
      }
    });
    const components: Readonly<Record<string, Component>> = { disk, reports, blockcache, client };
    this.#system = startSystem('shared', components, this.#starts(cache, config));
  }

  /** The newest report's attribute. */
  value(name: string): string {
    return new RegExp(` ${name}="([^"]*)"`).exec(this.#report)?.[1] ?? '';
  }

  get report(): string {
    return this.#report;
  }

  reconfigure(cache: string, config: string): void {
    this.#system.reconfigure(this.#starts(cache, config));
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) await new Promise((done) => setTimeout(done, 5));
  }

  async end(): Promise<void> {
    const { end, lines } = await finish(this.#system);
    expect(end, lines.join('\n')).toEqual({ kind: 'exit', code: 0 });
  }

  get lines(): readonly string[] {
    return this.#system.platform.lines;
  }

  #starts(cache: string, config: string): string {
    return `
      <start name="disk"> <provides> <service name="Block"/> </provides> </start>
      <start name="reports"> <provides> <service name="Report"/> </provides> </start>
      <start name="blockcache" ${cache}> <provides> <service name="Block"/> </provides>
        <config ${config}> <report cache="yes" interval_ms="10"/> </config> ${to('disk')} </start>
      <start name="client" ram="16M"> <exit propagate="yes"/> ${to('blockcache')} </start>`;
  }
}

const patterned = (block: number, round: number): Uint8Array => new Uint8Array(SIZE).fill(block * 7 + round);

async function writeAll(disk: BlockClient, round: number): Promise<void> {
  for (let block = 0; block < BLOCKS; block++) await disk.write(block, 1, patterned(block, round));
}

async function expectAll(disk: BlockClient, round: number): Promise<void> {
  const bytes = new Uint8Array(SIZE);
  // Not one after the other: nothing is read ahead.
  for (let index = 0; index < BLOCKS; index++) {
    const block = (index * 389) % BLOCKS;
    await disk.read(block, 1, bytes);
    expect(Buffer.compare(bytes, patterned(block, round)), `block ${block}`).toBe(0);
  }
}

test('up to ram_limit the cache grows when it is full, until it holds the whole device', async () => {
  const system: CacheSystem = new CacheSystem('ram="2M" ram_limit="16M"', '', async (env, disk) => {
    await writeAll(disk, 1);
    await disk.sync();
    for (let round = 0; Number(system.value('size')) < BLOCKS * SIZE; round++) {
      if (round > 100) throw new Error(`it has only ${system.value('size')} bytes`);
      await expectAll(disk, 1);
      await env.timer.sleep(5);
    }
    await expectAll(disk, 1);
    const { reads } = system.disk;
    await expectAll(disk, 1);
    expect(system.disk.reads).toBe(reads);
  });
  await system.end();
});

test('a cache that the parent wants memory back from gives it, and loses nothing', async () => {
  let go = (): void => {};
  const shrunk = new Promise<void>((resolve) => (go = resolve));
  const system = new CacheSystem('ram="8M"', 'grow="no"', async (env, disk) => {
    await writeAll(disk, 3);
    await expectAll(disk, 3);
    await env.log('written');
    await shrunk;
    await expectAll(disk, 3);
  });
  await system.until(() => system.lines.some((line) => line.includes('written')));
  const before = Number(system.value('size'));
  expect(before).toBeGreaterThan(4 * 2 ** 20);
  system.reconfigure('ram="4M"', 'grow="no"');
  await system.until(() => Number(system.value('size')) < 4 * 2 ** 20);
  expect(Number(system.value('size'))).toBeGreaterThan(2 ** 20);
  go();
  await system.end();
});

test('a new config changes its size, policy and mode while it runs', async () => {
  let go = (): void => {};
  const changed = new Promise<void>((resolve) => (go = resolve));
  const system = new CacheSystem('ram="8M"', 'size="4M" policy="lru"', async (env, disk) => {
    await writeAll(disk, 5);
    await env.log('written');
    await changed;
    await expectAll(disk, 5);
    await disk.write(7, 1, patterned(7, 6));
    expect(system.disk.bytes[7 * SIZE]).toBe(7 * 7 + 6);
  });
  await system.until(() => system.lines.some((line) => line.includes('written')));
  expect(system.value('chosen')).toBe('lru');
  system.reconfigure('ram="8M"', 'size="1M" policy="arc" mode="write-through"');
  await system.until(() => Number(system.value('size')) === 2 ** 20);
  expect([system.value('policy'), system.value('mode')]).toEqual(['arc', 'write-through']);
  go();
  await system.end();
});

test('a late error is told to the next SYNC and in the report, and the data is kept', async () => {
  const system: CacheSystem = new CacheSystem('ram="8M"', 'dirty_age_ms="100"', async (env, disk) => {
    system.disk.broken = true;
    await disk.write(9, 1, patterned(9, 1));
    while (system.value('failed') !== String(SIZE)) await env.timer.sleep(10);
    expect(system.value('last_error')).toBe('InputOutput');
    system.disk.broken = false;
    const first = await disk.sync().catch((error: unknown) => error);
    expect(first instanceof RpcError && first.code).toBe('InputOutput');
    await disk.sync();
    expect(system.disk.bytes[9 * SIZE]).toBe(9 * 7 + 1);
  });
  await system.end();
});

test('the report tells of each client what it has hit', async () => {
  const system: CacheSystem = new CacheSystem('ram="8M"', '', async (env, disk) => {
    const bytes = new Uint8Array(SIZE);
    for (let round = 0; round < 4; round++) await disk.read(100, 1, bytes);
    while (system.value('hits') !== '3') await env.timer.sleep(10);
    expect(system.report).toMatch(/<client label="client[^"]*" hits="3" misses="1" hit_ratio="75.00"\/>/);
    expect(ConfigNode.make('cache').type).toBe('cache');
  });
  await system.end();
});
