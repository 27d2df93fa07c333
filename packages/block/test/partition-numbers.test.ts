/**
 * Compares our numbers of partitions with those of sfdisk: on tables made by sfdisk, by parted, and
 * at random.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { missingOf, mustRun, runProgram } from '../../../test/harness/programs.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import { readPartitionTable } from '../src/part_block/partition-table.ts';
import type { PartitionTable } from '../src/part_block/table.ts';
import { diskOfImage, type Entry, writeBootRecord } from './disk-image.ts';

const LINUX = 0x83;
const EXTENDED = 0x05;
const BLOCKS = 2048;
const NOTHING = { type: 0, first: 0, count: 0 };

const directory = mkdtempSync(join(tmpdir(), 'ginit-table-'));
const disk = join(directory, 'disk');
afterAll(() => rmSync(directory, { recursive: true }));

/** Where partitions are, by their number. */
type Numbered = Map<number, { readonly first: number; readonly count: number }>;

async function bySfdisk(): Promise<{ readonly partitions: Numbered; readonly text: string }> {
  const { text } = await runProgram('sfdisk', ['--dump', disk]);
  const lines = text.matchAll(/^\S+?(\d+) : start= *(\d+), size= *(\d+), type=(\w+)/gm);
  const partitions: Numbered = new Map();
  for (const [, number, first, count, type] of lines) {
    if (type === '0' || type === '5' || type === 'f' || type === '85') continue;
    partitions.set(Number(number), { first: Number(first), count: Number(count) });
  }
  return { partitions, text };
}

function byUs(): Promise<PartitionTable> {
  return readPartitionTable(diskOfImage(readFileSync(disk)));
}

const numbered = (table: PartitionTable): Numbered =>
  new Map([...table.partitions].map(([number, { first, count }]) => [number, { first, count }]));

/** One boot record of a chain, and what follows it on the disk. */
interface Slot {
  readonly kind: 'data' | 'data' | 'none' | 'empty';
  readonly linkFirst: boolean;
  /** The position in the chain: the slots after the first are sorted by this. */
  readonly rank: number;
  readonly gap: number;
}

interface Chain {
  readonly slots: readonly Slot[];
  readonly type: number;
  /** The number of blocks by which the extended partition claims to be longer. */
  readonly excess: number;
}

const SLOT_BLOCKS = 40;

const slot: fc.Arbitrary<Slot> = fc.record({
  kind: fc.constantFrom('data', 'data', 'none', 'empty'),
  linkFirst: fc.boolean(),
  rank: fc.nat(1000),
  gap: fc.integer({ min: 1, max: 20 }),
});
const chain: fc.Arbitrary<Chain> = fc.record({
  slots: fc.array(slot, { minLength: 1, maxLength: 20 }),
  type: fc.constantFrom(0x05, 0x0f, 0x85),
  excess: fc.constantFrom(0, 0, 10_000),
});

/**
 * Writes an extended partition at `first`, as tools leave it after partitions were made and
 * deleted. The result is its entry.
 */
function writeChain(image: Uint8Array, first: number, { slots, type, excess }: Chain): Entry {
  const placed = slots.map((one, index) => ({ ...one, at: first + index * SLOT_BLOCKS }));
  const [head, ...rest] = placed;
  if (!head) throw new Error('a chain has a record');
  const order = [head, ...rest.toSorted((left, right) => left.rank - right.rank)];
  for (const [index, { kind, linkFirst, at, gap }] of order.entries()) {
    const next = order[index + 1];
    const link = next ? { type: EXTENDED, first: next.at - first, count: SLOT_BLOCKS } : NOTHING;
    const data = kind === 'none' ? NOTHING : { type: LINUX, first: gap, count: kind === 'data' ? 15 : 0 };
    writeBootRecord(image, at, linkFirst ? [link, data] : [data, link]);
  }
  return { type, first, count: slots.length * SLOT_BLOCKS + excess };
}

const lacksTools = missingOf('sfdisk', 'parted');
describe.skipIf(lacksTools)(`partition numbers${lacksTools ? ` (skipped: ${lacksTools})` : ''}`, () => {
  test('in chains in any order, with holes, every number is the one of sfdisk', async () => {
    let logical = 0;
    const parts = fc.record({
      before: fc.array(fc.boolean(), { maxLength: 2 }),
      chain,
      last: fc.boolean(),
      blocks: fc.constantFrom(BLOCKS, 600),
    });
    const property = fc.asyncProperty(parts, async ({ before, chain: made, last, blocks }) => {
      const image = new Uint8Array(BLOCKS * 512);
      const entries: Entry[] = before.map((there, index) =>
        there ? { type: LINUX, first: 10 + index * 20, count: 15 } : NOTHING,
      );
      entries.push(writeChain(image, 100, made));
      if (last) entries.push({ type: LINUX, first: 60, count: 20 });
      writeBootRecord(image, 0, entries);
      // The disk ends before its table does.
      writeFileSync(disk, image.subarray(0, blocks * 512));
      const table = await byUs();
      const { partitions: theirs } = await bySfdisk();
      const fitting = [...theirs].filter(([, { first, count }]) => first + count <= blocks);
      expect(numbered(table)).toEqual(new Map(fitting));
      logical += fitting.filter(([number]) => number > 4).length;
    });
    const runs = propertyRuns(60);
    await fc.assert(property, { numRuns: runs });
    expect(logical).toBeGreaterThan(runs);
  }, 0);

  test('for any content of the blocks, a number that we give is the one of sfdisk', async () => {
    let given = 0;
    const field = fc.oneof(fc.nat(60), fc.nat(1200), fc.nat(0xffff_ffff));
    const entry = fc.record({
      type: fc.constantFrom(0, LINUX, LINUX, EXTENDED, 0x0f),
      first: field,
      count: field,
    });
    const records = fc.array(fc.tuple(fc.nat(60), fc.array(entry, { maxLength: 4 })), { maxLength: 40 });
    const tables = fc.tuple(fc.array(entry, { maxLength: 4 }), records);
    const property = fc.asyncProperty(tables, async ([entries, others]) => {
      const image = new Uint8Array(BLOCKS * 512);
      for (const [block, content] of others) writeBootRecord(image, block, content);
      writeBootRecord(image, 0, entries);
      writeFileSync(disk, image);
      const ours = numbered(await byUs());
      const { partitions: theirs, text } = await bySfdisk();
      // sfdisk leaves out the partitions in a second extended partition; Linux numbers on, and so
      // do we.
      const lastOfTheirs = text.includes('Ignoring extra extended partition')
        ? Math.max(4, ...theirs.keys())
        : 255;
      const certain = new Map([...ours].filter(([number]) => number <= lastOfTheirs));
      expect(Object.fromEntries(theirs)).toMatchObject(Object.fromEntries(certain));
      given += certain.size;
    });
    const runs = propertyRuns(60);
    await fc.assert(property, { numRuns: runs });
    expect(given).toBeGreaterThan(runs / 10);
  }, 0);

  const emptyDisk = (): void => {
    writeFileSync(disk, '');
    truncateSync(disk, 64 * 2 ** 20);
  };
  const sfdisk = (args: readonly string[], input = ''): Promise<string> => mustRun('sfdisk', args, { input });
  const parted = (...command: readonly string[]): Promise<string> =>
    mustRun('parted', ['-s', disk, ...command]);

  test('tables that sfdisk makes, deletes from and appends to have the numbers of sfdisk', async () => {
    emptyDisk();
    const logical = Array.from({ length: 7 }, () => 'size=2M, type=83\n').join('');
    await sfdisk([disk], `label: dos\nstart=2048, size=4096, type=83\nsize=60000, type=5\n${logical}`);
    expect(numbered(await byUs())).toEqual((await bySfdisk()).partitions);
    for (const deleted of ['5', '6']) {
      await sfdisk(['--delete', disk, deleted]);
      expect(numbered(await byUs())).toEqual((await bySfdisk()).partitions);
    }
    // The partition goes into the gap that the first deletion left, so the chain goes backwards
    // now.
    for (const size of ['1M', '1M', '2M']) {
      await sfdisk(['--append', disk], `size=${size}, type=83\n`);
      const { partitions } = await bySfdisk();
      expect(numbered(await byUs())).toEqual(partitions);
    }
    const logicalFirsts = [...(await bySfdisk()).partitions]
      .filter(([number]) => number > 4)
      .map(([, { first }]) => first);
    expect(logicalFirsts.length).toBeGreaterThanOrEqual(5);
    expect(logicalFirsts).not.toEqual(logicalFirsts.toSorted((left, right) => left - right));
  });

  test('tables that parted makes, deletes from and appends to have the numbers of sfdisk', async () => {
    emptyDisk();
    await parted(
      'mklabel',
      'msdos',
      'mkpart',
      'primary',
      '1MiB',
      '3MiB',
      'mkpart',
      'extended',
      '4MiB',
      '60MiB',
    );
    for (let at = 5; at < 30; at += 5) await parted('mkpart', 'logical', `${at}MiB`, `${at + 3}MiB`);
    await parted('rm', '6');
    await parted('rm', '5');
    expect(numbered(await byUs())).toEqual((await bySfdisk()).partitions);
    await parted('mkpart', 'logical', '40MiB', '44MiB', 'mkpart', 'logical', '5MiB', '8MiB');
    const ours = numbered(await byUs());
    expect(ours).toEqual((await bySfdisk()).partitions);
    expect(ours.size).toBe(6);
  });
});
