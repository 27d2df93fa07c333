/** exFAT as others wrote it: mkfs.exfat made it, exfat-fuse filled it. */
import { mkdirSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import {
  EXFAT_FORMS,
  EXFAT_SECTOR_FORMS,
  ExfatWorkshop,
  missingExfatFuse,
  missingExfatKernel,
  missingExfatTools,
} from './exfat-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

const TIME_S = Date.UTC(2024, 1, 29, 13, 14, 15) / 1000;
const NAMES = [
  'readme.txt',
  'A rather long name, with ümläuts and 日本 and 😀.text',
  'x'.repeat(255),
  'a+b [c].dat',
];
const MANY = Array.from({ length: 150 }, (_unused, index) => `a long name, number ${index}`);

function fill(folder: string): void {
  for (const [index, name] of NAMES.entries())
    writeFileSync(join(folder, name), pattern(1000 * index + 7, index));
  writeFileSync(join(folder, 'empty'), '');
  mkdirSync(join(folder, 'directory/inner/deep'), { recursive: true });
  writeFileSync(join(folder, 'directory/file.bin'), pattern(300_000));
  utimesSync(join(folder, 'directory/file.bin'), TIME_S, TIME_S);
  mkdirSync(join(folder, 'many'));
  for (const name of MANY) writeFileSync(join(folder, 'many', name), name);
  // Two files that grow by turns are in pieces.
  for (let turn = 0; turn < 12; turn += 1)
    for (const name of ['one', 'two'])
      writeFileSync(join(folder, name), pattern(50_000, turn), { flag: 'a' });
  truncateSync(join(folder, 'readme.txt'), 5);
}

async function expectFilled(image: Uint8Array, sectorSizeBytes = 512): Promise<void> {
  const before = image.slice();
  const fs = await Mounted.start(image, { sectorSizeBytes }, false, 'auto');
  expect(fs.mount.type).toBe('exfat');
  expect(await fs.list('/')).toEqual([...NAMES, 'directory', 'empty', 'many', 'one', 'two'].toSorted());
  for (const [index, name] of NAMES.entries()) {
    const whole = pattern(1000 * index + 7, index);
    const expected = name === 'readme.txt' ? whole.subarray(0, 5) : whole;
    expect(same(await fs.contents(`/${name}`), expected), name).toBe(true);
  }
  expect(same(await fs.contents('/DIRECTORY/File.BIN'), pattern(300_000))).toBe(true);
  expect(await fs.with('/directory/file.bin', (vnode) => fs.mount.attributes(vnode).modifiedMs)).toBe(
    TIME_S * 1000,
  );
  expect(await fs.list('/many', 7)).toEqual(MANY.toSorted());
  for (const name of MANY.slice(0, 50))
    expect(new TextDecoder().decode(await fs.contents(`/many/${name.toUpperCase()}`))).toBe(name);
  for (const path of ['/one', '/two']) {
    const bytes = await fs.contents(path);
    for (let turn = 0; turn < 12; turn += 1)
      expect(same(bytes.subarray(turn * 50_000, (turn + 1) * 50_000), pattern(50_000, turn)), path).toBe(
        true,
      );
  }
  await expect(fs.contents('/missing')).rejects.toMatchObject({ code: 'NotFound' });
  await fs.end();
  expect(same(image, before)).toBe(true);
}

describe.skipIf(missingExfatFuse)(`exfat reads what exfat-fuse wrote ${missingExfatFuse ?? ''}`, () => {
  for (const form of [...EXFAT_FORMS, ...EXFAT_SECTOR_FORMS]) {
    test(form.title, async (context) => {
      skipIfLong(context, form.long === true || form.title.includes('512'));
      const { sectorBytes = 512 } = form;
      await expectFilled(workshop.fuse(workshop.make(form), fill, sectorBytes), sectorBytes);
    });
  }
});

describe.skipIf(missingExfatKernel)(`exfat reads what the kernel wrote ${missingExfatKernel ?? ''}`, () => {
  test('clusters of 4 KiB', async () => {
    const image = workshop.make({ sizeBytes: 16 << 20, args: ['-c', '4K'] });
    await expectFilled(workshop.kernel(image, fill));
  });
});

describe.skipIf(missingExfatTools)(`exfat reads what mkfs.exfat made ${missingExfatTools ?? ''}`, () => {
  test('the label, the sizes and what is free', async () => {
    const image = workshop.make({ sizeBytes: 8 << 20, args: ['-c', '4K', '-L', 'Größe 日本'] });
    const mount = await mountFileSystem(new MemoryHypercalls(image), 'auto', { writeable: false });
    expect(mount.statistics()).toMatchObject({
      type: 'exfat',
      label: 'Größe 日本',
      blockSizeBytes: 4096,
      blocks: 1536,
      // The bitmap, the two clusters of the up-case table, and the root directory.
      blocksFree: 1536 - 4,
    });
    expect((await mount.list(mount.root, 0, 10)).entries).toEqual([]);
    await mount.unmount();
  });
});
