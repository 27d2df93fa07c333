import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import { Pair } from './model-pair.ts';
import { anyStep, located } from './model-steps.ts';
import { ourFindings } from './our-check.ts';
import { FAT_FORMS } from './msdos-forms.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingFatTools)(`msdos against a model ${missingFatTools ?? ''}`, () => {
  const ways: readonly { readonly title: string; readonly options: MemoryOptions; readonly long: boolean }[] =
    [
      { title: 'plenty of memory', options: {}, long: false },
      {
        title: 'little memory, requests in random order',
        options: { memoryBytes: 64 * 1024, shuffleSeed: 7 },
        long: true,
      },
    ];
  /** Nothing but what a FAT can do. */
  const steps = fc.array(
    anyStep.filter(({ op }) => op !== 'link' && op !== 'symlink'),
    { maxLength: 100, size: 'max' },
  );
  const forms = [
    ...FAT_FORMS,
    { title: 'a FAT12 that is soon full', sizeBytes: 700 << 10, args: ['-F', '12', '-s', '1', '-r', '112'] },
  ];
  for (const form of forms) {
    for (const way of ways) {
      test(`${form.title}, ${way.title}`, { timeout: 120_000 }, async (context) => {
        skipIfLong(
          context,
          ('long' in form && form.long === true) || (way.long && !form.title.startsWith('FAT12')),
        );
        const image = workshop.make(form);
        const memoryBytes = Math.max(way.options.memoryBytes ?? 4 << 20, 256 << 10);
        const sectorSizeBytes = form.args.includes('4096') ? 4096 : 512;
        const device = image.slice();
        const property = fc.asyncProperty(steps, async (some) => {
          device.set(image);
          const pair = await Pair.start(
            device,
            { ...way.options, memoryBytes, sectorSizeBytes },
            { type: 'msdos', solid: true, boundedDirectories: !form.args.includes('32') },
          );
          for (const one of some) await pair.step(located(one, pair.model));
          await pair.compareAll();
          const done = await pair.end();
          expect(workshop.check(done)).toBe('');
          expect(await ourFindings(done, 'msdos')).toBe('');
        });
        await fc.assert(property, { numRuns: propertyRuns(1), endOnFailure: true });
      });
    }
  }
});
