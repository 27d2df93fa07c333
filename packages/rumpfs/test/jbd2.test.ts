/**
 * The journal by itself, on a device in memory: transactions of random blocks, each of which is cut
 * at every write. A scan must find the transactions that were committed, whole, and nothing else.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ChangeGate } from '../src/buffer/change-gate.ts';
import type { LoggedBlock } from '../src/buffer/metadata-log.ts';
import { crc16, crc32BigEndian, crc32c } from '../src/checksum/crc.ts';
import { Journal } from '../src/jbd2/journal.ts';
import { JournalPlace } from '../src/jbd2/journal-place.ts';
import { JOURNAL_MAGIC, JournalSuperblock, type WantedFeatures } from '../src/jbd2/journal-superblock.ts';
import { replay } from '../src/jbd2/replay.ts';
import { scanJournal } from '../src/jbd2/scan.ts';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';

const BLOCK = 1024;
/** Blocks of the file system, and behind them the journal in two pieces. */
const BLOCKS = 64;
const RING = 80;
const RUNS = [
  { logical: 0, block: BLOCKS + 41, count: 40 },
  { logical: 40, block: BLOCKS, count: 41 },
];

/** A device with an empty journal. */
function freshImage(): Uint8Array {
  const image = new Uint8Array((BLOCKS + RING + 1) * BLOCK);
  const view = new DataView(image.buffer, (BLOCKS + 41) * BLOCK);
  const fields = [JOURNAL_MAGIC, 4, 0, BLOCK, RING + 1, 1, 7, 0];
  for (const [index, value] of fields.entries()) view.setUint32(index * 4, value);
  return image;
}

function open(disk: RecordedDisk, features: WantedFeatures): { journal: Journal; place: JournalPlace } {
  const place = new JournalPlace(disk.bio, BLOCK, RUNS);
  const at = (BLOCKS + 41) * BLOCK;
  const superblock = new JournalSuperblock(disk.base.slice(at, at + BLOCK), BLOCK, RING + 1);
  superblock.adopt(features);
  const gate = new ChangeGate(
    1,
    () => ({ count: 0, max: 1 }),
    () => Promise.resolve(),
  );
  return { journal: new Journal(place, superblock, gate, () => disk.now()), place };
}

/** The file system's blocks in an image after a replay, or why there was none. */
async function replayed(image: Uint8Array): Promise<Uint8Array> {
  const disk = new RecordedDisk(image, 0, 1);
  const place = new JournalPlace(disk.bio, BLOCK, RUNS);
  const at = (BLOCKS + 41) * BLOCK;
  const superblock = new JournalSuperblock(image.slice(at, at + BLOCK), BLOCK, RING + 1);
  await replay(disk.bio, place, await scanJournal(place, superblock, BLOCKS));
  const whole = new Uint8Array(image.length);
  await disk.bio.read(0, whole);
  return whole.subarray(0, BLOCKS * BLOCK);
}

const change = fc.record({
  block: fc.nat(BLOCKS - 1),
  fill: fc.integer({ min: 1, max: 255 }),
  /** Whether the content looks like a block of the journal. */
  magic: fc.boolean(),
});
const transaction = fc.record({
  changes: fc.uniqueArray(change, { minLength: 1, maxLength: 20, selector: ({ block }) => block }),
  /** Blocks that are freed in it, and get data afterwards that is not in the journal. */
  freed: fc.oneof(
    { weight: 4, arbitrary: fc.constant<number[]>([]) },
    { weight: 1, arbitrary: fc.uniqueArray(fc.nat(BLOCKS - 1), { minLength: 1, maxLength: 5 }) },
  ),
});
const features = fc.record({ sixtyFourBit: fc.boolean(), checksums: fc.boolean() });

test('cut at any write, a replay gives the transactions that were committed, whole', async () => {
  let states = 0;
  const property = fc.asyncProperty(
    fc.array(transaction, { minLength: 1, maxLength: 8 }),
    features,
    fc.nat(),
    async (transactions, wanted, seed) => {
      const disk = new RecordedDisk(freshImage(), 0, seed);
      const { journal } = open(disk, wanted);
      const content = new Uint8Array(BLOCKS * BLOCK);
      /** The contents that a replay may find if the power fails from an event on. */
      const moments = [{ from: 0, contents: [content.slice()] }];
      for (const { changes, freed } of transactions) {
        const blocks: LoggedBlock[] = changes
          .filter(({ block }) => !freed.includes(block))
          .map(({ block, fill, magic }) => {
            const bytes = new Uint8Array(BLOCK).fill(fill);
            if (magic) new DataView(bytes.buffer).setUint32(0, JOURNAL_MAGIC);
            return { block, bytes };
          });
        for (const block of freed) journal.freed(block, 1);
        await journal.quiesce();
        journal.begin(blocks);
        const before = content.slice();
        for (const { block, bytes } of blocks) content.set(bytes, block * BLOCK);
        moments.push({ from: disk.events.length, contents: [before, content.slice()] });
        await journal.commit();
        moments.push({ from: disk.events.length, contents: [content.slice()] });
        for (const { block, bytes } of blocks) await disk.bio.write((block * BLOCK) / 512, bytes);
        journal.placed();
        for (const block of freed) {
          const data = new Uint8Array(BLOCK).fill(block);
          content.set(data, block * BLOCK);
          await disk.bio.write((block * BLOCK) / 512, data);
        }
        if (freed.length > 0) {
          // Data is not promised before a sync.
          await disk.bio.sync();
          moments.splice(0, moments.length, { from: disk.events.length, contents: [content.slice()] });
        }
      }
      const crashes = new CrashStates(disk, BLOCK);
      const image = disk.base.slice();
      for (let end = moments[0]?.from ?? 0; end <= disk.events.length; end += 1) {
        let order = 0;
        crashes.at(
          image,
          end,
          () => (seed + order) % 3 > 0,
          () => (order += 1),
        );
        const found = await replayed(image);
        const possible = moments.findLast(({ from }) => from <= end)?.contents ?? [];
        states += 1;
        expect(
          possible.some((one) => Buffer.compare(one, found) === 0),
          `before event ${end} of ${disk.events.length}`,
        ).toBe(true);
      }
    },
  );
  await fc.assert(property, { numRuns: process.env['GINIT_PROPERTY_SEED'] === undefined ? 8 : 200 });
  expect(states).toBeGreaterThan(60);
});

test('a journal that is finished has nothing to replay', async () => {
  const disk = new RecordedDisk(freshImage(), 0, 1);
  const { journal, place } = open(disk, { sixtyFourBit: true, checksums: true });
  journal.begin([{ block: 3, bytes: new Uint8Array(BLOCK).fill(9) }]);
  await journal.commit();
  journal.placed();
  await journal.finish();
  const bytes = new Uint8Array(BLOCK);
  await place.read(0, bytes);
  const superblock = new JournalSuperblock(bytes, BLOCK, RING + 1);
  expect(superblock.start).toBe(0);
  expect(superblock.sequence).toBe(8);
});

test('a damaged block of a committed transaction is told with its place, not replayed', async () => {
  const disk = new RecordedDisk(freshImage(), 0, 1);
  const { journal, place } = open(disk, { sixtyFourBit: false, checksums: true });
  journal.begin([{ block: 3, bytes: new Uint8Array(BLOCK).fill(9) }]);
  await journal.commit();
  const superblock = new Uint8Array(BLOCK);
  await place.read(0, superblock);
  await place.write(2, new Uint8Array(BLOCK).fill(8));
  const scan = scanJournal(place, new JournalSuperblock(superblock, BLOCK, RING + 1), BLOCKS);
  await expect(scan).rejects.toMatchObject({
    code: 'Corrupt',
    message: 'journal: transaction 7: block 2, for block 3, has a wrong checksum',
  });
});

test('checksums have their published values', () => {
  const digits = new TextEncoder().encode('123456789');
  expect((~crc32c(0xffff_ffff, digits) >>> 0).toString(16)).toBe('e3069283');
  expect(crc16(0, digits).toString(16)).toBe('bb3d');
  expect((~crc32BigEndian(0xffff_ffff, digits) >>> 0).toString(16)).toBe('fc891918');
});
