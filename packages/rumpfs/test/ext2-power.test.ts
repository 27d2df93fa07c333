/**
 * Cuts the power at every write of a run. A device then holds everything that was durable, and any
 * part of the later writes: all up to some moment, in the order in which they were written, or some
 * of them in any order. With e2fsck and without it, each file that was synced must be found as it
 * was, or as what replaced it; never in part, and never with contents of another file.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';
import { wrongNames } from './crash/survivors.ts';
import { type Moment, Workload } from './crash/workload.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { randomFrom } from './memory-hypercalls.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

/**
 * e2fsck checks one state of several here, and every state with a seed of its own (`pnpm fuzz
 * ext2-power`).
 */
const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
const CHECKED_EVERY = USUAL ? 9 : 1;

interface Counts {
  states: number;
  checked: number;
  mended: number;
}

function momentAt(moments: readonly Moment[], end: number): Moment | undefined {
  return moments.findLast((moment) => moment.from <= end);
}

/** Cuts the power at each write of a run. */
async function cutEverywhere(
  image: Uint8Array,
  blockSize: number,
  seed: number,
  steps: number,
  memoryBytes: number,
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
    if (counts.states % CHECKED_EVERY !== 0) return;
    counts.checked += 1;
    const mended = workshop.mend(crashed, ['-f', '-y']);
    if (Buffer.compare(mended, crashed) !== 0) counts.mended += 1;
    expect(await wrongNames(mended, moment), `${where}, after e2fsck`).toBe('');
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

describe.skipIf(missingTools)(`ext2 when the power fails ${missingTools ?? ''}`, () => {
  const images = [
    { blockSize: 1024, args: ['-g', '1024'], memoryBytes: 1024 * 1024, steps: 12 },
    { blockSize: 1024, args: [], memoryBytes: 64 * 1024, steps: 5 },
    { blockSize: 4096, args: [], memoryBytes: 1024 * 1024, steps: 12 },
  ];
  for (const { blockSize, args, memoryBytes, steps } of images) {
    test(`${blockSize} bytes a block, ${memoryBytes} bytes of memory`, { timeout: 300_000 }, async () => {
      const image = workshop.make('2M', ['-b', String(blockSize), '-N', '128', ...args]);
      const total: Counts = { states: 0, checked: 0, mended: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const counts = await cutEverywhere(image, blockSize, seed, steps, memoryBytes);
          total.states += counts.states;
          total.checked += counts.checked;
          total.mended += counts.mended;
        }),
        { numRuns: USUAL ? 2 : 4, endOnFailure: true },
      );
      expect(total.states).toBeGreaterThan(120);
      expect(total.mended).toBeGreaterThan(10);
    });
  }
});
