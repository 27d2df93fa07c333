import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { FAT_FORMS } from './msdos-forms.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { mountFileSystem } from '../src/file-systems.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

const TREE = {
  'readme.txt': 'small letters\n',
  'UPPER.TXT': 'capitals\n',
  'lower.TXT': 'mixed\n',
  'A.B.C.txt': 'two dots',
  'a+b.dat': 'plus',
  'A rather long name, with ümläuts and 日本.text': pattern(10_000, 3),
  empty: '',
  directory: { inner: { deep: 'deep' }, 'file.bin': pattern(150_000) },
  many: Object.fromEntries(
    Array.from({ length: 70 }, (_unused, index) => [`a long name, number ${index}`, `${index}`]),
  ),
};

function startFat(image: Uint8Array, writeable = false, zone?: string): Promise<Mounted> {
  return Mounted.start(image, {}, writeable, 'msdos', zone);
}

describe.skipIf(missingFatTools)(`msdos reads what mtools wrote ${missingFatTools ?? ''}`, () => {
  for (const form of FAT_FORMS.filter(({ few }) => few !== true)) {
    test(form.title, async (context) => {
      skipIfLong(context, form.long === true);
      const image = workshop.make(form, TREE);
      const before = image.slice();
      const fs = await startFat(image);
      expect(await fs.list('/')).toEqual(Object.keys(TREE).toSorted());
      expect(await fs.list('/many', 7)).toEqual(Object.keys(TREE.many).toSorted());
      expect(same(await fs.contents('/directory/file.bin'), TREE.directory['file.bin'])).toBe(true);
      expect(
        same(await fs.contents('/A RATHER long name, with ÜMLÄUTS and 日本.text'), pattern(10_000, 3)),
      ).toBe(true);
      expect(new TextDecoder().decode(await fs.contents('/abc~1.txt'))).toBe('two dots');
      expect(new TextDecoder().decode(await fs.contents('/DIRECTORY/Inner/DEEP'))).toBe('deep');
      expect((await fs.contents('/empty')).length).toBe(0);
      await expect(fs.contents('/missing')).rejects.toMatchObject({ code: 'NotFound' });
      await fs.end();
      expect(same(image, before)).toBe(true);
    });
  }

  test('auto finds a FAT, and a label that stands behind slots of a long name belongs to nothing', async () => {
    const made = workshop.make({ sizeBytes: 4 << 20, args: ['-n', 'OLD'] }, { 'some file.text': 'x' });
    const image = workshop.mtools(
      made,
      ['mlabel', '::Data'],
      ['mcopy', workshop.file('after', 'content'), '::'],
    );
    const mount = await mountFileSystem(new MemoryHypercalls(image), 'auto', { writeable: false });
    expect(mount.type).toBe('msdos');
    expect(mount.statistics().label).toBe('DATA');
    await mount.unmount();
    const fs = await startFat(image);
    expect(await fs.list('/')).toEqual(['after', 'some file.text']);
    await fs.end();
  });
});
