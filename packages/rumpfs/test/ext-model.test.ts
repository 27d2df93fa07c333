import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import { Pair } from './model-pair.ts';
import { ourFindings } from './our-check.ts';
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
    { title: 'ext3', size: '4M', args: ['-b', '1024', '-t', 'ext3', '-g', '1024', '-N', '96'] },
    { title: 'ext4', size: '4M', args: ['-b', '1024', '-t', 'ext4', '-g', '1024', '-N', '96'] },
    { title: 'ext4, 4 KiB blocks', size: '12M', args: ['-b', '4096', '-t', 'ext4', '-N', '64'] },
    { title: 'ext4, no journal', size: '3M', args: ['-b', '1024', '-t', 'ext4', '-O', '^has_journal'] },
    {
      title: 'ext4, clusters',
      size: '6M',
      args: ['-b', '1024', '-t', 'ext4', '-O', 'bigalloc', '-C', '4096', '-N', '96'],
    },
    {
      title: 'ext4, clusters, soon full',
      size: '3M',
      args: ['-b', '1024', '-t', 'ext4', '-O', 'bigalloc,^has_journal', '-C', '16384', '-N', '32'],
    },
    { title: 'ext4, no checksums', size: '4M', args: ['-b', '2048', '-t', 'ext4', '-O', '^metadata_csum'] },
  ];
  /** Those of ext3 and ext4 that are not left to long runs, with little memory. */
  const USUAL_JOURNALLED = ['ext4', 'ext4, clusters'];
  const ways: readonly { readonly title: string; readonly options: MemoryOptions }[] = [
    { title: 'plenty of memory', options: {} },
    { title: 'little memory, requests in random order', options: { memoryBytes: 64 * 1024, shuffleSeed: 7 } },
  ];
  for (const { title, size, args } of images) {
    let made: Uint8Array | undefined;
    for (const way of ways) {
      const plenty = way.options.memoryBytes === undefined;
      const plentyIsLong = /^(2 KiB|64 KiB|revision)/.test(title);
      const usual = USUAL_JOURNALLED.includes(title) && way.options.memoryBytes !== undefined;
      test(`${title}, ${way.title}`, { timeout: 120_000 }, async (context) => {
        skipIfLong(context, title.startsWith('ext') ? !usual : plentyIsLong && plenty);
        const blockSize = Number(args[1]);
        const buffersMin = title.startsWith('ext') ? 260 : 56;
        const memoryBytes = Math.max(way.options.memoryBytes ?? 4 << 20, blockSize * buffersMin);
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
