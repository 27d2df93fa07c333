/**
 * The power fails at every write of a run on an exFAT. It has no journal: what a cut leaves is
 * mended by fsck.exfat, which may lose nothing that was synced. Between the two writes of a move
 * from one sector to another, two names lead to the same clusters.
 */
import { expect } from 'vitest';
import type { ExfatForm, ExfatWorkshop } from '../exfat-tools.ts';
import { repairFileSystem } from '../../src/file-systems.ts';
import { MemoryHypercalls, randomFrom } from '../memory-hypercalls.ts';
import { ourFindings } from '../our-check.ts';
import { CrashStates, RecordedDisk } from './recorded-disk.ts';
import { wrongNames } from './survivors.ts';
import { type Moment, Workload } from './workload.ts';

export interface ExfatCounts {
  states: number;
  mended: number;
}

/**
 * Cuts the power at each write of a run.
 *
 * @param mendedEvery fsck.exfat mends one state of so many
 */
export async function cutExfatEverywhere(
  workshop: ExfatWorkshop,
  mendedEvery: number,
  image: Uint8Array,
  seed: number,
  steps: number,
  memoryBytes: number,
): Promise<ExfatCounts> {
  const disk = new RecordedDisk(image, memoryBytes, seed);
  const moments = await Workload.run(disk, seed, steps, 'exfat');
  const states = new CrashStates(disk, 512);
  const random = randomFrom(seed + 1);
  const counts: ExfatCounts = { states: 0, mended: 0 };
  const [crashed, looked] = [image.slice(), image.slice()];
  const judge = async (what: string, end: number): Promise<void> => {
    const moment: Moment | undefined = moments.findLast(({ from }) => from <= end);
    if (moment === undefined) return;
    const where = `seed ${seed}, before event ${end} of ${disk.events.length}, ${what}`;
    counts.states += 1;
    looked.set(crashed);
    expect(await wrongNames(looked, moment, 'exfat'), `${where}, without fsck.exfat`).toBe('');
    if (counts.states % mendedEvery !== 0) return;
    const { image: mended, output } = workshop.mend(crashed);
    if (Buffer.compare(mended, crashed) !== 0) counts.mended += 1;
    expect(workshop.check(mended), `${where}, after fsck.exfat: ${output}`).toBe('');
    expect(await foundButLost(mended), `${where}, after fsck.exfat: ${output}`).toEqual([]);
    expect(await wrongNames(mended, moment, 'exfat', true), `${where}, after fsck.exfat: ${output}`).toBe('');
    const repaired = crashed.slice();
    await repairFileSystem(new MemoryHypercalls(repaired).bio, 'exfat');
    expect(workshop.check(repaired), `${where}, after our repair`).toBe('');
    expect(await ourFindings(repaired, 'exfat'), `${where}, after our repair`).toBe('');
    expect(await wrongNames(repaired, moment, 'exfat', true), `${where}, after our repair`).toBe('');
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

/** Our findings without clusters that belong to nothing, which fsck.exfat does not free. */
async function foundButLost(image: Uint8Array): Promise<string[]> {
  const lines = (await ourFindings(image, 'exfat')).split('\n');
  return lines.filter((line) => line !== '' && !/^harmless: bitmap: .* belong to nothing$/.test(line));
}

/** The exFATs on which the power fails. */
export const EXFAT_POWER_FORMS: readonly (ExfatForm & {
  readonly memoryBytes: number;
  readonly steps: number;
})[] = [
  {
    title: 'clusters of 512 bytes',
    sizeBytes: 1_100 << 10,
    args: ['-c', '512', '-b', '16K'],
    memoryBytes: 1 << 20,
    steps: 10,
  },
  {
    title: 'clusters of 4 KiB, little memory',
    sizeBytes: 2 << 20,
    args: ['-c', '4K', '-b', '16K'],
    memoryBytes: 256 << 10,
    steps: 8,
  },
];
