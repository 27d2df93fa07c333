/**
 * Random sequences of operations on FFS and on a model beside it; the checker has the last word.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { propertyRuns } from '../../../test/property-runs.ts';
import { journalled, type JournalledForm } from './ffs-journalled.ts';
import { type FfsForm, ffsForm, FfsWorkshop, missingMakefs } from './ffs-tools.ts';
import type { MemoryOptions } from './memory-hypercalls.ts';
import { Pair } from './model-pair.ts';
import { anyStep, located } from './model-steps.ts';
import { ourFindings } from './our-check.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

interface Case {
  readonly form: FfsForm;
  readonly options: MemoryOptions;
  readonly usual: boolean;
}

const small = (form: FfsForm, size: string): FfsForm => ({ ...form, size, options: 'density=8192' });
const LITTLE: MemoryOptions = { memoryBytes: 128 * 1024, shuffleSeed: 7 };
const full: FfsForm = { ...small(ffsForm(2, 'le', 4096), '600k'), title: 'a UFS2 that is soon full' };
const CASES: readonly Case[] = [
  { form: small(ffsForm(1, 'le', 4096), '3m'), options: LITTLE, usual: true },
  { form: small(ffsForm(1, 'be', 4096), '3m'), options: {}, usual: false },
  { form: ffsForm(2, 'be', 8192), options: {}, usual: true },
  { form: ffsForm(2, 'le', 8192), options: LITTLE, usual: false },
  { form: ffsForm(1, 'be', 8192), options: LITTLE, usual: false },
  { form: small(ffsForm(2, 'le', 16_384), '8m'), options: {}, usual: false },
  { form: small(ffsForm(1, 'le', 65_536), '24m'), options: {}, usual: false },
  { form: full, options: {}, usual: true },
  { form: full, options: LITTLE, usual: false },
];

/** The same with a log; its transactions go round in it. */
describe('FFS with a log against a model', () => {
  const forms: readonly JournalledForm[] = [
    { version: 2, order: 'little', journal: 'inside', blockBytes: 4096, journalBytes: 60 * 4096 },
    { version: 1, order: 'big', journal: 'end', blockBytes: 8192, journalBytes: 60 * 8192 },
  ];
  for (const form of forms) {
    test(`UFS${form.version}, ${form.order} endian, log ${form.journal}`, { timeout: 300_000 }, async () => {
      const image = await journalled(form, 3 << 20);
      const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 100, size: 'max' }), async (steps) => {
        const device = image.slice();
        const options = { memoryBytes: 1 << 20, shuffleSeed: 5 };
        const pair = await Pair.start(device, options, { type: 'ffs', solid: true, fragmentsPerBlock: 8 });
        for (const one of steps) await pair.step(located(one, pair.model));
        await pair.compareAll();
        expect(await ourFindings(await pair.end(), 'ffs')).toBe('');
      });
      await fc.assert(property, { numRuns: propertyRuns(2), endOnFailure: true });
    });
  }
});

describe.skipIf(missingMakefs)(`FFS against a model ${missingMakefs ?? ''}`, () => {
  for (const { form, options, usual } of CASES) {
    const memory = options.memoryBytes === undefined ? 'plenty of memory' : 'little memory, random order';
    test(`${form.title}, ${memory}`, { timeout: 300_000 }, async (context) => {
      skipIfLong(context, !usual);
      const image = workshop.make(form);
      expect(await ourFindings(image, 'ffs')).toBe('');
      const memoryBytes = Math.max(options.memoryBytes ?? 4 << 20, form.fragmentBytes * 96);
      const device = image.slice();
      const fragmentsPerBlock = form.blockBytes / form.fragmentBytes;
      const kind = { type: 'ffs', solid: true, fragmentsPerBlock };
      const property = fc.asyncProperty(fc.array(anyStep, { maxLength: 100, size: 'max' }), async (steps) => {
        device.set(image);
        const pair = await Pair.start(device, { ...options, memoryBytes }, kind);
        for (const one of steps) await pair.step(located(one, pair.model));
        await pair.compareAll();
        expect(await ourFindings(await pair.end(), 'ffs')).toBe('');
      });
      await fc.assert(property, { numRuns: propertyRuns(2), endOnFailure: true });
    });
  }
});
