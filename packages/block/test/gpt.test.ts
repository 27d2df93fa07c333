import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { propertyRuns } from '../../../test/property-runs.ts';
import { readPartitionTable } from '../src/part_block/partition-table.ts';
import type { PartitionTable } from '../src/part_block/table.ts';
import { diskOfImage, numberedImage, placesOf, writeBootRecord } from './disk-image.ts';
import {
  changeHeader,
  EFI_TYPE,
  type GptOptions,
  type GptTestEntry,
  guidOf,
  LINUX_TYPE,
  writeGpt,
} from './gpt-image.ts';

const BLOCKS = 1000;
const ENTRIES: readonly (GptTestEntry | undefined)[] = [
  { first: 40, last: 99, type: EFI_TYPE, name: 'boot' },
  undefined,
  { first: 100, last: 966, name: 'Größe 𝄞' },
];
const PLACES = [
  { number: 1, first: 40, count: 60 },
  { number: 3, first: 100, count: 867 },
];

const imageOf = (options: GptOptions = { entries: ENTRIES }, blocks = BLOCKS): Uint8Array => {
  const image = new Uint8Array(blocks * 512);
  writeGpt(image, options);
  return image;
};
const tableOf = (image: Uint8Array, blockSize = 512): Promise<PartitionTable> =>
  readPartitionTable(diskOfImage(image, blockSize));
const of = (...entries: GptTestEntry[]): Promise<PartitionTable> => tableOf(imageOf({ entries }));

test('partitions have the numbers of their entries, and types, names and GUIDs', async () => {
  const table = await tableOf(imageOf());
  expect([...table.partitions.values()]).toEqual([
    { number: 1, first: 40, count: 60, type: EFI_TYPE, guid: guidOf(1), name: 'boot' },
    { number: 3, first: 100, count: 867, type: LINUX_TYPE, guid: guidOf(3), name: 'Größe 𝄞' },
  ]);
  expect(table).toMatchObject({ kind: 'gpt', guid: guidOf(0), problems: [], warnings: [] });
});

test.each([512, 1024, 4096, 65_536])('blocks of %i bytes are the unit of the table', async (blockSize) => {
  const image = new Uint8Array(200 * blockSize);
  writeGpt(image, { blockSize, entries: [{ first: 50, last: 149 }] });
  expect(placesOf(await tableOf(image, blockSize))).toEqual([{ number: 1, first: 50, count: 100 }]);
});

test('a name of 36 units has no zero at its end, and half a surrogate pair is no text', async () => {
  const whole = 'x'.repeat(36);
  const table = await of({ first: 40, last: 50, name: whole }, { first: 60, last: 70, name: 'a\ud800b' });
  expect([...table.partitions.values()].map(({ name }) => name)).toEqual([whole, 'a\ufffdb']);
});

test.each([
  [4, 256],
  [128, 512],
  [8192, 128],
])('a table of %i entries of %i bytes can be read', async (entryCount, entryBytes) => {
  const tableBlocks = (entryCount * entryBytes) / 512;
  const blocks = 2 * tableBlocks + 200;
  const first = tableBlocks + 10;
  const entries = Array.from({ length: entryCount }, (_, index) =>
    index === entryCount - 1 ? { first, last: first + 9 } : undefined,
  );
  const table = await tableOf(imageOf({ entryCount, entryBytes, entries }, blocks));
  expect(placesOf(table)).toEqual([{ number: entryCount, first, count: 10 }]);
});

test('a table elsewhere than in block 2 is followed', async () => {
  const entries = [{ first: 200, last: 299 }];
  expect(placesOf(await tableOf(imageOf({ entries, tableAt: 100 })))).toEqual([
    { number: 1, first: 200, count: 100 },
  ]);
});

test.each<[string, (image: Uint8Array) => void, string]>([
  ['the first header is gone', (image) => image.fill(0, 512, 1024), 'block 1 holds no header'],
  ['a bit of the first header has flipped', (image) => void (image[512 + 57] = 1), 'wrong checksum'],
  ['the first table is damaged', (image) => image.fill(7, 1024, 1030), 'the table in block 2 has a wrong'],
  [
    'the first header was copied from elsewhere',
    (image) => changeHeader(image, 1, (view) => view.setBigUint64(24, 7n, true)),
    'belongs into block 7',
  ],
])('%s: the backup is used, with a warning', async (_, damage, reason) => {
  const image = imageOf();
  damage(image);
  const table = await tableOf(image);
  expect(placesOf(table)).toEqual(PLACES);
  expect(table.problems).toEqual([]);
  expect(table.warnings).toEqual([expect.stringContaining(reason)]);
  expect(table.warnings[0]).toContain('the backup of the partition table in block 999 is used');
});

test.each<[string, (image: Uint8Array) => void, string]>([
  ['gone', (image) => image.fill(0, 999 * 512), 'cannot be used: block 999 holds no header'],
  ['damaged', (image) => image.fill(7, 970 * 512, 970 * 512 + 9), 'the table in block 967 has a wrong'],
  [
    'another table',
    (image) => {
      const other = imageOf({ entries: [{ first: 50, last: 60 }] });
      image.set(other.subarray(967 * 512), 967 * 512);
    },
    'differs from it, and the first one counts',
  ],
])('a backup that is %s: the first table is used, with a warning', async (_, damage, reason) => {
  const image = imageOf();
  damage(image);
  const table = await tableOf(image);
  expect(placesOf(table)).toEqual(PLACES);
  expect(table.warnings).toEqual([expect.stringContaining(reason)]);
});

test('both headers damaged: no partition can be used, and the reasons are told', async () => {
  const image = imageOf();
  image[512 + 57] = 1;
  image[999 * 512 + 57] = 1;
  const table = await tableOf(image);
  expect(placesOf(table)).toEqual([]);
  expect(table.problems).toEqual([
    'the GPT of the disk is damaged: block 1 holds a header with a wrong checksum, ' +
      'block 999 holds a header with a wrong checksum',
  ]);
});

test('a protective MBR without a GPT gives nobody the disk', async () => {
  const image = new Uint8Array(BLOCKS * 512);
  writeBootRecord(image, 0, [{ type: 0xee, first: 1, count: 999 }]);
  const table = await tableOf(image);
  expect(placesOf(table)).toEqual([]);
  expect(table.problems).toEqual(['block 0 protects a GPT, and there is none']);
});

test('a disk that has grown keeps its partitions, also if the first header is damaged', async () => {
  const grown = new Uint8Array(2 * BLOCKS * 512);
  grown.set(imageOf());
  const table = await tableOf(grown);
  expect(placesOf(table)).toEqual(PLACES);
  expect(table.warnings).toEqual([
    'the disk has grown: the backup of its partition table is in block 999 and not at its end',
  ]);
  grown[512 + 57] = 1;
  const withBackup = await tableOf(grown);
  expect(placesOf(withBackup)).toEqual(PLACES);
  expect(withBackup.warnings[0]).toContain('the backup of the partition table in block 999 is used');
});

test('a disk that has shrunk keeps the partitions that still are on it', async () => {
  const table = await tableOf(imageOf().slice(0, 500 * 512));
  expect(placesOf(table)).toEqual([{ number: 1, first: 40, count: 60 }]);
  expect(table.problems).toEqual([
    'partition 3 has blocks 100 to 966, which is beyond the end of the disk (500 blocks)',
  ]);
  expect(table.warnings).toEqual([expect.stringContaining('it has no block 999')]);
});

test.each<[string, GptTestEntry[], number[], string[]]>([
  [
    'overlapping',
    [
      { first: 100, last: 199 },
      { first: 300, last: 399 },
      { first: 199, last: 250 },
    ],
    [2],
    ['partitions 1 and 3 overlap'],
  ],
  [
    'over the table',
    [{ first: 20, last: 50 }],
    [],
    ['partition 1 has blocks 20 to 50, and the table leaves 34 to 966 to partitions'],
  ],
  [
    'over the backup',
    [{ first: 900, last: 999 }],
    [],
    ['partition 1 has blocks 900 to 999, and the table leaves 34 to 966 to partitions'],
  ],
  [
    'that ends before it begins',
    [{ first: 200, last: 100 }],
    [],
    ['partition 1 ends at block 100, before it begins at 200'],
  ],
  [
    'beyond the end of the disk',
    [{ first: 200, last: 1000 }],
    [],
    ['partition 1 has blocks 200 to 1000, which is beyond the end of the disk (1000 blocks)'],
  ],
])('a partition %s: one clear error, and the others can be used', async (_, entries, usable, problems) => {
  const table = await of(...entries);
  expect([...table.partitions.keys()]).toEqual(usable);
  expect(table.problems).toEqual(problems);
  expect(table.faults.size).toBe(entries.length - usable.length);
});

test.each([967, 998])(
  'a first header that leaves the copy of the table to partitions, up to block %i, is refused',
  async (last) => {
    const image = imageOf();
    changeHeader(image, 1, (view) => view.setBigUint64(48, BigInt(last), true));
    const table = await tableOf(image);
    // The backup is sound, and used.
    expect(placesOf(table)).toEqual(PLACES);
    expect(table.warnings).toEqual([
      expect.stringContaining(
        'block 1 leaves blocks 967 to 998 to partitions, where the backup of its table is',
      ),
    ]);
  },
);

test.each<[string, (view: DataView) => void, string]>([
  ['numbers beyond 2^53', (view) => view.setBigUint64(48, 2n ** 63n, true), 'which it leaves to partitions'],
  ['entries of 100 bytes', (view) => view.setUint32(84, 100, true), 'states entries of 100 bytes'],
  ['four billion entries', (view) => view.setUint32(80, 0xffff_ffff, true), 'states 4294967295 entries'],
  ['a header of 4 GiB', (view) => view.setUint32(12, 0xffff_fff0, true), 'a header of 4294967280 bytes'],
  ['a header of 16 bytes', (view) => view.setUint32(12, 16, true), 'a header of 16 bytes'],
  ['another revision', (view) => view.setUint32(8, 0x0002_0000, true), 'of an unknown revision'],
  ['a table in block 0', (view) => view.setBigUint64(72, 0n, true), 'where it cannot be'],
  ['a table among partitions', (view) => view.setBigUint64(72, 500n, true), 'where it cannot be'],
  ['partitions from block 1 on', (view) => view.setBigUint64(40, 1n, true), 'leaves blocks 1 to 966'],
])('headers that state %s are refused with the reason', async (_, change, reason) => {
  const image = imageOf();
  for (const at of [1, 999]) changeHeader(image, at, change);
  const table = await tableOf(image);
  expect(placesOf(table)).toEqual([]);
  expect(table.problems).toEqual([expect.stringContaining(reason)]);
});

const HINT = 'set ignore_mbr="yes" or ignore_gpt="yes" in the config of part_block';

test('a disk with an MBR and a GPT is refused until the config says which to ignore', async () => {
  const image = imageOf();
  writeBootRecord(image, 0, [{ type: 0x83, first: 10, count: 20 }]);
  const refused = await tableOf(image);
  expect(placesOf(refused)).toEqual([]);
  expect(refused.problems).toEqual([expect.stringContaining(HINT)]);
  const disk = diskOfImage(image);
  expect(placesOf(await readPartitionTable(disk, { mbr: true }))).toEqual(PLACES);
  expect(placesOf(await readPartitionTable(disk, { gpt: true }))).toEqual([
    { number: 1, first: 10, count: 20 },
  ]);
  expect(placesOf(await readPartitionTable(disk, { mbr: true, gpt: true }))).toEqual([
    { number: 0, first: 0, count: BLOCKS },
  ]);
});

test('a hybrid MBR is refused until the config says which table to ignore', async () => {
  const image = imageOf();
  writeBootRecord(image, 0, [
    { type: 0xee, first: 1, count: 39 },
    { type: 0x0b, first: 40, count: 60 },
  ]);
  expect((await tableOf(image)).problems).toEqual([expect.stringContaining(HINT)]);
  const disk = diskOfImage(image);
  expect(placesOf(await readPartitionTable(disk, { mbr: true }))).toEqual(PLACES);
  const byMbr = await readPartitionTable(disk, { gpt: true });
  expect(placesOf(byMbr)).toEqual([{ number: 2, first: 40, count: 60 }]);
  expect(byMbr.faults.get(1)).toBe('protects a GPT');
});

test('a GPT without its protective MBR is used with a warning', async () => {
  const image = imageOf();
  image.fill(0, 0, 512);
  const table = await tableOf(image);
  expect(placesOf(table)).toEqual(PLACES);
  expect(table.warnings).toEqual([expect.stringContaining('the GPT has no protective MBR')]);
});

test('a GPT beside the boot block of a volume is refused', async () => {
  const image = imageOf();
  image.fill(0x90, 446, 510);
  expect((await tableOf(image)).problems).toEqual([expect.stringContaining('boot block of a volume')]);
});

test('a backup alone makes no GPT of a disk with an MBR', async () => {
  const image = imageOf();
  image.fill(0, 512, 34 * 512);
  writeBootRecord(image, 0, [{ type: 0x83, first: 10, count: 20 }]);
  expect(placesOf(await tableOf(image))).toEqual([{ number: 1, first: 10, count: 20 }]);
});

test('for any bytes of a GPT, partitions lie apart from each other, and for sound headers from the tables', async () => {
  const image = numberedImage(BLOCKS, []);
  writeGpt(image, { entries: ENTRIES });
  const change = fc.record({
    header: fc.constantFrom(1, 999),
    at: fc.nat(91),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 8 }),
  });
  const entry = fc.record({ first: fc.nat(1100), last: fc.nat(1100) });
  let read = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(entry, { maxLength: 12 }),
      fc.array(change, { maxLength: 2 }),
      async (entries, changes) => {
        const disk = image.slice();
        writeGpt(disk, { entries });
        for (const { header, at, bytes } of changes) {
          changeHeader(disk, header, () => disk.set(bytes, header * 512 + at));
        }
        const table = await tableOf(disk);
        read += table.partitions.size;
        // Sound headers have their tables in blocks 2 to 33 and 967 to 998.
        const [from, end] = changes.length === 0 ? [34, 967] : [2, BLOCKS];
        let free = from;
        for (const { first, count } of placesOf(table).toSorted((left, right) => left.first - right.first)) {
          expect(first).toBeGreaterThanOrEqual(free);
          expect(count).toBeGreaterThan(0);
          free = first + count;
          expect(free).toBeLessThanOrEqual(end);
        }
      },
    ),
    { numRuns: propertyRuns(300) },
  );
  expect(read).toBeGreaterThan(100);
});
