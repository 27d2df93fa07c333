import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import type { Model } from './model.ts';
import { Pair, type Step } from './model-pair.ts';

/** Request mixes for each image and way; `npm run fuzz` does more of them. */
const RUNS = process.env['GINIT_PROPERTY_SEED'] === undefined ? 7 : 30;

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const name = fc.constantFrom('a', 'b', 'c', 'd', 'a-rather-long-name-so-that-directories-fill-up', 'ümläut');
/**
 * A path: a random one; or one that exists at that time, or one beside such a one, so that most
 * steps find the files that they need.
 */
type Where = string | { readonly pick: number; readonly name?: string };
const random: fc.Arbitrary<Where> = fc
  .array(name, { minLength: 1, maxLength: 3 })
  .map((names) => `/${names.join('/')}`);
const existing: fc.Arbitrary<Where> = fc.record({ pick: fc.nat(1000) });
const beside: fc.Arbitrary<Where> = fc.record({ pick: fc.nat(1000), name });
const place = fc.oneof({ weight: 1, arbitrary: random }, { weight: 5, arbitrary: beside });
const path = fc.oneof({ weight: 1, arbitrary: random }, { weight: 5, arbitrary: existing });
const target = fc.oneof(
  fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/')),
  fc.constantFrom('a', '../b', '..', 'x'.repeat(59), 'y'.repeat(60), 'z/'.repeat(200), '/a/b'),
);
const offset = fc.oneof(
  fc.nat(5000),
  fc.nat(400_000),
  fc.constantFrom(0, 1024, 12 * 1024, 268 * 1024, 70_000_000),
);
const length = fc.oneof(fc.nat(3000), fc.nat(100_000), fc.constantFrom(1024, 4096, 65_536, 900_000));

const anyStep: fc.Arbitrary<Step<Where>> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ op: fc.constantFrom('create', 'mkdir'), path: place }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constantFrom('unlink', 'rmdir', 'open', 'read'), path }) },
  {
    weight: 3,
    arbitrary: fc.record({ op: fc.constantFrom('rename', 'link'), path, other: fc.oneof(place, path) }),
  },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('symlink'), path: place, other: target }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('write'), path, offset, length }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('append'), path, length }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('truncate'), path, size: offset }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('writeOpen'), offset, length }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constantFrom('close', 'sync', 'remount') }) },
);

/** The step with the paths that it has at this time. */
function located(step: Step<Where>, model: Model): Step {
  const locate = (where: Where): string => {
    if (typeof where === 'string') return where;
    const { pick, name: inner } = where;
    const paths = model.paths((node) => inner === undefined || node.type === 'directory');
    const found = paths[pick % paths.length] ?? '';
    return inner === undefined ? `/${found}` : `${found}/${inner}`;
  };
  switch (step.op) {
    case 'rename':
    case 'link':
      return { ...step, path: locate(step.path), other: locate(step.other) };
    case 'symlink':
      return { ...step, path: locate(step.path) };
    case 'write':
      return { ...step, path: locate(step.path) };
    case 'append':
      return { ...step, path: locate(step.path) };
    case 'truncate':
      return { ...step, path: locate(step.path) };
    case 'writeOpen':
    case 'close':
    case 'sync':
    case 'remount':
      return step;
    default:
      return { ...step, path: locate(step.path) };
  }
}

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
    { title: 'ext4, no checksums', size: '4M', args: ['-b', '2048', '-t', 'ext4', '-O', '^metadata_csum'] },
  ];
  /** Those of ext3 and ext4 that are not left to long runs, with little memory. */
  const USUAL_JOURNALLED = ['ext3', 'ext4'];
  const ways: readonly { readonly title: string; readonly options: MemoryOptions }[] = [
    { title: 'plenty of memory', options: {} },
    { title: 'little memory, requests in random order', options: { memoryBytes: 64 * 1024, shuffleSeed: 7 } },
  ];
  for (const { title, size, args } of images) {
    let made: Uint8Array | undefined;
    for (const way of ways) {
      const usual = USUAL_JOURNALLED.includes(title) && way.options.memoryBytes !== undefined;
      test(`${title}, ${way.title}`, { timeout: 120_000 }, async (context) => {
        skipIfLong(context, title.startsWith('ext') && !usual);
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
            expect(workshop.check(await pair.end())).toBe('');
          },
        );
        await fc.assert(property, { numRuns: RUNS, endOnFailure: false });
      });
    }
  }
});
