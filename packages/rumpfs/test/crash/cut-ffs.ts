/**
 * The power fails at every write of a run on FFS: each file that was synced must be found as it was,
 * or as what replaced it. With a log, what is left is clean once the log is replayed; without one,
 * nothing is found but what a power failure may leave, and our repair mends that.
 */
import { expect } from 'vitest';
import { checkFileSystem, mountFileSystem, repairFileSystem } from '../../src/file-systems.ts';
import { MemoryHypercalls, randomFrom } from '../memory-hypercalls.ts';
import { findingsAfterReplay, ourFindings } from '../our-check.ts';
import { CrashStates, RecordedDisk } from './recorded-disk.ts';
import { wrongNames } from './survivors.ts';
import { type Moment, Workload } from './workload.ts';

/** How an FFS is used. */
export interface FfsPowerCase {
  /** The unit that a device writes whole. */
  readonly sectorBytes: number;
  readonly memoryBytes: number;
  readonly steps: number;
  /** Whether it has a log. */
  readonly journal: boolean;
}

export interface FfsPowerCounts {
  states: number;
  mended: number;
  /** States with a log to replay, and those of them with files that wait to be freed. */
  replayed: number;
  unnamed: number;
}

/** Cuts the power at each write of a run. Our repair, or a mount, sees one state of so many. */
export async function cutFfsEverywhere(
  mendedEvery: number,
  image: Uint8Array,
  { sectorBytes, memoryBytes, steps, journal }: FfsPowerCase,
  seed: number,
): Promise<FfsPowerCounts> {
  const disk = new RecordedDisk(image, memoryBytes, seed);
  const moments = await Workload.run(disk, seed, steps, 'ffs');
  const states = new CrashStates(disk, sectorBytes);
  const random = randomFrom(seed + 1);
  const counts: FfsPowerCounts = { states: 0, mended: 0, replayed: 0, unnamed: 0 };
  const [crashed, looked] = [image.slice(), image.slice()];
  const judge = async (what: string, end: number): Promise<void> => {
    const moment = moments.findLast(({ from }) => from <= end);
    if (moment === undefined) return;
    const where = `seed ${seed}, before event ${end} of ${disk.events.length}, ${what}`;
    counts.states += 1;
    looked.set(crashed);
    expect(await wrongNames(looked, moment, 'ffs'), `${where}, without a repair`).toBe('');
    const chosen = counts.states % mendedEvery === 0;
    if (journal) {
      expect(await findingsAfterReplay(looked, 'ffs'), where).toBe('');
      const all = await ourFindings(looked, 'ffs');
      if (all.includes('have to be replayed')) counts.replayed += 1;
      if (all.includes('wait to be freed')) counts.unnamed += 1;
      if (chosen) await expectReplayed(looked, moment, memoryBytes, where);
      return;
    }
    const { findings } = await checkFileSystem(new MemoryHypercalls(looked).bio, 'ffs');
    const damage = findings.filter(({ kind }) => kind === 'damage').map(({ text }) => text);
    expect(damage, where).toEqual([]);
    if (!chosen) return;
    const { before, after } = await repairFileSystem(new MemoryHypercalls(looked).bio, 'ffs');
    if (before.findings.length > 0) counts.mended += 1;
    expect(after.findings, `${where}, after the repair`).toEqual([]);
    expect(await wrongNames(looked, moment, 'ffs'), `${where}, after the repair`).toBe('');
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

/** A mount replays the log and frees what has no name; so does a repair, which mends nothing else. */
async function expectReplayed(
  crashed: Uint8Array,
  moment: Moment,
  memoryBytes: number,
  where: string,
): Promise<void> {
  const repaired = crashed.slice();
  const mount = await mountFileSystem(new MemoryHypercalls(crashed, { memoryBytes }), 'ffs', {
    writeable: true,
  });
  expect(mount.writeable, where).toBe(true);
  await mount.release(await mount.createFile(mount.root, 'after'));
  await mount.unmount();
  expect(await ourFindings(crashed, 'ffs'), `${where}, after a mount`).toBe('');
  expect(await wrongNames(crashed, moment, 'ffs'), `${where}, after a mount`).toBe('');
  const { after } = await repairFileSystem(new MemoryHypercalls(repaired).bio, 'ffs');
  expect(after.findings, `${where}, after a repair`).toEqual([]);
  expect(await wrongNames(repaired, moment, 'ffs'), `${where}, after a repair`).toBe('');
}
