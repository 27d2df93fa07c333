import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import { EXT_MODEL_KINDS, memoryFor } from './model/ext-kinds.ts';
import { Pair } from './model-pair.ts';
import { ourFindings } from './our-check.ts';
import { anyStep, located } from './model-steps.ts';

/** Request mixes for each image and way; `npm run fuzz` does more of them. */
const RUNS = process.env['GINIT_PROPERTY_SEED'] === undefined ? 7 : 30;

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`ext2 against a model ${missingTools ?? ''}`, () => {
  /** Those of ext3 and ext4 that are not left to long runs, with little memory. */
  const USUAL_JOURNALLED = ['ext4', 'ext4, clusters'];
  const ways: readonly { readonly title: string; readonly options: MemoryOptions }[] = [
    { title: 'plenty of memory', options: {} },
    { title: 'little memory, requests in random order', options: { memoryBytes: 64 * 1024, shuffleSeed: 7 } },
  ];
  for (const { title, size, args } of EXT_MODEL_KINDS) {
    let made: Uint8Array | undefined;
    for (const way of ways) {
      const plenty = way.options.memoryBytes === undefined;
      const plentyIsLong = /^(2 KiB|64 KiB|revision)/.test(title);
      const usual = USUAL_JOURNALLED.includes(title) && way.options.memoryBytes !== undefined;
      test(`${title}, ${way.title}`, { timeout: 120_000 }, async (context) => {
        skipIfLong(context, title.startsWith('ext') ? !usual : plentyIsLong && plenty);
        const memoryBytes = memoryFor(title, args, way.options.memoryBytes ?? 4 << 20);
        made ??= workshop.make(size, args);
        const image = made;
        const device = image.slice();
        const property = fc.asyncProperty(
          fc.array(anyStep, { maxLength: 100, size: 'max' }),
          async (steps) => {
            device.set(image);
            const pair = await Pair.start(device, { ...way.options, memoryBytes });
            for (const one of steps) await pair.step(located(one, pair.model));
            await pair.compareAll();
            const done = await pair.end();
            expect(workshop.check(done)).toBe('');
            expect(await ourFindings(done, 'ext2')).toBe('');
          },
        );
        await fc.assert(property, { numRuns: RUNS, endOnFailure: false });
      });
    }
  }
});
