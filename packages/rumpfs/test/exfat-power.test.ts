/** Cuts the power at every write of a run, as `ext-power.test.ts` does. */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { cutExfatEverywhere, EXFAT_POWER_FORMS, type ExfatCounts } from './crash/cut-exfat.ts';
import { ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
/** fsck.exfat mends one state of several here, and every state with a seed of its own. */
const MENDED_EVERY = USUAL ? 9 : 1;

describe.skipIf(missingExfatTools)(`exfat when the power fails ${missingExfatTools ?? ''}`, () => {
  for (const { title, memoryBytes, steps, ...form } of EXFAT_POWER_FORMS) {
    test(title, { timeout: 300_000 }, async () => {
      const image = workshop.make(form);
      const total: ExfatCounts = { states: 0, mended: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const counts = await cutExfatEverywhere(workshop, MENDED_EVERY, image, seed, steps, memoryBytes);
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
