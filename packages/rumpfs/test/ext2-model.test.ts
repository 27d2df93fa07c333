import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { missingTools, Workshop } from './e2fsprogs.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import { Pair } from './model-pair.ts';
import { anyStep, located } from './model-steps.ts';

/** Request mixes for each image and way; `npm run fuzz` does more of them. */
const RUNS = process.env['GINIT_PROPERTY_SEED'] === undefined ? 7 : 30;

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`ext2 against a model ${missingTools ?? ''}`, () => {
  const images = [
    { title: '1 KiB blocks, several groups', size: '3M', args: ['-b', '1024', '-g', '1024', '-N', '96'] },
    { title: '2 KiB blocks, small inodes', size: '6M', args: ['-b', '2048', '-I', '128', '-N', '64'] },
    { title: '4 KiB blocks', size: '8M', args: ['-b', '4096', '-N', '64'] },
    { title: 'a device soon full', size: '700K', args: ['-b', '1024', '-N', '24'] },
    { title: 'revision 0', size: '2M', args: ['-b', '1024', '-r', '0', '-O', 'none', '-I', '128'] },
    { title: '64 KiB blocks', size: '12M', args: ['-b', '65536', '-N', '256'] },
  ];
  const ways: readonly { readonly title: string; readonly options: MemoryOptions }[] = [
    { title: 'plenty of memory', options: {} },
    { title: 'little memory, requests in random order', options: { memoryBytes: 64 * 1024, shuffleSeed: 7 } },
  ];
  for (const { title, size, args } of images) {
    const image = missingTools === undefined ? workshop.make(size, args) : new Uint8Array(0);
    for (const way of ways) {
      test(`${title}, ${way.title}`, { timeout: 120_000 }, async () => {
        const blockSize = Number(args[1]);
        const memoryBytes = Math.max(way.options.memoryBytes ?? 4 << 20, blockSize * 56);
        const device = image.slice();
        const property = fc.asyncProperty(
          fc.array(anyStep, { maxLength: 100, size: 'max' }),
          async (steps) => {
            device.set(image);
            const pair = await Pair.start(device, { ...way.options, memoryBytes });
            for (const one of steps) await pair.step(located(one, pair.model));
            await pair.compareAll();
            expect(workshop.check(await pair.end())).toBe('');
          },
        );
        await fc.assert(property, { numRuns: RUNS, endOnFailure: false });
      });
    }
  }
});
