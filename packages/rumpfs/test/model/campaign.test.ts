/**
 * Long random sequences of operations, with remounts in between, compared with the model after each
 * step and as a whole: `npm run fs-campaign -- model TYPE --count N`. The format's own tool and our
 * checker see what is left.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { campaignOf, Progress } from '../campaign.ts';
import { missingTools, Workshop } from '../e2fsprogs.ts';
import { EXFAT_FORMS, ExfatWorkshop, missingExfatTools } from '../exfat-tools.ts';
import { JOURNALLED_FORMS, journalled, plainFfs } from '../ffs-journalled.ts';
import { FatWorkshop, missingFatTools } from '../fat-tools.ts';
import type { MemoryOptions } from '../memory-hypercalls.ts';
import { Pair, type PairForm } from '../model-pair.ts';
import { anyStep, located } from '../model-steps.ts';
import { FAT_FORMS } from '../msdos-forms.ts';
import { ourFindings } from '../our-check.ts';
import { EXT2_MODEL_KINDS, EXT4_MODEL_KINDS, memoryFor } from './ext-kinds.ts';

const STEPS = 600;
const steps = fc.array(anyStep, { minLength: STEPS, maxLength: STEPS });
/** Nothing but what a FAT can do. */
const fatSteps = fc.array(
  anyStep.filter(({ op }) => op !== 'link' && op !== 'symlink'),
  { minLength: STEPS, maxLength: STEPS },
);

/** Half of the runs have little memory, and requests that end in random order. */
function optionsOf(seed: number): MemoryOptions {
  return seed % 2 === 0 ? {} : { memoryBytes: 64 * 1024, shuffleSeed: seed };
}

async function compared(
  image: Uint8Array,
  options: MemoryOptions,
  form: PairForm,
  some: ReturnType<typeof fc.sample<Parameters<typeof located>[0]>>,
): Promise<Uint8Array> {
  const pair = await Pair.start(image, options, form);
  for (const one of some) await pair.step(located(one, pair.model));
  await pair.compareAll();
  return pair.end();
}

describe('long sequences of operations', () => {
  for (const [type, kinds] of [
    ['ext2', EXT2_MODEL_KINDS],
    ['ext4', EXT4_MODEL_KINDS],
  ] as const) {
    const ext = campaignOf('model', type, 2);
    test.skipIf(missingTools !== undefined || ext === undefined)(
      `${type} behaves as the model ${missingTools ?? ''}`,
      { timeout: 0 },
      async () => {
        const workshop = new Workshop();
        const { count, seed: first } = ext ?? { count: 0, seed: 0 };
        const counts = { runs: 0, steps: 0 };
        const progress = new Progress(`model ${type}`, first, count, 5);
        for (let seed = first; seed < first + count; seed += 1) {
          const kind = kinds[(seed >> 1) % kinds.length];
          const [some] = fc.sample(steps, { seed, numRuns: 1 });
          if (kind === undefined || some === undefined) break;
          const { title, size, args } = kind;
          const options = optionsOf(seed);
          const memoryBytes = memoryFor(title, args, options.memoryBytes ?? 4 << 20);
          try {
            const image = workshop.make(size, args);
            const done = await compared(image, { ...options, memoryBytes }, { type }, some);
            expect(workshop.check(done)).toBe('');
            expect(await ourFindings(done, 'ext2')).toBe('');
          } catch (error) {
            throw new Error(`${title}, seed ${seed}`, { cause: error });
          }
          counts.runs += 1;
          counts.steps += some.length;
          progress.at(seed + 1, counts);
        }
        workshop.dispose();
        progress.end(counts);
      },
    );
  }

  const fat = campaignOf('model', 'msdos', 2);
  test.skipIf(missingFatTools !== undefined || fat === undefined)(
    `msdos behaves as the model ${missingFatTools ?? ''}`,
    { timeout: 0 },
    async () => {
      const workshop = new FatWorkshop();
      const { count, seed: first } = fat ?? { count: 0, seed: 0 };
      const counts = { runs: 0, steps: 0 };
      const progress = new Progress('model msdos', first, count, 5);
      for (let seed = first; seed < first + count; seed += 1) {
        const form = FAT_FORMS[(seed >> 1) % FAT_FORMS.length];
        const [some] = fc.sample(fatSteps, { seed, numRuns: 1 });
        if (form === undefined || some === undefined) break;
        const options = optionsOf(seed);
        const memoryBytes = Math.max(options.memoryBytes ?? 4 << 20, 256 << 10);
        const sectorSizeBytes = form.args.includes('4096') ? 4096 : 512;
        const pairForm = { type: 'msdos', solid: true, boundedDirectories: !form.args.includes('32') };
        try {
          const done = await compared(
            workshop.make(form),
            { ...options, memoryBytes, sectorSizeBytes },
            pairForm,
            some,
          );
          expect(workshop.check(done)).toBe('');
          expect(await ourFindings(done, 'msdos')).toBe('');
        } catch (error) {
          throw new Error(`${form.title}, seed ${seed}`, { cause: error });
        }
        counts.runs += 1;
        counts.steps += some.length;
        progress.at(seed + 1, counts);
      }
      workshop.dispose();
      progress.end(counts);
    },
  );

  const exfat = campaignOf('model', 'exfat', 2);
  test.skipIf(missingExfatTools !== undefined || exfat === undefined)(
    `exfat behaves as the model ${missingExfatTools ?? ''}`,
    { timeout: 0 },
    async () => {
      const workshop = new ExfatWorkshop();
      const { count, seed: first } = exfat ?? { count: 0, seed: 0 };
      const counts = { runs: 0, steps: 0 };
      const progress = new Progress('model exfat', first, count, 5);
      for (let seed = first; seed < first + count; seed += 1) {
        const form = EXFAT_FORMS[(seed >> 1) % EXFAT_FORMS.length];
        const [some] = fc.sample(fatSteps, { seed, numRuns: 1 });
        if (form === undefined || some === undefined) break;
        const options = optionsOf(seed);
        const memoryBytes = Math.max(options.memoryBytes ?? 4 << 20, 256 << 10);
        try {
          const image = workshop.make(form);
          const done = await compared(
            image,
            { ...options, memoryBytes },
            { type: 'exfat', solid: true },
            some,
          );
          expect(workshop.check(done)).toBe('');
          expect(await ourFindings(done, 'exfat')).toBe('');
        } catch (error) {
          throw new Error(`${form.title}, seed ${seed}`, { cause: error });
        }
        counts.runs += 1;
        counts.steps += some.length;
        progress.at(seed + 1, counts);
      }
      workshop.dispose();
      progress.end(counts);
    },
  );

  const ffs = campaignOf('model', 'ffs', 2);
  test.skipIf(ffs === undefined)('ffs behaves as the model', { timeout: 0 }, async () => {
    const { count, seed: first } = ffs ?? { count: 0, seed: 0 };
    const counts = { runs: 0, steps: 0, journalled: 0 };
    const progress = new Progress('model ffs', first, count, 5);
    for (let seed = first; seed < first + count; seed += 1) {
      const form = JOURNALLED_FORMS[(seed >> 2) % JOURNALLED_FORMS.length];
      const [some] = fc.sample(steps, { seed, numRuns: 1 });
      if (form === undefined || some === undefined) break;
      const journal = seed % 4 < 2;
      // One in five is soon full.
      const sizeBytes = seed % 5 === 0 ? 1 << 20 : 4 << 20;
      const sized = { ...form, journalBytes: (50 + (seed % 3) * 40) * form.blockBytes };
      const options = optionsOf(seed);
      const memoryBytes = journal ? 512 << 10 : (options.memoryBytes ?? 4 << 20);
      const kind = { type: 'ffs', solid: true, fragmentsPerBlock: 8 };
      try {
        const image = journal ? await journalled(sized, sizeBytes) : await plainFfs(form, sizeBytes);
        const done = await compared(image, { ...options, memoryBytes }, kind, some);
        const found = (await ourFindings(done, 'ffs')).split('\n');
        // Without any space a file that is cut in a hole ends with it.
        const expected = found.filter((line) => !(sizeBytes < 2 << 20 && line.endsWith('ends with a hole')));
        expect(expected.join('\n')).toBe('');
      } catch (error) {
        throw new Error(`UFS${form.version}, ${form.order} endian, seed ${seed}`, { cause: error });
      }
      counts.runs += 1;
      counts.steps += some.length;
      if (journal) counts.journalled += 1;
      progress.at(seed + 1, counts);
    }
    progress.end(counts);
  });
});
