/**
 * FFS with a log of WAPBL: as mkfs makes it, as it is used, and what is in it after a crash. The
 * replay and the checker are written apart from what writes the log.
 */
import { describe, expect, test } from 'vitest';
import { makeFfs } from '../src/mkfs/make-ffs.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const WORLD = { nowMs: 1_700_000_000_000, random: (into: Uint8Array): void => void into.fill(7) };

interface Form {
  readonly version: 1 | 2;
  readonly order: 'little' | 'big';
  readonly journal: 'end' | 'inside';
}

const FORMS: readonly Form[] = ([1, 2] as const).flatMap((version) =>
  (['little', 'big'] as const).flatMap((order) =>
    (['end', 'inside'] as const).map((journal) => ({ version, order, journal })),
  ),
);

async function fresh(form: Form, sizeBytes = 4 << 20, blockBytes = 4096): Promise<Uint8Array> {
  const image = new Uint8Array(sizeBytes);
  await makeFfs(new MemoryHypercalls(image).bio, { ...form, blockBytes }, WORLD);
  return image;
}

async function exercise(fs: Mounted): Promise<void> {
  await fs.mkdir('/d');
  await fs.write('/d/file', pattern(300_000, 3));
  for (let index = 0; index < 60; index += 1) await fs.write(`/d/name-${index}`, pattern(index * 40, index));
  await fs.mount.sync();
  for (let index = 0; index < 30; index += 1) await fs.unlink(`/d/name-${index}`);
  await fs.rename('/d/name-40', '/moved');
  await fs.mkdir('/d/e');
  await fs.symlink('/link', 'd/file');
}

async function expectContents(fs: Mounted): Promise<void> {
  expect(same(await fs.contents('/d/file'), pattern(300_000, 3))).toBe(true);
  expect(await fs.list('/')).toEqual(['d', 'link', 'moved']);
  expect(await fs.list('/d')).toHaveLength(31);
  expect(same(await fs.contents('/d/name-50'), pattern(2000, 50))).toBe(true);
}

describe('a log of WAPBL in use', () => {
  for (const form of FORMS) {
    const title = `UFS${form.version}, ${form.order} endian, log ${form.journal}`;
    test(`${title}: made, used, left clean`, async () => {
      const image = await fresh(form);
      expect(await ourFindings(image, 'ffs')).toBe('');
      const fs = await Mounted.start(image, {}, true, 'ffs');
      await exercise(fs);
      await expectContents(fs);
      await fs.end();
      expect(fs.hypercalls.lines).toEqual([]);
      expect(await ourFindings(image, 'ffs')).toBe('');
      const again = await Mounted.start(image, {}, true, 'ffs');
      await expectContents(again);
      await again.end();
    });

    test(`${title}: not unmounted, it is replayed`, async () => {
      const image = await fresh(form);
      const fs = await Mounted.start(image, {}, true, 'ffs');
      await exercise(fs);
      await fs.mount.sync();
      const crashed = image.slice();
      await fs.end();
      const again = await Mounted.start(crashed, {}, true, 'ffs');
      expect(again.hypercalls.lines[0]).toMatch(/^ufs\d: \d+ records of the log were replayed$/);
      await expectContents(again);
      await again.end();
      expect(await ourFindings(crashed, 'ffs')).toBe('');
    });
  }
});
