/**
 * Compares what we read of GUID partition tables with sfdisk, on tables of sgdisk, sfdisk and
 * parted.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isRecord } from '@ginit/core';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { missingOf, mustRun, runProgram } from '../../../test/harness/programs.ts';
import { readPartitionTable } from '../src/part_block/partition-table.ts';
import type { Partition, PartitionTable } from '../src/part_block/table.ts';
import { diskOfImage } from './disk-image.ts';

const directory = mkdtempSync(join(tmpdir(), 'ginit-gpt-'));
const disk = join(directory, 'disk');
afterAll(() => rmSync(directory, { recursive: true }));

const MIB = 2 ** 20;
const SIZE = 48 * MIB;
const LAST_BLOCK = SIZE / 512 - 1;

const byUs = (): Promise<PartitionTable> => readPartitionTable(diskOfImage(readFileSync(disk)));

/** What sfdisk says of the disk, in our form. */
async function bySfdisk(): Promise<{ readonly guid: string; readonly partitions: Partition[] }> {
  const { stdout } = await runProgram('sfdisk', ['--json', disk]);
  const content: unknown = JSON.parse(stdout);
  const table = isRecord(content) ? content['partitiontable'] : undefined;
  if (!isRecord(table) || !Array.isArray(table['partitions'])) throw new Error('no table');
  const partitions = table['partitions'].filter(isRecord).map((entry) => ({
    number: Number(/(\d+)$/.exec(String(entry['node']))?.[1]),
    first: Number(entry['start']),
    count: Number(entry['size']),
    type: String(entry['type']).toLowerCase(),
    guid: String(entry['uuid']).toLowerCase(),
    name: String(entry['name'] ?? ''),
  }));
  return { guid: String(table['id']).toLowerCase(), partitions };
}

async function expectTheSame(): Promise<PartitionTable> {
  const ours = await byUs();
  const theirs = await bySfdisk();
  const byNumber = [...ours.partitions.values()].toSorted((left, right) => left.number - right.number);
  expect(byNumber).toEqual(theirs.partitions.toSorted((left, right) => left.number - right.number));
  expect(ours).toMatchObject({ kind: 'gpt', guid: theirs.guid, problems: [] });
  return ours;
}

const damage = (block: number): void => {
  const image = readFileSync(disk);
  image.fill(0xff, block * 512 + 60, block * 512 + 80);
  writeFileSync(disk, image);
};

const lacksTools = missingOf('sfdisk', 'sgdisk', 'parted');
describe.skipIf(lacksTools)(`GPTs of real tools${lacksTools ? ` (skipped: ${lacksTools})` : ''}`, () => {
  beforeEach(() => {
    writeFileSync(disk, '');
    truncateSync(disk, SIZE);
  });

  test('sgdisk: partitions out of order, with names, types and gaps in their numbers', async () => {
    const commands = [
      '-n',
      '5:20480:40959',
      '-t',
      '5:8300',
      '-c',
      '5:Daten für später',
      '-n',
      '1:2048:4095',
      '-t',
      '1:ef00',
      '-c',
      '1:EFI',
      '-n',
      '128:65536:0',
      '-t',
      '128:8200',
    ];
    await mustRun('sgdisk', [...commands, disk]);
    const table = await expectTheSame();
    expect([...table.partitions.keys()]).toEqual([1, 5, 128]);
    expect(table.warnings).toEqual([]);
    await mustRun('sgdisk', ['-d', '1', '-n', '2:2048:2049', disk]);
    expect([...(await expectTheSame()).partitions.keys()]).toEqual([2, 5, 128]);
  });

  test('sgdisk: a table of 256 entries, and one that begins in block 100', async () => {
    await mustRun('sgdisk', ['-S', '256', '-n', '200:8192:9999', disk]);
    expect([...(await expectTheSame()).partitions.keys()]).toEqual([200]);
    await mustRun('sgdisk', ['-j', '100', disk]);
    await expectTheSame();
  });

  test('sfdisk and parted: what they make and delete', async () => {
    const input = 'label: gpt\nsize=4M, type=U, name="first"\nsize=8M, type=L\nsize=1M, name="ünï"\n';
    await mustRun('sfdisk', [disk], { input });
    expect((await expectTheSame()).partitions.size).toBe(3);
    await mustRun('sfdisk', ['--delete', disk, '2']);
    await expectTheSame();
    await mustRun('parted', ['-s', disk, 'mkpart', 'later', 'ext4', '20MiB', '30MiB']);
    expect((await expectTheSame()).partitions.size).toBe(3);
  });

  test('the first header is damaged: what sgdisk mends from the backup, we have read before', async () => {
    await mustRun('sgdisk', ['-n', '1:2048:4095', '-n', '3:8192:9999', '-c', '3:third', disk]);
    const whole = await expectTheSame();
    damage(1);
    const ours = await byUs();
    expect(ours.partitions).toEqual(whole.partitions);
    expect(ours.warnings).toEqual([expect.stringContaining('the backup of the partition table')]);
    await mustRun('sgdisk', ['-e', disk]);
    const mended = await expectTheSame();
    expect(mended.partitions).toEqual(whole.partitions);
    expect(mended.warnings).toEqual([]);
  });

  test('a disk that has grown, before and after sgdisk has moved the backup to its end', async () => {
    await mustRun('sgdisk', ['-n', '1:2048:4095', disk]);
    truncateSync(disk, 2 * SIZE);
    const grown = await byUs();
    expect(grown.partitions.size).toBe(1);
    expect(grown.warnings).toEqual([expect.stringContaining(`is in block ${LAST_BLOCK} and not at its end`)]);
    await mustRun('sgdisk', ['-e', '-n', `2:${LAST_BLOCK}:0`, disk]);
    const moved = await expectTheSame();
    expect(moved.partitions.size).toBe(2);
    expect(moved.warnings).toEqual([]);
  });

  test('a disk that was given an MBR by sfdisk has that one only', async () => {
    await mustRun('sgdisk', ['-n', '1:2048:4095', disk]);
    await mustRun('sfdisk', ['--wipe', 'always', disk], { input: 'label: dos\nsize=4M, type=83\n' });
    expect(await byUs()).toMatchObject({ kind: 'mbr', problems: [] });
  });

  test('a hybrid MBR of sgdisk is refused until the config says which table to ignore', async () => {
    await mustRun('sgdisk', ['-n', '1:2048:4095', '-h', '1', disk]);
    const refused = await byUs();
    expect(refused.partitions.size).toBe(0);
    expect(refused.problems).toEqual([expect.stringContaining('can be read in two ways')]);
    const image = diskOfImage(readFileSync(disk));
    expect((await readPartitionTable(image, { mbr: true })).partitions.get(1)).toMatchObject({
      first: 2048,
    });
    const { partitions } = await readPartitionTable(image, { gpt: true });
    expect([...partitions.values()].map(({ first, count }) => [first, count])).toEqual([[2048, 2048]]);
  });
});
