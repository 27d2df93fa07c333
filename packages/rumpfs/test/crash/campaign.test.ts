/**
 * Power failures by seed, as many runs as are asked for: `npm run fs-campaign -- crash TYPE --count
 * N`. Our checker sees every state, and the format's own tool one of several.
 */
import { describe, expect, test } from 'vitest';
import { campaignOf, Progress } from '../campaign.ts';
import { missingTools, Workshop } from '../e2fsprogs.ts';
import { JOURNALLED_FORMS, journalled, plainFfs } from '../ffs-journalled.ts';
import { FatWorkshop, missingFatTools } from '../fat-tools.ts';
import { cutEverywhere, JOURNAL_CASES, PLAIN_CASES } from './cut-ext.ts';
import { ExfatWorkshop, missingExfatTools } from '../exfat-tools.ts';
import { cutExfatEverywhere, EXFAT_POWER_FORMS } from './cut-exfat.ts';
import { cutFatEverywhere, FAT_POWER_FORMS } from './cut-fat.ts';
import { cutFfsEverywhere } from './cut-ffs.ts';

/** The tools of the format look at one state of so many. */
const CHECKED_EVERY = 40;

describe('power failures', () => {
  for (const [type, cases] of [
    ['ext2', PLAIN_CASES],
    ['ext4', JOURNAL_CASES],
  ] as const) {
    const ext = campaignOf('crash', type, 2);
    test.skipIf(missingTools !== undefined || ext === undefined)(
      `${type}: what was synced is there ${missingTools ?? ''}`,
      { timeout: 0 },
      async () => {
        const workshop = new Workshop();
        const { count, seed: first } = ext ?? { count: 0, seed: 0 };
        const counts = { runs: 0, states: 0, checked: 0, mended: 0 };
        const progress = new Progress(`crash ${type}`, first, count, 1);
        for (let seed = first; seed < first + count; seed += 1) {
          const one = cases[seed % cases.length];
          if (one === undefined) break;
          const image = workshop.make(one.size, ['-b', String(one.blockSize), '-N', '128', ...one.args]);
          const found = await cutEverywhere(workshop, CHECKED_EVERY, image, one, seed);
          counts.runs += 1;
          counts.states += found.states;
          counts.checked += found.checked;
          counts.mended += found.mended;
          progress.at(seed + 1, counts);
        }
        workshop.dispose();
        progress.end(counts);
        expect(counts.states).toBeGreaterThan(count * 20);
      },
    );
  }

  const fat = campaignOf('crash', 'msdos', 2);
  test.skipIf(missingFatTools !== undefined || fat === undefined)(
    `msdos: what was synced is there ${missingFatTools ?? ''}`,
    { timeout: 0 },
    async () => {
      const workshop = new FatWorkshop();
      const { count, seed: first } = fat ?? { count: 0, seed: 0 };
      const counts = { runs: 0, states: 0, mended: 0 };
      const progress = new Progress('crash msdos', first, count, 1);
      for (let seed = first; seed < first + count; seed += 1) {
        const form = FAT_POWER_FORMS[seed % FAT_POWER_FORMS.length];
        if (form === undefined) break;
        const { memoryBytes, steps } = form;
        const found = await cutFatEverywhere(
          workshop,
          CHECKED_EVERY,
          workshop.make(form),
          seed,
          steps,
          memoryBytes,
        );
        counts.runs += 1;
        counts.states += found.states;
        counts.mended += found.mended;
        progress.at(seed + 1, counts);
      }
      workshop.dispose();
      progress.end(counts);
      expect(counts.states).toBeGreaterThan(count * 10);
    },
  );

  const exfat = campaignOf('crash', 'exfat', 2);
  test.skipIf(missingExfatTools !== undefined || exfat === undefined)(
    `exfat: what was synced is there ${missingExfatTools ?? ''}`,
    { timeout: 0 },
    async () => {
      const workshop = new ExfatWorkshop();
      const { count, seed: first } = exfat ?? { count: 0, seed: 0 };
      const counts = { runs: 0, states: 0, mended: 0 };
      const progress = new Progress('crash exfat', first, count, 1);
      for (let seed = first; seed < first + count; seed += 1) {
        const form = EXFAT_POWER_FORMS[seed % EXFAT_POWER_FORMS.length];
        if (form === undefined) break;
        const { memoryBytes, steps } = form;
        const image = workshop.make(form);
        const found = await cutExfatEverywhere(workshop, CHECKED_EVERY, image, seed, steps, memoryBytes);
        counts.runs += 1;
        counts.states += found.states;
        counts.mended += found.mended;
        progress.at(seed + 1, counts);
      }
      workshop.dispose();
      progress.end(counts);
      expect(counts.states).toBeGreaterThan(count * 10);
    },
  );

  const ffs = campaignOf('crash', 'ffs', 2);
  test.skipIf(ffs === undefined)(
    'ffs: what was synced is there, and a log leaves it clean',
    { timeout: 0 },
    async () => {
      const { count, seed: first } = ffs ?? { count: 0, seed: 0 };
      const counts = { runs: 0, states: 0, mended: 0, replayed: 0, unnamed: 0 };
      const progress = new Progress('crash ffs', first, count, 1);
      for (let seed = first; seed < first + count; seed += 1) {
        const form = JOURNALLED_FORMS[(seed >> 1) % JOURNALLED_FORMS.length];
        if (form === undefined) break;
        // Logs from one that hardly has room for two transactions on.
        const journalBytes = (45 + (seed % 3) * 30) * form.blockBytes;
        const journal = seed % 2 === 0;
        const image = journal
          ? await journalled({ ...form, journalBytes }, 2 << 20)
          : await plainFfs(form, 3 << 19);
        const one = { sectorBytes: 512, memoryBytes: 2 << 20, steps: journal ? 25 : 10, journal };
        const found = await cutFfsEverywhere(CHECKED_EVERY / 4, image, one, seed);
        counts.runs += 1;
        counts.states += found.states;
        counts.mended += found.mended;
        counts.replayed += found.replayed;
        counts.unnamed += found.unnamed;
        progress.at(seed + 1, counts);
      }
      progress.end(counts);
      expect(counts.states).toBeGreaterThan(count * 20);
    },
  );
});
