import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { readPartitionTable } from '../src/part_block/partition-table.ts';
import type { PartitionTable } from '../src/part_block/table.ts';
import { diskOfImage, type Entry, numberedImage, placesOf, writeBootRecord } from './disk-image.ts';

const LINUX = 0x83;
const EXTENDED = 0x05;
const BLOCKS = 1000;
const NOTHING = { type: 0, first: 0, count: 0 };

const tableOf = (image: Uint8Array): Promise<PartitionTable> => readPartitionTable(diskOfImage(image));

const of = (...entries: Entry[]): Promise<PartitionTable> => tableOf(numberedImage(BLOCKS, entries));

/** The table of a disk with these entries in block 0, and boot records in other blocks. */
function chained(
  entries: readonly Entry[],
  records: Readonly<Record<number, readonly Entry[]>>,
): Promise<PartitionTable> {
  const image = numberedImage(BLOCKS, entries);
  for (const [block, record] of Object.entries(records)) writeBootRecord(image, Number(block), record);
  return tableOf(image);
}

const numbers = (table: PartitionTable): number[] => [...table.partitions.keys()];

test('primary partitions have the numbers of their entries', async () => {
  const table = await of(
    { type: LINUX, first: 10, count: 100, status: 0x80 },
    { type: 0, first: 1, count: 2 },
    { type: 0x0b, first: 110, count: 890 },
  );
  expect(placesOf(table)).toEqual([
    { number: 1, first: 10, count: 100 },
    { number: 3, first: 110, count: 890 },
  ]);
  expect(table.problems).toEqual([]);
});

test('logical partitions are numbered from 5 on, in the order of their chain', async () => {
  const table = await chained(
    [
      { type: LINUX, first: 10, count: 90 },
      { type: EXTENDED, first: 100, count: 900 },
    ],
    {
      100: [
        { type: LINUX, first: 10, count: 90 },
        { type: EXTENDED, first: 200, count: 100 },
      ],
      300: [{ type: LINUX, first: 20, count: 680 }],
    },
  );
  expect(placesOf(table)).toEqual([
    { number: 1, first: 10, count: 90 },
    { number: 5, first: 110, count: 90 },
    { number: 6, first: 320, count: 680 },
  ]);
  expect(table.faults.get(2)).toContain('extended partition');
  expect(table.problems).toEqual([]);
});

test('boot records without a partition do not count, and partitions that cannot be used do', async () => {
  const table = await chained([{ type: EXTENDED, first: 100, count: 900 }], {
    100: [NOTHING, { type: EXTENDED, first: 100, count: 100 }],
    200: [
      { type: LINUX, first: 10, count: 20 },
      { type: EXTENDED, first: 200, count: 100 },
    ],
    300: [
      { type: LINUX, first: 10, count: 0 },
      { type: EXTENDED, first: 300, count: 100 },
    ],
    400: [
      { type: LINUX, first: 10, count: 5000 },
      { type: EXTENDED, first: 400, count: 100 },
    ],
    500: [{ type: LINUX, first: 10, count: 30 }],
  });
  expect(placesOf(table)).toEqual([
    { number: 5, first: 210, count: 20 },
    { number: 7, first: 510, count: 30 },
  ]);
  expect(table.problems).toEqual(['partition 6 goes beyond its extended partition']);
});

test('a chain may go backwards, and a link may come first', async () => {
  const table = await chained([{ type: EXTENDED, first: 100, count: 900 }], {
    100: [
      { type: EXTENDED, first: 500, count: 100 },
      { type: LINUX, first: 10, count: 20 },
    ],
    600: [
      { type: LINUX, first: 20, count: 80 },
      { type: EXTENDED, first: 200, count: 100 },
    ],
    300: [{ type: LINUX, first: 30, count: 40 }],
  });
  expect(placesOf(table)).toEqual([
    { number: 5, first: 110, count: 20 },
    { number: 6, first: 620, count: 80 },
    { number: 7, first: 330, count: 40 },
  ]);
  expect(table.problems).toEqual([]);
});

test('the numbers go on in a second extended partition', async () => {
  const table = await chained(
    [
      { type: EXTENDED, first: 100, count: 300 },
      { type: EXTENDED, first: 500, count: 500 },
    ],
    {
      100: [{ type: LINUX, first: 10, count: 20 }],
      500: [{ type: LINUX, first: 20, count: 80 }],
    },
  );
  expect(placesOf(table)).toEqual([
    { number: 5, first: 110, count: 20 },
    { number: 6, first: 520, count: 80 },
  ]);
});

test('after a broken chain, partitions of a second extended partition have no certain number', async () => {
  const table = await chained(
    [
      { type: EXTENDED, first: 100, count: 300 },
      { type: EXTENDED, first: 500, count: 500 },
    ],
    {
      100: [
        { type: LINUX, first: 10, count: 20 },
        { type: EXTENDED, first: 0, count: 100 },
      ],
      500: [{ type: LINUX, first: 20, count: 80 }],
    },
  );
  expect(numbers(table)).toEqual([5]);
  expect(table.faults.get(6)).toContain('has no certain number');
  expect(table.problems).toEqual(['the chain of extended partition 1 comes to block 100 a second time']);
});

test.each<[string, Entry[]]>([
  [
    'two partitions',
    [
      { type: LINUX, first: 10, count: 20 },
      { type: LINUX, first: 40, count: 20 },
      { type: EXTENDED, first: 200, count: 100 },
    ],
  ],
  [
    'an entry of type 0 with blocks',
    [
      { type: 0, first: 10, count: 20 },
      { type: EXTENDED, first: 200, count: 100 },
    ],
  ],
  [
    'two links',
    [
      { type: LINUX, first: 10, count: 20 },
      { type: EXTENDED, first: 200, count: 100 },
      { type: EXTENDED, first: 300, count: 100 },
    ],
  ],
])(
  '%s in one boot record: partitions that programs count differently cannot be used',
  async (what, entries) => {
    const table = await chained(
      [
        { type: LINUX, first: 10, count: 20 },
        { type: EXTENDED, first: 100, count: 900 },
      ],
      {
        100: entries,
        300: [{ type: LINUX, first: 20, count: 80 }],
      },
    );
    expect(numbers(table)).toEqual([1]);
    expect(table.problems).toEqual([
      `the boot record in block 100 holds ${what}: partitions from 5 on cannot be told apart`,
    ]);
    expect(table.faults.get(5)).toContain('has no certain number');
  },
);

test('an extended partition that is longer than the disk keeps the part that fits', async () => {
  const table = await chained([{ type: EXTENDED, first: 100, count: 5000 }], {
    100: [
      { type: LINUX, first: 10, count: 20 },
      { type: EXTENDED, first: 200, count: 4000 },
    ],
    300: [
      { type: LINUX, first: 10, count: 3000 },
      { type: EXTENDED, first: 400, count: 1000 },
    ],
    500: [
      { type: LINUX, first: 10, count: 30 },
      { type: EXTENDED, first: 3000, count: 100 },
    ],
  });
  expect(placesOf(table)).toEqual([
    { number: 5, first: 110, count: 20 },
    { number: 7, first: 510, count: 30 },
  ]);
  expect(table.problems).toEqual([
    'partition 1 has 5000 blocks from 100 on, which is beyond the end of the disk (1000 blocks)',
    'partition 6 has 3000 blocks from 310 on, which is beyond the end of the disk (1000 blocks)',
    'the chain of extended partition 1 leads to block 3100, beyond the end of the disk',
  ]);
});

test('a partition that covers a boot record is refused, because a write to it would change others', async () => {
  const table = await chained([{ type: EXTENDED, first: 100, count: 900 }], {
    100: [
      { type: LINUX, first: 10, count: 300 },
      { type: EXTENDED, first: 200, count: 100 },
    ],
    300: [{ type: LINUX, first: 200, count: 80 }],
  });
  expect(numbers(table)).toEqual([6]);
  expect(table.faults.get(5)).toBe('goes over the boot record in block 300');
});

test('a chain that leads out of its extended partition ends there', async () => {
  const table = await chained([{ type: EXTENDED, first: 100, count: 300 }], {
    100: [
      { type: LINUX, first: 10, count: 20 },
      { type: EXTENDED, first: 500, count: 100 },
    ],
  });
  expect(numbers(table)).toEqual([5]);
  expect(table.problems).toEqual(['the chain of extended partition 1 leads out of it, to block 600']);
});

test('an endless chain is followed up to a bound only', async () => {
  const image = numberedImage(BLOCKS, [{ type: EXTENDED, first: 1, count: 999 }]);
  for (let at = 1; at < 999; at++)
    writeBootRecord(image, at, [NOTHING, { type: EXTENDED, first: at, count: 1 }]);
  const table = await tableOf(image);
  expect(numbers(table)).toEqual([]);
  expect(table.problems).toEqual(['the chain of extended partition 1 has more than 256 boot records']);
});

test.each<[string, Entry[], number[], string[]]>([
  [
    'beyond the end of the disk',
    [
      { type: LINUX, first: 10, count: 10 },
      { type: LINUX, first: 990, count: 11 },
    ],
    [1],
    ['partition 2 has 11 blocks from 990 on, which is beyond the end of the disk (1000 blocks)'],
  ],
  [
    'far beyond it',
    [{ type: LINUX, first: 0xffff_ffff, count: 0xffff_ffff }],
    [],
    [
      'partition 1 has 4294967295 blocks from 4294967295 on, which is beyond the end of the disk (1000 blocks)',
    ],
  ],
  ['of no blocks', [{ type: LINUX, first: 10, count: 0 }], [], ['partition 1 has no blocks']],
  [
    'over the table',
    [{ type: LINUX, first: 0, count: 10 }],
    [],
    ['partition 1 begins at block 0, where the partition table is'],
  ],
  [
    'overlapping',
    [
      { type: LINUX, first: 10, count: 100 },
      { type: LINUX, first: 500, count: 100 },
      { type: LINUX, first: 109, count: 10 },
    ],
    [2],
    ['partitions 1 and 3 overlap'],
  ],
  [
    'inside another',
    [
      { type: LINUX, first: 10, count: 100 },
      { type: LINUX, first: 20, count: 10 },
    ],
    [],
    ['partitions 1 and 2 overlap'],
  ],
  [
    'an extended one without a record',
    [{ type: EXTENDED, first: 10, count: 100 }],
    [],
    ['the chain of extended partition 1 comes to block 10, which is no extended boot record'],
  ],
])('a partition %s: one clear error, and the others can be used', async (_, entries, usable, problems) => {
  const table = await of(...entries);
  expect(numbers(table)).toEqual(usable);
  expect(table.problems).toEqual(problems);
});

test('a disk without a table is partition 0', async () => {
  const table = await tableOf(new Uint8Array(BLOCKS * 512));
  expect(placesOf(table)).toEqual([{ number: 0, first: 0, count: BLOCKS }]);
  expect(table.absence).toContain('signature 0x0000');
});

test('the boot block of a volume is no table', async () => {
  const image = numberedImage(BLOCKS, []);
  image.fill(0x90, 446, 510);
  expect(numbers(await tableOf(image))).toEqual([0]);
});

test('for any content of the blocks, partitions lie on the disk and apart from each other', async () => {
  const field = fc.oneof(fc.nat(1200), fc.nat(0xffff_ffff));
  const entry = fc.record({
    type: fc.constantFrom(0, LINUX, EXTENDED, 0x0f),
    first: field,
    count: field,
    status: fc.constantFrom(0, 0x80),
  });
  const records = fc.array(fc.tuple(fc.nat(BLOCKS - 1), fc.array(entry, { maxLength: 4 })), {
    maxLength: 40,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 4 }), records, async (entries, others) => {
      const image = new Uint8Array(BLOCKS * 512);
      for (const [block, content] of others) writeBootRecord(image, block, content);
      writeBootRecord(image, 0, entries);
      const table = await tableOf(image);
      const sorted = [...table.partitions.values()].toSorted((left, right) => left.first - right.first);
      let free = 1;
      for (const { number, first, count } of sorted) {
        if (number === 0) continue;
        expect(first).toBeGreaterThanOrEqual(free);
        expect(count).toBeGreaterThan(0);
        free = first + count;
        expect(free).toBeLessThanOrEqual(BLOCKS);
      }
      expect(table.problems.length).toBeLessThan(300);
    }),
    { numRuns: 300 },
  );
});
