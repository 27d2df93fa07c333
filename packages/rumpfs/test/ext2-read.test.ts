import { closeSync, openSync, symlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const longTarget = `/${'deep/'.repeat(30)}end`;
const manyNames = Array.from(
  { length: 1500 },
  (_unused, index) => `entry-${index}-${'x'.repeat(index % 40)}`,
);

/** A tree with files of every shape, made on the host and copied into an image by mke2fs. */
function image(blockSize: number, args: readonly string[] = []): Uint8Array {
  const folder = workshop.folderOf({
    'hello.txt': 'hello\n',
    empty: '',
    large: pattern(3_000_000),
    directory: { inner: { 'file.txt': 'inside' } },
    many: Object.fromEntries(manyNames.map((name) => [name, ''])),
    ünïcode: 'umlauts',
  });
  const sparse = openSync(join(folder, 'sparse'), 'w');
  // One piece at each depth of the tree of pointers, for each block size.
  for (const offset of SPARSE_OFFSETS) writeSync(sparse, pattern(5000, offset), 0, 5000, offset);
  closeSync(sparse);
  symlinkSync('directory/inner/file.txt', join(folder, 'short-link'));
  symlinkSync(longTarget, join(folder, 'long-link'));
  const made = workshop.make('24M', ['-b', String(blockSize), '-N', '4096', ...args, '-d', folder]);
  return workshop.edit(made, ['mknod pipe p', 'mknod zero c 1 5', 'ea_set hello.txt user.key value']);
}

const SPARSE_OFFSETS = [10_000, 200_000, 5_000_000, 80_000_000, 900_000_000, 6_000_000_000];

describe.skipIf(missingTools)(`ext2 reads what mke2fs and debugfs wrote ${missingTools ?? ''}`, () => {
  const cases = [
    { blockSize: 1024, args: ['-I', '128'] },
    { blockSize: 2048, args: ['-O', '^filetype'] },
    { blockSize: 4096, args: [] },
    { blockSize: 65_536, args: [] },
  ];
  for (const { blockSize, args } of cases) {
    const made = missingTools === undefined ? image(blockSize, args) : new Uint8Array(0);
    const title = `${blockSize} bytes a block ${args.join(' ')}`;

    test(`${title}: every kind of node is read`, async () => {
      const fs = await Mounted.start(made.slice());
      expect(await fs.list('/')).toEqual(
        ['directory', 'empty', 'hello.txt', 'large', 'long-link', 'lost+found', 'many'].concat([
          'pipe',
          'short-link',
          'sparse',
          'zero',
          'ünïcode',
        ]),
      );
      expect(new TextDecoder().decode(await fs.contents('/hello.txt'))).toBe('hello\n');
      expect(await fs.contents('/empty')).toHaveLength(0);
      expect(same(await fs.contents('/large'), pattern(3_000_000))).toBe(true);
      expect(new TextDecoder().decode(await fs.contents('/short-link'))).toBe('inside');
      expect(new TextDecoder().decode(await fs.contents('/ünïcode'))).toBe('umlauts');
      const link = await fs.mount.lookup(fs.mount.root, 'long-link');
      expect(await fs.mount.readLink(link)).toBe(longTarget);
      await fs.mount.release(link);
      const types = await fs.with('/', async (root) => (await fs.mount.list(root, 0, 100)).entries);
      expect(types.find((entry) => entry.name === 'pipe')?.type).toBe('fifo');
      expect(types.find((entry) => entry.name === 'zero')?.type).toBe('character-device');
      await fs.end();
    });

    test(`${title}: holes, and pieces at every depth of the pointers, are read`, async () => {
      const fs = await Mounted.start(made.slice());
      await fs.with('/sparse', async (vnode) => {
        expect(fs.mount.attributes(vnode).sizeBytes).toBe(6_000_005_000);
        for (const offset of SPARSE_OFFSETS) {
          const bytes = new Uint8Array(25_000).fill(0xee);
          const length = await fs.mount.read(vnode, offset - 10_000, bytes);
          const expected = new Uint8Array(25_000);
          expected.set(pattern(5000, offset), 10_000);
          expect(same(bytes.subarray(0, length), expected.subarray(0, length)), `at ${offset}`).toBe(true);
          expect(length).toBe(offset === 6_000_000_000 ? 15_000 : 25_000);
        }
      });
      await fs.end();
    });

    test(`${title}: a large directory is listed in pieces, and its names are found`, async () => {
      const fs = await Mounted.start(made.slice());
      const expected = manyNames.toSorted();
      for (const pieces of [1, 7, 1000]) expect(await fs.list('/many', pieces)).toEqual(expected);
      for (const name of manyNames)
        await fs.with(`/many/${name}`, (vnode) => expect(vnode.type).toBe('file'));
      await expect(fs.contents('/many/entry-1500')).rejects.toMatchObject({ code: 'NotFound' });
      await fs.end();
    });

    test(`${title}: a hash-tree directory is read as a linear one`, async () => {
      const indexed = workshop.mend(made, ['-f', '-y', '-D']);
      const flags = new TextDecoder().decode(workshop.debug(indexed, 'stat /many'));
      if (blockSize < 65_536) expect(flags).toContain('Flags: 0x1000');
      const fs = await Mounted.start(indexed);
      expect(await fs.list('/many')).toEqual(manyNames.toSorted());
      for (const name of manyNames)
        await fs.with(`/many/${name}`, (vnode) => expect(vnode.type).toBe('file'));
      await fs.end();
    });

    test(`${title}: mounting to read changes nothing`, async () => {
      const fs = await Mounted.start(made.slice(), { writeable: false });
      expect(fs.mount.writeable).toBe(false);
      expect(fs.hypercalls.lines).toEqual(['ext2: mounted read-only because the device is']);
      await fs.list('/many');
      await expect(fs.write('/new', pattern(1))).rejects.toMatchObject({ code: 'ReadOnly' });
      await fs.mount.sync();
      expect(same(await fs.end(), made)).toBe(true);
    });
  }

  test('attributes are those that debugfs set', async () => {
    const made = workshop.make('4M', ['-b', '1024'], { file: 'four' });
    const edited = workshop.edit(made, [
      'set_inode_field file mode 0100751',
      'set_inode_field file uid 70000',
      'set_inode_field file gid 80000',
      'set_inode_field file mtime 20400102030405',
    ]);
    const fs = await Mounted.start(edited);
    const attributes = await fs.with('/file', (vnode) => fs.mount.attributes(vnode));
    expect(attributes).toMatchObject({
      type: 'file',
      sizeBytes: 4,
      links: 1,
      permissions: 0o751,
      uid: 70_000,
      gid: 80_000,
      allocatedBytes: 1024,
      modifiedMs: Date.UTC(2040, 0, 2, 3, 4, 5),
    });
    await fs.end();
  });

  test('statistics are those of dumpe2fs', async () => {
    const made = workshop.make('8M', ['-b', '1024', '-L', 'a label', '-N', '512'], {
      file: pattern(100_000),
    });
    const fs = await Mounted.start(made);
    const shown = new TextDecoder().decode(workshop.debug(made, 'stats'));
    const field = (name: string): number => Number(new RegExp(`${name}: +(\\d+)`).exec(shown)?.[1]);
    expect(fs.mount.statistics()).toEqual({
      type: 'ext2',
      label: 'a label',
      blockSizeBytes: 1024,
      blocks: field('Block count'),
      blocksFree: field('Free blocks'),
      nodes: field('Inode count'),
      nodesFree: field('Free inodes'),
      nameBytesMax: 255,
    });
    await fs.end();
  });
});
