/**
 * The power fails at every write of a run on a FAT. It has no journal: what a cut leaves is mended
 * by fsck.fat, which may lose nothing that was synced. Between the two writes of a move from one
 * sector to another, two names lead to the same clusters; fsck.fat then empties one of the two.
 */
import { expect } from 'vitest';
import type { FatWorkshop } from '../fat-tools.ts';
import { randomFrom } from '../memory-hypercalls.ts';
import { ourFindings } from '../our-check.ts';
import { CrashStates, RecordedDisk } from './recorded-disk.ts';
import { wrongNames } from './survivors.ts';
import { type Moment, Workload } from './workload.ts';

export interface FatCounts {
  states: number;
  mended: number;
}

/**
 * Cuts the power at each write of a run.
 *
 * @param mendedEvery fsck.fat mends one state of so many
 */
export async function cutFatEverywhere(
  workshop: FatWorkshop,
  mendedEvery: number,
  image: Uint8Array,
  seed: number,
  steps: number,
  memoryBytes: number,
): Promise<FatCounts> {
  const disk = new RecordedDisk(image, memoryBytes, seed);
  const moments = await Workload.run(disk, seed, steps, 'msdos');
  const states = new CrashStates(disk, 512);
  const random = randomFrom(seed + 1);
  const counts: FatCounts = { states: 0, mended: 0 };
  const [crashed, looked] = [image.slice(), image.slice()];
  const judge = async (what: string, end: number): Promise<void> => {
    const moment: Moment | undefined = moments.findLast(({ from }) => from <= end);
    if (moment === undefined) return;
    const where = `seed ${seed}, before event ${end} of ${disk.events.length}, ${what}`;
    counts.states += 1;
    looked.set(crashed);
    expect(await wrongNames(looked, moment, 'msdos'), `${where}, without fsck.fat`).toBe('');
    if (counts.states % mendedEvery !== 0) return;
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

/** The FATs on which the power fails. */
export const FAT_POWER_FORMS = [
  { title: 'FAT12', sizeBytes: 700 << 10, args: ['-F', '12', '-s', '1'], memoryBytes: 1 << 20, steps: 10 },
  { title: 'FAT16', sizeBytes: 3 << 20, args: ['-F', '16', '-s', '1'], memoryBytes: 128 << 10, steps: 8 },
];
