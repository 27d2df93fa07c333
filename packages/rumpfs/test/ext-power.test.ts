/**
 * Cuts the power at every write of a run. A device then holds everything that was durable, and any
 * part of the later writes: all up to some moment, in the order in which they were written, or some
 * of them in any order. With e2fsck and without it, each file that was synced must be found as it
 * was, or as what replaced it; never in part, and never with contents of another file.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import { cutEverywhere, JOURNAL_CASES, PLAIN_CASES, type PowerCounts } from './crash/cut-ext.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

/**
 * e2fsck checks one state of several here, and every state with a seed of its own (`pnpm fuzz
 * ext2-power`).
 */
const USUAL = process.env['GINIT_PROPERTY_SEED'] === undefined;
const CHECKED_EVERY = USUAL ? 9 : 1;

describe.skipIf(missingTools)(`ext when the power fails ${missingTools ?? ''}`, () => {
  for (const one of [...PLAIN_CASES, ...JOURNAL_CASES]) {
    const { title, size, blockSize, args, memoryBytes, journal } = one;
    const long = JOURNAL_CASES.indexOf(one) > 0 || (!journal && blockSize === 4096);
    test(`${title}, ${blockSize} bytes a block, ${memoryBytes} bytes of memory`, {
      timeout: 300_000,
    }, async (context) => {
      skipIfLong(context, long);
      const image = workshop.make(size, ['-b', String(blockSize), '-N', '128', ...args]);
      const total: PowerCounts = { states: 0, checked: 0, mended: 0 };
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          const counts = await cutEverywhere(workshop, CHECKED_EVERY, image, one, seed);
          total.states += counts.states;
          total.checked += counts.checked;
          total.mended += counts.mended;
        }),
        { numRuns: USUAL && !long ? (journal ? 1 : 2) : 4, endOnFailure: true },
      );
      if (!leftOut(true))
        console.log(`${title}: ${total.states} states, ${total.checked} of them seen by e2fsck`);
      expect(total.states).toBeGreaterThan(journal ? 40 : 120);
      if (!journal) expect(total.mended).toBeGreaterThan(10);
    });
  }
});
