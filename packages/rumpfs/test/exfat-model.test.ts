import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import { EXFAT_FORMS, ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import { Pair } from './model-pair.ts';
import { anyStep, located } from './model-steps.ts';
import { ourFindings } from './our-check.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingExfatTools)(`exfat against a model ${missingExfatTools ?? ''}`, () => {
  const ways: readonly { readonly title: string; readonly options: MemoryOptions; readonly long: boolean }[] =
    [
      { title: 'plenty of memory', options: {}, long: false },
      {
        title: 'little memory, requests in random order',
        options: { memoryBytes: 64 * 1024, shuffleSeed: 7 },
        long: true,
      },
    ];
  /** Nothing but what an exFAT can do. */
  const steps = fc.array(
    anyStep.filter(({ op }) => op !== 'link' && op !== 'symlink'),
    { maxLength: 100, size: 'max' },
  );
  const forms = [
    ...EXFAT_FORMS,
    { title: 'soon full', sizeBytes: 1_200 << 10, args: ['-c', '512', '-b', '16K'], long: false },
  ];
  for (const form of forms) {
    for (const way of ways) {
      test(`${form.title}, ${way.title}`, { timeout: 120_000 }, async (context) => {
        skipIfLong(context, form.long === true || (way.long && !form.title.includes('512')));
        const image = workshop.make(form);
        const memoryBytes = Math.max(way.options.memoryBytes ?? 4 << 20, 256 << 10);
        const device = image.slice();
        const property = fc.asyncProperty(steps, async (some) => {
          device.set(image);
          const pair = await Pair.start(
            device,
            { ...way.options, memoryBytes },
            { type: 'exfat', solid: true },
          );
          for (const one of some) await pair.step(located(one, pair.model));
          await pair.compareAll();
          const done = await pair.end();
          expect(workshop.check(done)).toBe('');
          expect(await ourFindings(done, 'exfat')).toBe('');
        });
        await fc.assert(property, { numRuns: propertyRuns(1), endOnFailure: true });
      });
    }
  }
});
