/**
 * Cuts the power at every write of a run on FFS, with a log and without. No other program here can
 * check an FFS.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { cutFfsEverywhere, type FfsPowerCase, type FfsPowerCounts } from './crash/cut-ffs.ts';
import { journalled } from './ffs-journalled.ts';
import { type FfsForm, ffsForm, FfsWorkshop, missingMakefs } from './ffs-tools.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
const MENDED_EVERY = USUAL ? 9 : 1;

async function cut(
  make: () => Promise<Uint8Array> | Uint8Array,
  one: FfsPowerCase,
  long: boolean,
): Promise<FfsPowerCounts> {
  const image = await make();
  const total: FfsPowerCounts = { states: 0, mended: 0, replayed: 0, unnamed: 0 };
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const counts = await cutFfsEverywhere(MENDED_EVERY, image, one, seed);
      total.states += counts.states;
      total.mended += counts.mended;
      total.replayed += counts.replayed;
      total.unnamed += counts.unnamed;
    }),
    { numRuns: USUAL && !long ? 2 : 6, endOnFailure: true },
  );
  return total;
}

const sized = (version: 1 | 2, order: 'le' | 'be', blockBytes: number, size: string): FfsForm => ({
  ...ffsForm(version, order, blockBytes),
  size,
  options: 'density=16384',
});

describe.skipIf(missingMakefs)(`FFS when the power fails ${missingMakefs ?? ''}`, () => {
  const cases = [
    { form: sized(2, 'le', 4096, '1500k'), memoryBytes: 1 << 20, steps: 8, long: false },
    { form: sized(1, 'be', 4096, '1500k'), memoryBytes: 128 * 1024, steps: 6, long: false },
    { form: sized(2, 'be', 8192, '3m'), memoryBytes: 1 << 20, steps: 12, long: true },
    { form: sized(1, 'le', 8192, '3m'), memoryBytes: 192 * 1024, steps: 8, long: true },
  ];
  for (const { form, memoryBytes, steps, long } of cases) {
    test(`${form.title}, ${memoryBytes} bytes of memory`, { timeout: 300_000 }, async (context) => {
      skipIfLong(context, long);
      const one = { sectorBytes: form.fragmentBytes, memoryBytes, steps, journal: false };
      const total = await cut(() => workshop.make(form), one, long);
      expect(total.states).toBeGreaterThan(40);
      expect(total.mended).toBeGreaterThan(1);
    });
  }
});

describe('FFS with a log when the power fails', () => {
  const cases = [
    { version: 2, order: 'little', journal: 'end', blockBytes: 4096, long: false },
    { version: 1, order: 'big', journal: 'inside', blockBytes: 4096, long: false },
    { version: 2, order: 'big', journal: 'inside', blockBytes: 8192, long: true },
    { version: 1, order: 'little', journal: 'end', blockBytes: 8192, long: true },
  ] as const;
  for (const { long, ...form } of cases) {
    const title = `UFS${form.version}, ${form.order} endian, blocks of ${form.blockBytes}, log ${form.journal}`;
    test(title, { timeout: 300_000 }, async (context) => {
      skipIfLong(context, long);
      const one = { sectorBytes: 512, memoryBytes: 2 << 20, steps: long ? 20 : 12, journal: true };
      const total = await cut(() => journalled(form, 2 << 20), one, long);
      expect(total.states).toBeGreaterThan(40);
      expect(total.replayed).toBeGreaterThan(20);
    });
  }
});
