/**
 * Our checker of ext on images that are right: every variant that mke2fs makes, with names, links,
 * holes, attributes and large directories in it, and after our driver has written to it. Where
 * e2fsck has nothing to say, neither has ours.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { missingTools, run, Workshop } from './e2fsprogs.ts';
import { Mounted, pattern } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const MANY = Object.fromEntries(
  Array.from({ length: 300 }, (_unused, index) => [`name-${index}-${'x'.repeat(index % 40)}`, `${index}`]),
);
const TREE = {
  'large file': pattern(400_000),
  ümläut: 'tiny',
  empty: '',
  directory: { inner: { deep: 'deep' }, other: pattern(5000), small: pattern(100) },
  many: MANY,
};

/** The variants that are not left to long runs. */
const USUAL = [
  'ext2, 1 KiB',
  'ext3',
  'ext4, 1 KiB',
  'ext4, 4 KiB',
  'ext4 with CRC-16',
  'inline_data',
  'bigalloc, 1 KiB',
];

const ours = (image: Uint8Array): Promise<string> => ourFindings(image, 'ext2');

/** The variants that are known to be used, each with a block size of its own. */
const VARIANTS: readonly {
  readonly title: string;
  readonly size: string;
  readonly args: readonly string[];
}[] = [
  { title: 'ext2, 1 KiB', size: '6M', args: ['-b', '1024', '-g', '2048'] },
  { title: 'ext2, 2 KiB, small inodes', size: '6M', args: ['-b', '2048', '-I', '128'] },
  { title: 'ext2, 4 KiB', size: '8M', args: ['-b', '4096'] },
  { title: 'ext2, 64 KiB', size: '48M', args: ['-b', '65536'] },
  { title: 'revision 0', size: '6M', args: ['-b', '1024', '-r', '0', '-O', 'none', '-I', '128'] },
  { title: 'ext2 without types', size: '6M', args: ['-b', '1024', '-O', '^filetype'] },
  { title: 'ext3', size: '10M', args: ['-t', 'ext3', '-b', '1024', '-g', '2048'] },
  { title: 'ext4, 1 KiB', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-g', '2048'] },
  { title: 'ext4, 2 KiB', size: '16M', args: ['-t', 'ext4', '-b', '2048'] },
  { title: 'ext4, 4 KiB', size: '24M', args: ['-t', 'ext4', '-b', '4096'] },
  { title: 'ext4, 16 KiB', size: '64M', args: ['-t', 'ext4', '-b', '16384'] },
  { title: 'ext4, 32 bits', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-O', '^64bit'] },
  {
    title: 'ext4 with CRC-16',
    size: '10M',
    args: ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum,uninit_bg'],
  },
  {
    title: 'ext4 without checksums',
    size: '10M',
    args: ['-t', 'ext4', '-b', '1024', '-O', '^metadata_csum'],
  },
  { title: 'inline_data', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-O', 'inline_data'] },
  {
    title: 'inline_data, large inodes',
    size: '10M',
    args: ['-t', 'ext4', '-b', '4096', '-I', '1024', '-O', 'inline_data'],
  },
  { title: 'bigalloc', size: '64M', args: ['-t', 'ext4', '-b', '4096', '-O', 'bigalloc', '-C', '65536'] },
  {
    title: 'bigalloc, 1 KiB',
    size: '32M',
    args: ['-t', 'ext4', '-b', '1024', '-O', 'bigalloc', '-C', '4096'],
  },
  {
    title: 'meta_bg',
    size: '24M',
    args: ['-t', 'ext4', '-b', '1024', '-g', '1024', '-O', 'meta_bg,^resize_inode'],
  },
  {
    title: 'sparse_super2',
    size: '10M',
    args: ['-t', 'ext4', '-b', '1024', '-g', '1024', '-O', 'sparse_super2'],
  },
  {
    title: 'no sparse_super',
    size: '10M',
    args: ['-b', '1024', '-g', '1024', '-O', '^sparse_super,^resize_inode'],
  },
  { title: 'no flex_bg', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-g', '1024', '-O', '^flex_bg'] },
  { title: 'mmp', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-O', 'mmp'] },
  {
    title: 'ea_inode, large_dir, a seed',
    size: '10M',
    args: ['-t', 'ext4', '-b', '1024', '-O', 'ea_inode,large_dir,metadata_csum_seed'],
  },
  { title: 'orphan_file', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-O', 'orphan_file'] },
  { title: 'fast_commit', size: '24M', args: ['-t', 'ext4', '-b', '1024', '-O', 'fast_commit'] },
  { title: 'encrypt and verity', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-O', 'encrypt,verity'] },
  { title: 'casefold', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-O', 'casefold'] },
  { title: 'quota and project', size: '10M', args: ['-t', 'ext4', '-b', '1024', '-O', 'quota,project'] },
];

describe.skipIf(missingTools)(`our checker of ext, with images that are right ${missingTools ?? ''}`, () => {
  for (const { title, size, args } of VARIANTS) {
    test(title, { timeout: 120_000 }, async (context) => {
      skipIfLong(context, !USUAL.includes(title));
      const made = workshop.make(size, ['-N', '512', ...args], TREE);
      // Trees of names, attributes and a device, as only e2fsprogs makes them.
      const attributes = workshop.workFile(pattern(300));
      const edited = workshop.edit(made, [
        'mknod pipe p',
        'mknod disk b 8 1',
        'symlink short target',
        `symlink long ${'t'.repeat(180)}`,
        'ea_set /empty user.small yes',
        `ea_set -f ${attributes} /directory/other user.large`,
      ]);
      const path = workshop.save(edited);
      // Directories get their hash trees.
      run('e2fsck', ['-f', '-y', '-D', path]);
      const image = workshop.load();
      const theirs = workshop.check(image);
      if (!/quota|casefold/.test(title)) expect(theirs).toBe('');
      expect(await ours(image)).toBe('');
      if (/encrypt|casefold/.test(title)) return;
      const fs = await Mounted.start(image);
      const writes = fs.mount.writeable;
      if (writes) {
        for (let index = 0; index < 40; index += 1)
          await fs.write(`/many/new ${index} ${'y'.repeat(index)}`, pattern(index * 900));
        for (let index = 0; index < 40; index += 2)
          await fs.unlink(`/many/new ${index} ${'y'.repeat(index)}`);
        await fs.rename('/directory/inner', '/many/moved');
      }
      await fs.end();
      if (writes) expect(workshop.check(image)).toBe('');
      expect(await ours(image), 'after it was written').toBe('');
    });
  }
});
