/**
 * The power fails at every write of a run on ext: each file that was synced must be found as it
 * was, or as what replaced it; never in part, and never with contents of another file.
 */
import { expect } from 'vitest';
import { mountFileSystem } from '../../src/file-systems.ts';
import type { Workshop } from '../e2fsprogs.ts';
import { MemoryHypercalls, randomFrom } from '../memory-hypercalls.ts';
import { findingsAfterReplay, ourFindings } from '../our-check.ts';
import { CrashStates, RecordedDisk } from './recorded-disk.ts';
import { wrongNames } from './survivors.ts';
import { type Moment, Workload } from './workload.ts';

const NO_JOURNAL = ['-t', 'ext4', '-O', '^has_journal'];

/** A kind of image, and how it is used. */
export interface PowerCase {
  readonly title: string;
  readonly size: string;
  readonly blockSize: number;
  readonly args: readonly string[];
  readonly memoryBytes: number;
  readonly steps: number;
  /** Whether what a crash leaves must be clean once the journal is replayed. */
  readonly journal: boolean;
}

export interface PowerCounts {
  states: number;
  checked: number;
  mended: number;
}

function momentAt(moments: readonly Moment[], end: number): Moment | undefined {
  return moments.findLast((moment) => moment.from <= end);
}

/** The image after it was mounted and unmounted: that must leave a clean file system. */
async function mountedOnce(workshop: Workshop, image: Uint8Array, memoryBytes: number): Promise<Uint8Array> {
  const hypercalls = new MemoryHypercalls(image, { memoryBytes });
  const mount = await mountFileSystem(hypercalls, 'auto', { writeable: true });
  await mount.release(await mount.createFile(mount.root, 'after'));
  await mount.unmount();
  expect(workshop.check(image), 'after it was mounted').toBe('');
  return image;
}

/**
 * Cuts the power at each write of a run.
 *
 * @param checkedEvery e2fsck looks at one state of so many, our checker at each
 */
export async function cutEverywhere(
  workshop: Workshop,
  checkedEvery: number,
  image: Uint8Array,
  { blockSize, steps, memoryBytes, journal }: PowerCase,
  seed: number,
): Promise<PowerCounts> {
  const disk = new RecordedDisk(image, memoryBytes, seed);
  const moments = await Workload.run(disk, seed, steps);
  const states = new CrashStates(disk, blockSize);
  const random = randomFrom(seed + 1);
  const counts: PowerCounts = { states: 0, checked: 0, mended: 0 };
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
    if (counts.states % checkedEvery !== 0) return;
    counts.checked += 1;
    if (journal) {
      expect(workshop.checkReplayed(crashed), where).toBe('');
      expect(await wrongNames(await mountedOnce(workshop, crashed.slice(), memoryBytes), moment), where).toBe(
        '',
      );
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

const EXT2 = { size: '2M', journal: false };
/** Those without a journal. */
export const PLAIN_CASES: readonly PowerCase[] = [
  { ...EXT2, title: 'ext2', blockSize: 1024, args: ['-g', '1024'], memoryBytes: 1024 * 1024, steps: 12 },
  { ...EXT2, title: 'ext2, little memory', blockSize: 1024, args: [], memoryBytes: 64 * 1024, steps: 5 },
  { ...EXT2, title: 'ext2', blockSize: 4096, args: [], memoryBytes: 1024 * 1024, steps: 12 },
];
const JOURNALLED = { size: '4M', journal: true, blockSize: 1024, memoryBytes: 1024 * 1024 };
/** Those with one, and one of ext4 without. */
export const JOURNAL_CASES: readonly PowerCase[] = [
  { ...JOURNALLED, title: 'ext4', args: ['-t', 'ext4', '-g', '2048'], steps: 8 },
  { ...JOURNALLED, title: 'ext3', args: ['-t', 'ext3', '-g', '2048'], steps: 8 },
  {
    ...JOURNALLED,
    title: 'ext4 without checksums',
    args: ['-t', 'ext4', '-O', '^metadata_csum,^64bit'],
    steps: 12,
  },
  {
    ...JOURNALLED,
    title: 'ext4',
    size: '12M',
    blockSize: 4096,
    args: ['-t', 'ext4'],
    memoryBytes: 2 * 1024 * 1024,
    steps: 12,
  },
  { ...JOURNALLED, title: 'ext4, little memory', args: ['-t', 'ext4'], memoryBytes: 280 * 1024, steps: 12 },
  {
    ...JOURNALLED,
    title: 'ext4 with clusters',
    args: ['-t', 'ext4', '-O', 'bigalloc', '-C', '4096'],
    steps: 12,
  },
  {
    ...EXT2,
    title: 'ext4 without a journal',
    blockSize: 1024,
    args: NO_JOURNAL,
    memoryBytes: 1 << 20,
    steps: 12,
  },
];
