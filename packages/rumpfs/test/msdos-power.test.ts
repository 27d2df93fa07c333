/** Cuts the power at every write of a run, as `ext-power.test.ts` does. */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { cutFatEverywhere, FAT_POWER_FORMS, type FatCounts } from './crash/cut-fat.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
/** fsck.fat mends one state of several here, and every state with a seed of its own. */
const MENDED_EVERY = USUAL ? 9 : 1;

describe.skipIf(missingFatTools)(`msdos when the power fails ${missingFatTools ?? ''}`, () => {
  for (const { title, memoryBytes, steps, ...form } of FAT_POWER_FORMS) {
    test(`${title}, ${memoryBytes} bytes of memory`, { timeout: 300_000 }, async () => {
      const image = workshop.make(form);
      const total: FatCounts = { states: 0, mended: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const counts = await cutFatEverywhere(workshop, MENDED_EVERY, image, seed, steps, memoryBytes);
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
