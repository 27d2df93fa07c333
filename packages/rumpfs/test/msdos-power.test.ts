/**
 * Cuts the power at every write of a run, as `ext2-power.test.ts` does. A FAT has no journal: what
 * a cut leaves is mended by fsck.fat, which may lose nothing that was synced. Between the two
 * writes of a move from one sector to another, two names lead to the same clusters; fsck.fat then
 * empties one of the two.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';
import { wrongNames } from './crash/survivors.ts';
import { type Moment, Workload } from './crash/workload.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import { randomFrom } from './memory-hypercalls.ts';
import { ourFindings } from './our-check.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
/** fsck.fat mends one state of several here, and every state with a seed of its own. */
const MENDED_EVERY = USUAL ? 9 : 1;

interface Counts {
  states: number;
  mended: number;
}

/** Cuts the power at each write of a run. */
async function cutEverywhere(
  image: Uint8Array,
  seed: number,
  steps: number,
  memoryBytes: number,
): Promise<Counts> {
  const disk = new RecordedDisk(image, memoryBytes, seed);
  const moments = await Workload.run(disk, seed, steps, 'msdos');
  const states = new CrashStates(disk, 512);
  const random = randomFrom(seed + 1);
  const counts: Counts = { states: 0, mended: 0 };
  const [crashed, looked] = [image.slice(), image.slice()];
  const judge = async (what: string, end: number): Promise<void> => {
    const moment: Moment | undefined = moments.findLast(({ from }) => from <= end);
    if (moment === undefined) return;
    const where = `seed ${seed}, before event ${end} of ${disk.events.length}, ${what}`;
    counts.states += 1;
    looked.set(crashed);
    expect(await wrongNames(looked, moment, 'msdos'), `${where}, without fsck.fat`).toBe('');
    if (counts.states % MENDED_EVERY !== 0) return;
    const mended = workshop.mend(crashed);
    if (Buffer.compare(mended, crashed) !== 0) counts.mended += 1;
    expect(workshop.check(mended), `${where}, after fsck.fat`).toBe('');
    expect(await ourFindings(mended, 'msdos'), `${where}, after fsck.fat`).toBe('');
    expect(await wrongNames(mended, moment, 'msdos', true), `${where}, after fsck.fat`).toBe('');
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

describe.skipIf(missingFatTools)(`msdos when the power fails ${missingFatTools ?? ''}`, () => {
  const forms = [
    { title: 'FAT12', sizeBytes: 700 << 10, args: ['-F', '12', '-s', '1'], memoryBytes: 1 << 20, steps: 10 },
    { title: 'FAT16', sizeBytes: 3 << 20, args: ['-F', '16', '-s', '1'], memoryBytes: 128 << 10, steps: 8 },
  ];
  for (const { title, memoryBytes, steps, ...form } of forms) {
    test(`${title}, ${memoryBytes} bytes of memory`, { timeout: 300_000 }, async () => {
      const image = workshop.make(form);
      const total: Counts = { states: 0, mended: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const counts = await cutEverywhere(image, seed, steps, memoryBytes);
          total.states += counts.states;
          total.mended += counts.mended;
        }),
        { numRuns: USUAL ? 1 : 4, endOnFailure: true },
      );
      expect(total.states).toBeGreaterThan(30);
      expect(total.mended).toBeGreaterThan(2);
    });
  }
});
