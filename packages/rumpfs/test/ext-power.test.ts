/**
 * Cuts the power at every write of a run. A device then holds everything that was durable, and any
 * part of the later writes: all up to some moment, in the order in which they were written, or some
 * of them in any order. With e2fsck and without it, each file that was synced must be found as it
 * was, or as what replaced it; never in part, and never with contents of another file.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';
import { wrongNames } from './crash/survivors.ts';
import { type Moment, Workload } from './crash/workload.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';
import { findingsAfterReplay, ourFindings } from './our-check.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

/**
 * e2fsck checks one state of several here, and every state with a seed of its own (`pnpm fuzz
 * ext2-power`).
 */
const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
const CHECKED_EVERY = USUAL ? 9 : 1;

/** A kind of image, and how it is used. */
interface Case {
  readonly title: string;
  readonly size: string;
  readonly blockSize: number;
  readonly args: readonly string[];
  readonly memoryBytes: number;
  readonly steps: number;
  /** Whether what a crash leaves must be clean once the journal is replayed. */
  readonly journal: boolean;
}

const NO_JOURNAL = ['-t', 'ext4', '-O', '^has_journal'];

interface Counts {
  states: number;
  checked: number;
  mended: number;
}

function momentAt(moments: readonly Moment[], end: number): Moment | undefined {
  return moments.findLast((moment) => moment.from <= end);
}

/** The image after it was mounted and unmounted: that must leave a clean file system. */
async function mountedOnce(image: Uint8Array, memoryBytes: number): Promise<Uint8Array> {
  const hypercalls = new MemoryHypercalls(image, { memoryBytes });
  const mount = await mountFileSystem(hypercalls, 'auto', { writeable: true });
  await mount.release(await mount.createFile(mount.root, 'after'));
  await mount.unmount();
  expect(workshop.check(image), 'after it was mounted').toBe('');
  return image;
}

/** Cuts the power at each write of a run. */
async function cutEverywhere(
  image: Uint8Array,
  { blockSize, steps, memoryBytes, journal }: Case,
  seed: number,
): Promise<Counts> {
  const disk = new RecordedDisk(image, memoryBytes, seed);
  const moments = await Workload.run(disk, seed, steps);
  const states = new CrashStates(disk, blockSize);
  const random = randomFrom(seed + 1);
  const counts: Counts = { states: 0, checked: 0, mended: 0 };
  const [crashed, looked] = [image.slice(), image.slice()];
  const judge = async (what: string, end: number): Promise<void> => {
    const moment = momentAt(moments, end);
    if (moment === undefined) return;
    const where = `seed ${seed}, before event ${end} of ${disk.events.length}, ${what}`;
    counts.states += 1;
    looked.set(crashed);
    expect(await wrongNames(looked, moment), `${where}, without e2fsck`).toBe('');
    const found = await findingsAfterReplay(crashed);
    if (journal) expect(found, `${where}, by our checker`).toBe('');
    if (counts.states % CHECKED_EVERY !== 0) return;
    counts.checked += 1;
    if (journal) {
      expect(workshop.checkReplayed(crashed), where).toBe('');
      expect(await wrongNames(await mountedOnce(crashed.slice(), memoryBytes), moment), where).toBe('');
      return;
    }
    const mended = workshop.mend(crashed, ['-f', '-y']);
    if (Buffer.compare(mended, crashed) !== 0) counts.mended += 1;
    expect(await wrongNames(mended, moment), `${where}, after e2fsck`).toBe('');
    expect(await ourFindings(mended, 'ext2'), `${where}, after e2fsck`).toBe('');
  };
  for (let end = 0; end <= disk.events.length; end += 1) {
    let rank = 0;
    states.at(
      crashed,
      end,
      () => true,
      () => (rank += 1),
    );
    await judge('in order', end);
    const share = random();
    states.at(crashed, end, () => random() < share, random);
    await judge('a part of it', end);
  }
  return counts;
}

describe.skipIf(missingTools)(`ext when the power fails ${missingTools ?? ''}`, () => {
  const ext2 = { size: '2M', journal: false };
  const images: readonly Case[] = [
    { ...ext2, title: 'ext2', blockSize: 1024, args: ['-g', '1024'], memoryBytes: 1024 * 1024, steps: 12 },
    { ...ext2, title: 'ext2, little memory', blockSize: 1024, args: [], memoryBytes: 64 * 1024, steps: 5 },
    { ...ext2, title: 'ext2', blockSize: 4096, args: [], memoryBytes: 1024 * 1024, steps: 12 },
  ];
  const journalled = { size: '4M', journal: true, blockSize: 1024, memoryBytes: 1024 * 1024 };
  const journals: readonly Case[] = [
    { ...journalled, title: 'ext4', args: ['-t', 'ext4', '-g', '2048'], steps: 8 },
    { ...journalled, title: 'ext3', args: ['-t', 'ext3', '-g', '2048'], steps: 8 },
    {
      ...journalled,
      title: 'ext4 without checksums',
      args: ['-t', 'ext4', '-O', '^metadata_csum,^64bit'],
      steps: 12,
    },
    {
      ...journalled,
      title: 'ext4',
      size: '12M',
      blockSize: 4096,
      args: ['-t', 'ext4'],
      memoryBytes: 2 * 1024 * 1024,
      steps: 12,
    },
    { ...journalled, title: 'ext4, little memory', args: ['-t', 'ext4'], memoryBytes: 280 * 1024, steps: 12 },
    {
      ...ext2,
      title: 'ext4 without a journal',
      blockSize: 1024,
      args: NO_JOURNAL,
      memoryBytes: 1 << 20,
      steps: 12,
    },
  ];
  for (const one of [...images, ...journals]) {
    const { title, size, blockSize, args, memoryBytes, journal } = one;
    const long = journals.indexOf(one) > 0 || (!journal && blockSize === 4096);
    test(`${title}, ${blockSize} bytes a block, ${memoryBytes} bytes of memory`, {
      timeout: 300_000,
    }, async (context) => {
      skipIfLong(context, long);
      const image = workshop.make(size, ['-b', String(blockSize), '-N', '128', ...args]);
      const total: Counts = { states: 0, checked: 0, mended: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const counts = await cutEverywhere(image, one, seed);
          total.states += counts.states;
          total.checked += counts.checked;
          total.mended += counts.mended;
        }),
        { numRuns: USUAL && !long ? (journal ? 1 : 2) : 4, endOnFailure: true },
      );
      if (!leftOut(true))
        console.log(`${title}: ${total.states} states, ${total.checked} of them seen by e2fsck`);
      expect(total.states).toBeGreaterThan(journal ? 40 : 120);
      if (!journal) expect(total.mended).toBeGreaterThan(10);
    });
  }
});
