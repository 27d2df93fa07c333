/** What a machine says that it has done. */
import { describe, expect, test } from 'vitest';
import { RamDisk } from '../../block/src/ram_block/ram-disk.ts';
import { TurnCounts } from '../src/engine/v86/turn-counts.ts';
import { metricsOf } from '../src/engine/qemu/qemu-metrics.ts';
import { QmpError } from '../src/engine/qemu/qmp-client.ts';
import { Metrics } from '../src/machine/metrics.ts';
import { MachineSystem, someFiles } from './machine-system.ts';
import { Program } from './tiny-guest.ts';

const SECTOR_BYTES = 512;
const disk = (): RamDisk => new RamDisk(new Uint8Array(64 * SECTOR_BYTES), SECTOR_BYTES);

describe('a machine on v86', () => {
  test('counts its instructions, its turns and the requests of its disks, also in its report', async () => {
    const roms = { linux: new Program().writeIdeSector().print('up').echoUntil('.').halt().kernel() };
    const config =
      '<kernel rom="linux"/> <disk label="root" model="ide" writeable="yes"/> <serial/> <control/> <report interval_ms="100"/>';
    const system = new MachineSystem(config, { roms, disks: { root: disk() } });
    await system.until('up');
    // v86 tells its guest that a write is done before it is.
    await expect.poll(async () => (await system.metrics())?.writes).toBe(1);
    const first = await system.metrics();
    expect(first).toMatchObject({ reads: 0, writes: 1, writtenBytes: SECTOR_BYTES, frames: 0 });
    // The guest asks its serial line again and again.
    const more = async (): Promise<boolean> => {
      const { busyUs = 0, instructions = 0, exits = 0 } = (await system.metrics()) ?? {};
      const { busyUs: busyBefore = 0, instructions: before = 0, exits: exitsBefore = 0 } = first ?? {};
      return busyUs > busyBefore && instructions > before + 1000 && exits > exitsBefore;
    };
    await expect.poll(more).toBe(true);
    await system.ask('pause');
    await expect.poll(() => system.report).toMatch(/state="paused"[^]*<paused why="by ginit vm"\/>/);
    expect(system.report).toMatch(/about="v86 [^"]*" busy_ms="\d+" instructions="\d{4,}" exits="\d+"/);
    expect(system.report).toMatch(/ writes="1" written_bytes="512" /);
    await system.ask('resume');
    system.type('.');
    await system.ended();
    // The last report is of its end.
    expect(system.report).toMatch(/state="off"[^]* writes="1"/);
  });

  test('keeps what it has done when it goes on from a state', async () => {
    const { files } = await someFiles();
    const roms = { linux: new Program().writeIdeSector().print('up').echoUntil('.').halt().kernel() };
    const config =
      '<kernel rom="linux"/> <disk label="root" model="ide" writeable="yes"/> <serial/> <control/> <state file="/state"/>';
    const system = new MachineSystem(config, { roms, disks: { root: disk() }, files, ram: '40M' });
    await system.until('up');
    await expect.poll(async () => (await system.metrics())?.writes).toBe(1);
    expect(await system.ask('save')).toBeUndefined();
    const before = await system.metrics();
    expect(await system.ask('restore')).toBeUndefined();
    const after = await system.metrics();
    expect(after?.writes).toBe(1);
    expect(after?.instructions).toBeGreaterThanOrEqual(before?.instructions ?? Infinity);
    // The counter of the state is not counted once more.
    expect(after?.instructions).toBeLessThan(2 * (before?.instructions ?? 0));
    system.type('.');
    await system.ended();
  });
});

test('a counter of 32 bits that overflows is counted on, and one that is set is not counted', () => {
  const clock = { ms: 0, count: 2 ** 32 - 10 };
  const turns = new TurnCounts({ nowMs: () => clock.ms, instructions: () => clock.count });
  turns.begin();
  [clock.ms, clock.count] = [1.5, 90];
  turns.end(true);
  // A wake-up during a wait is no turn.
  turns.end(false);
  clock.count = 5;
  turns.wasSet();
  turns.begin();
  clock.count = 8;
  turns.end(false);
  expect([turns.busyUs, turns.instructions, turns.exits, turns.idles]).toEqual([1500, 103, 2, 1]);
});

describe('QEMU', () => {
  const stats = {
    rd_operations: 3,
    rd_bytes: 4096,
    wr_operations: 2,
    wr_bytes: 1024,
    flush_operations: 1,
  };
  const asked = (answer: unknown) => metricsOf({ execute: async () => answer }, async () => 1_230_000);

  test('tells of the requests of all its devices, and the time of its process', async () => {
    expect(
      await asked([
        { device: '', stats },
        { device: 'cdrom', stats: { ...stats, rd_bytes: 10 } },
      ]),
    ).toEqual(
      expect.objectContaining({
        busyUs: 1_230_000,
        reads: 6,
        readBytes: 4106,
        writes: 4,
        writtenBytes: 2048,
        flushes: 2,
      }),
    );
  });

  test.each([
    [undefined],
    [{ stats }],
    [[null, 'x', { stats: 7 }]],
    [[{ stats: { rd_operations: -1, rd_bytes: '9', wr_operations: 0.5, wr_bytes: 1e300 } }]],
  ])('that answers %j has done nothing that counts', async (answer) => {
    expect(await asked(answer)).toMatchObject({
      reads: 0,
      readBytes: 0,
      writes: 0,
      writtenBytes: 0,
      flushes: 0,
    });
  });

  test('that is gone tells nothing, and what it told before stays', async () => {
    const gone = { execute: () => Promise.reject(new QmpError('Ended', 'gone')) };
    expect(await metricsOf(gone, async () => undefined)).toBeUndefined();
    const metrics = new Metrics();
    await metrics.of({ metrics: () => asked([{ stats }]) }, 0);
    const last = await metrics.of({ metrics: async () => undefined }, 7);
    expect(last).toMatchObject({ reads: 3, busyUs: 1_230_000, frames: 7 });
    await metrics.keep({ metrics: async () => undefined });
    expect(await metrics.of({ metrics: () => asked([{ stats }]) }, 7)).toMatchObject({
      reads: 6,
      busyUs: 2_460_000,
      instructions: undefined,
    });
  });
});
