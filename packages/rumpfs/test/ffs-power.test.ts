/**
 * Cuts the power at every write of a run on FFS. Each file that was synced must be found as it was,
 * or as what replaced it, without and with our repair (no other program here can check an FFS);
 * what the repair leaves is clean. Before it, nothing is found but what a power failure may leave.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { checkFileSystem, repairFileSystem } from '../src/file-systems.ts';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';
import { wrongNames } from './crash/survivors.ts';
import { Workload } from './crash/workload.ts';
import { type FfsForm, ffsForm, FfsWorkshop, missingMakefs } from './ffs-tools.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
const MENDED_EVERY = USUAL ? 9 : 1;

interface Case {
  readonly form: FfsForm;
  readonly memoryBytes: number;
  readonly steps: number;
  readonly long: boolean;
}

interface Counts {
  states: number;
  mended: number;
}

/** Cuts the power at each write of a run. */
async function cutEverywhere(
  image: Uint8Array,
  { form, memoryBytes, steps }: Case,
  seed: number,
): Promise<Counts> {
  const disk = new RecordedDisk(image, memoryBytes, seed);
  const moments = await Workload.run(disk, seed, steps, 'ffs');
  const states = new CrashStates(disk, form.fragmentBytes);
  const random = randomFrom(seed + 1);
  const counts: Counts = { states: 0, mended: 0 };
  const [crashed, looked] = [image.slice(), image.slice()];
  const judge = async (what: string, end: number): Promise<void> => {
    const moment = moments.findLast(({ from }) => from <= end);
    if (moment === undefined) return;
    const where = `seed ${seed}, before event ${end} of ${disk.events.length}, ${what}`;
    counts.states += 1;
    looked.set(crashed);
    expect(await wrongNames(looked, moment, 'ffs'), `${where}, without a repair`).toBe('');
    const { findings } = await checkFileSystem(new MemoryHypercalls(looked).bio, 'ffs');
    const damage = findings.filter(({ kind }) => kind === 'damage').map(({ text }) => text);
    expect(damage, where).toEqual([]);
    if (counts.states % MENDED_EVERY !== 0) return;
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

const sized = (version: 1 | 2, order: 'le' | 'be', blockBytes: number, size: string): FfsForm => ({
  ...ffsForm(version, order, blockBytes),
  size,
  options: 'density=16384',
});

describe.skipIf(missingMakefs)(`FFS when the power fails ${missingMakefs ?? ''}`, () => {
  const cases: readonly Case[] = [
    { form: sized(2, 'le', 4096, '1500k'), memoryBytes: 1 << 20, steps: 8, long: false },
    { form: sized(1, 'be', 4096, '1500k'), memoryBytes: 128 * 1024, steps: 6, long: false },
    { form: sized(2, 'be', 8192, '3m'), memoryBytes: 1 << 20, steps: 12, long: true },
    { form: sized(1, 'le', 8192, '3m'), memoryBytes: 192 * 1024, steps: 8, long: true },
  ];
  for (const one of cases) {
    test(`${one.form.title}, ${one.memoryBytes} bytes of memory`, { timeout: 300_000 }, async (context) => {
      skipIfLong(context, one.long);
      const image = workshop.make(one.form);
      const total: Counts = { states: 0, mended: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const counts = await cutEverywhere(image, one, seed);
          total.states += counts.states;
          total.mended += counts.mended;
        }),
        { numRuns: USUAL && !one.long ? 2 : 6, endOnFailure: true },
      );
      expect(total.states).toBeGreaterThan(40);
      expect(total.mended).toBeGreaterThan(1);
    });
  }
});
