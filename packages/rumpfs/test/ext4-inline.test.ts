/**
 * File systems with inline_data are written: what changes moves out of its inode into a block, its
 * other attributes stay, and e2fsck and our checker find nothing wrong.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const LENGTHS = [0, 1, 40, 59, 60, 61, 100, 128, 129, 160, 161, 400, 800, 1000];
const FILES = Object.fromEntries(LENGTHS.map((length) => [`f${length}`, pattern(length, length)]));
const TREE = {
  ...FILES,
  small: { a: 'a', b: {}, c: { deep: 'd' } },
  other: { 'a rather long name': 'x', 'another long name': 'y', 'a third name': 'z', d: 'd' },
  empty: {},
  gone: { x: '' },
};

function made(args: readonly string[]): Uint8Array {
  const image = workshop.make('6M', ['-t', 'ext4', '-b', '1024', '-N', '256', ...args], TREE);
  const edited = workshop.edit(image, [
    'ea_set /f40 user.first one',
    'ea_set /f1 user.second two',
    'ea_set /small user.third three',
    `symlink link ${'l'.repeat(80)}`,
  ]);
  expect(workshop.check(edited)).toBe('');
  return edited;
}

const KINDS: readonly {
  readonly title: string;
  readonly args: readonly string[];
  readonly long?: boolean;
}[] = [
  { title: 'a journal and checksums', args: ['-O', 'inline_data'] },
  { title: 'large inodes', args: ['-O', 'inline_data', '-I', '1024'] },
  { title: 'neither', args: ['-O', 'inline_data,^metadata_csum,^has_journal'] },
  { title: 'pointers', args: ['-O', 'inline_data,^extent,^64bit,^flex_bg', '-I', '512'], long: true },
];

describe.skipIf(missingTools)(`what stands in inodes is written ${missingTools ?? ''}`, () => {
  for (const { title, args, long } of KINDS) {
    test(title, { timeout: 60_000 }, async (context) => {
      skipIfLong(context, long === true);
      const fs = await Mounted.start(made(args));
      expect(fs.mount.writeable).toBe(true);
      expect(fs.hypercalls.lines).toEqual([]);
      const expected = new Map(LENGTHS.map((length) => [`/f${length}`, pattern(length, length)]));
      // Appended to, changed in the middle, cut, made longer, or left alone.
      for (const [index, [path, bytes]] of [...expected].entries()) {
        await fs.with(path, async (vnode) => {
          if (index % 5 === 0) await fs.mount.append(vnode, pattern(300, 9));
          if (index % 5 === 1) await fs.mount.write(vnode, Math.floor(bytes.length / 2), pattern(20, 8));
          if (index % 5 === 2) await fs.mount.truncate(vnode, Math.floor(bytes.length / 3));
          if (index % 5 === 3) await fs.mount.truncate(vnode, bytes.length + 3000);
        });
        const longer = new Uint8Array(5000);
        longer.set(bytes);
        if (index % 5 === 0) longer.set(pattern(300, 9), bytes.length);
        if (index % 5 === 1) longer.set(pattern(20, 8), Math.floor(bytes.length / 2));
        const sizes = [
          bytes.length + 300,
          Math.max(bytes.length, Math.floor(bytes.length / 2) + 20),
          Math.floor(bytes.length / 3),
          bytes.length + 3000,
          bytes.length,
        ];
        const size = sizes[index % 5] ?? 0;
        longer.fill(0, Math.min(size, index % 5 === 2 ? size : longer.length));
        expected.set(path, longer.slice(0, size));
      }
      await fs.write('/small/new', pattern(50));
      await fs.rename('/other/d', '/small/moved');
      await fs.mkdir('/empty/inner');
      await fs.rename('/small/c', '/empty/c');
      await fs.rename('/other/a third name', '/other/renamed');
      await fs.unlink('/small/a');
      await fs.rmdir('/small/b');
      await fs.unlink('/gone/x');
      await fs.rmdir('/gone');
      await fs.unlink('/link');
      const image = await fs.end();
      expect(workshop.check(image)).toBe('');
      expect(await ourFindings(image, 'ext2')).toBe('');
      const again = await Mounted.start(image);
      for (const [path, bytes] of expected) expect(same(await again.contents(path), bytes), path).toBe(true);
      expect(await again.list('/small')).toEqual(['moved', 'new']);
      expect(await again.list('/other')).toEqual(['a rather long name', 'another long name', 'renamed']);
      expect(await again.list('/empty')).toEqual(['c', 'inner']);
      expect(new TextDecoder().decode(await again.contents('/empty/c/deep'))).toBe('d');
      expect(await again.list('/empty/c/../..')).toContain('small');
      for (const path of expected.keys()) await again.unlink(path);
      await again.end();
      expect(workshop.check(image)).toBe('');
      expect(await ourFindings(image, 'ext2')).toBe('');
    });
  }

  test('the other attributes of an inode stay when its content leaves it', async () => {
    const fs = await Mounted.start(made(['-O', 'inline_data', '-I', '512']));
    for (const path of ['/f40', '/f1']) await fs.with(path, (vnode) => fs.mount.append(vnode, pattern(300)));
    await fs.write('/small/new', pattern(1));
    const image = await fs.end();
    const attribute = (path: string, name: string): string =>
      new TextDecoder().decode(workshop.debug(image, `ea_get -V ${path} ${name}`)).trim();
    expect(attribute('/f40', 'user.first')).toBe('one');
    expect(attribute('/f1', 'user.second')).toBe('two');
    expect(attribute('/small', 'user.third')).toBe('three');
    expect(workshop.check(image)).toBe('');
  });

  test('on a full device a change fails with NoSpace, and the content stays where it is', async () => {
    const fs = await Mounted.start(made(['-O', 'inline_data']));
    await fs.write('/filling', new Uint8Array(0));
    await fs.with('/filling', async (vnode) => {
      let room = true;
      for (let at = 0; room; at += 100_000)
        room = (await fs.mount.write(vnode, at, pattern(100_000)).catch(() => 0)) === 100_000;
    });
    const append = (path: string): Promise<unknown> =>
      fs.with(path, (vnode) => fs.mount.append(vnode, pattern(300)));
    await expect(append('/f40')).rejects.toMatchObject({ code: 'NoSpace' });
    await expect(fs.write('/small/new', pattern(1))).rejects.toMatchObject({ code: 'NoSpace' });
    expect(same(await fs.contents('/f40'), pattern(40, 40))).toBe(true);
    expect(await fs.list('/small')).toEqual(['a', 'b', 'c']);
    await fs.unlink('/filling');
    await append('/f40');
    const image = await fs.end();
    expect(workshop.check(image)).toBe('');
    expect(await ourFindings(image, 'ext2')).toBe('');
  });
});
