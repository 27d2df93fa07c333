/**
 * Images of FFS with one defect each, of every kind that the checker knows: each is found, and
 * nothing else is; the repair mends it, and what it does not concern stays.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { checkFileSystem, repairFileSystem } from '../src/file-systems.ts';
import { FfsPokes } from './ffs-pokes.ts';
import { ffsForm, FfsWorkshop, missingMakefs } from './ffs-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

/** The inodes of what is in the image. */
interface Ids {
  readonly file: number;
  readonly other: number;
  readonly long: number;
  readonly a: number;
  readonly b: number;
}

interface Defect {
  readonly title: string;
  readonly make: (pokes: FfsPokes, ids: Ids) => void;
  /** All that is found, in any order: each line is one of these. */
  readonly found: readonly RegExp[];
  readonly only?: 1 | 2;
}

/** What follows where fragments have lost their owner, or got one. */
const SPACE = [
  /^harmless: group 0: .*(free blocks|free fragments|clusters of|fragments are in use by nobody|cluster bitmap)/,
  /^harmless: (summary|superblock): \d+ (free blocks|free fragments)/,
];
const INODE = [
  /^harmless: group 0: (\d+ (free inodes|directories)|1 inodes are in use by nobody)/,
  /^harmless: (summary|superblock): \d+ (free inodes|directories)/,
];

const DEFECTS: readonly Defect[] = [
  {
    title: 'an inode of no type',
    make: (pokes, { file }) => pokes.set16(pokes.inode(file), 0x3000),
    found: [
      /^damage: inode \d+: unknown type in mode 0x3000/,
      /"file" leads to inode \d+, which is not in use/,
      ...SPACE,
      ...INODE,
    ],
  },
  {
    title: 'a directory whose size is no pieces',
    make: (pokes, { b }) => pokes.setSize(b, 700),
    found: [
      /^damage: inode \d+: size 700/,
      /"b" leads to inode \d+, which is not in use/,
      /links, but has/,
      /has no name/,
      ...SPACE,
      ...INODE,
    ],
  },
  {
    title: 'a pointer beyond the end',
    make: (pokes, { file }) => pokes.setPointer(file, 0, 99_999_999),
    found: [
      /^damage: inode \d+: a pointer to fragment 99999999, for \d of 8192/,
      /says \d+ sectors/,
      /ends with a hole/,
      ...SPACE,
    ],
  },
  {
    title: 'a pointer into structures',
    make: (pokes, { file }) => pokes.setPointer(file, 0, pokes.field(16)),
    found: [
      /^damage: inode \d+: fragment \d+ has another owner, too/,
      /says \d+ sectors/,
      /ends with a hole/,
      ...SPACE,
    ],
  },
  {
    title: 'two files with one block',
    make: (pokes, { long, file }) => pokes.setPointer(file, 0, pokes.pointer(long, 2)),
    found: [
      /^damage: inode \d+: fragment \d+ has another owner, too/,
      /says \d+ sectors/,
      /ends with a hole/,
      ...SPACE,
    ],
  },
  {
    title: 'a pointer block that is none',
    make: (pokes, { long }) => pokes.setPointer(long, 12, 3),
    found: [/^damage: inode \d+: a pointer to fragment 3/, /says \d+ sectors/, /ends with a hole/, ...SPACE],
  },
  {
    title: 'a pointer behind the end',
    make: (pokes, { file }) => pokes.setPointer(file, 7, 7000),
    found: [/^harmless: inode \d+: pointer 7 is behind its end/],
  },
  {
    title: 'a wrong count of sectors',
    make: (pokes, { file }) => pokes.addSectors(file, 5),
    found: [/^harmless: inode \d+: says \d+ sectors, but has \d+/],
  },
  {
    title: 'a free inode that is not empty',
    make: (pokes) => pokes.setSize(14, 99),
    found: [/^harmless: inode 14: is free, but not empty/],
  },
  {
    title: 'a directory with a hole',
    make: (pokes, { b }) => pokes.setPointer(b, 0, 0),
    found: [
      /a directory of 512 bytes with 0 blocks/,
      /"b" leads to inode \d+, which is not in use/,
      /links, but has/,
      /has no name/,
      ...SPACE,
      ...INODE,
    ],
  },
  {
    title: 'extended attributes that are nowhere',
    only: 2,
    make: (pokes, { file }) => pokes.set32(pokes.inode(file) + 92, 100),
    found: [
      /^damage: inode \d+: 100 bytes of extended attributes that are not there/,
      /fragment 0 has another owner/,
    ],
  },
  {
    title: 'a record without length',
    make: (pokes, { a }) => pokes.set16(pokes.record(a, 'inner') + 4, 0),
    found: [/^damage: directory \d+: piece 0: record at \d+ with length 0/, /inode \d+: has no name/],
  },
  {
    title: 'a record that leaves no room for another',
    make: (pokes, { b }) => {
      const at = pokes.record(b, 'deep');
      pokes.set16(at + 4, 508 - (at % 512));
    },
    found: [/^damage: directory \d+: piece 0: record at 508 with 4 bytes left for it/],
  },
  {
    title: 'a record that reaches into the next piece',
    make: (pokes, { a }) => pokes.set16(pokes.record(a, 'inner') + 4, 512),
    found: [/^damage: directory \d+: piece 0: record at \d+ with length 512/, /inode \d+: has no name/],
  },
  {
    title: 'a dot that leads elsewhere',
    make: (pokes, { a, b }) => pokes.set32(pokes.record(a, '.'), b),
    found: [/^damage: directory \d+: "\." leads to inode \d+/],
  },
  {
    title: 'a directory without dots',
    make: (pokes, { b }) => pokes.set32(pokes.record(b, '.'), 0),
    found: [
      /^damage: directory \d+: does not begin with "\." and "\.\."/,
      /".." leads to inode 2, not \d+/,
      /links, but has/,
      /has no name/,
    ],
  },
  {
    title: 'dots that lead to a file',
    make: (pokes, { b, file }) => pokes.set32(pokes.record(b, '..'), file),
    found: [
      /leads to inode \d+, which is no directory/,
      /links, but has/,
      /".." leads to inode \d+, not \d+/,
    ],
  },
  {
    title: 'dots that lead to another directory',
    make: (pokes, { b }) => pokes.set32(pokes.record(b, '..'), 2),
    found: [/^damage: directory \d+: ".." leads to inode 2, not \d+/, /links, but has/],
  },
  {
    title: 'dots among the names',
    make: (pokes) => {
      pokes.bytes.set([2, 0x2e, 0x2e, 0, 0], pokes.record(2, 'link') + 7);
    },
    found: [/^damage: directory 2: "\.\." is there twice/, /inode \d+: has no name/],
  },
  {
    title: 'a name that leads to nothing',
    make: (pokes) => pokes.set32(pokes.record(2, 'link'), 61),
    found: [/^damage: directory 2: "link" leads to inode 61, which is not in use/, /inode \d+: has no name/],
  },
  {
    title: 'a name with a slash',
    make: (pokes) => pokes.bytes.set([0x2f], pokes.record(2, 'link') + 9),
    found: [/^damage: directory 2: "l\/nk" cannot be a name/, /inode \d+: has no name/],
  },
  {
    title: 'a name that is there twice',
    make: (pokes) => pokes.bytes.set(new TextEncoder().encode('file'), pokes.record(2, 'link') + 8),
    found: [/^damage: directory 2: "file" is there twice/, /inode \d+: has no name/],
  },
  {
    title: 'a name of the wrong type',
    make: (pokes) => pokes.bytes.set([4], pokes.record(2, 'file') + 6),
    found: [/^damage: directory 2: "file" has type 4, but inode \d+ has 8/],
  },
  {
    title: 'a second name of a directory',
    make: (pokes, { b }) => {
      pokes.set32(pokes.record(2, 'other'), b);
      pokes.bytes.set([4], pokes.record(2, 'other') + 6);
    },
    found: [
      /"\w+" is a further name of directory \d+/,
      /inode \d+: has no name/,
      /".." leads to/,
      /links, but has/,
    ],
  },
  {
    title: 'a directory that contains itself',
    make: (pokes, { a, b }) => {
      pokes.set32(pokes.record(2, 'a'), 0);
      pokes.set32(pokes.record(b, 'deep'), a);
      pokes.bytes.set([4], pokes.record(b, 'deep') + 6);
    },
    found: [
      /^damage: directory \d+: contains itself/,
      /".." leads to inode 2, not \d+/,
      /inode \d+: has no name/,
      /links, but has/,
    ],
  },
  {
    title: 'a directory without a name',
    make: (pokes) => pokes.set32(pokes.record(2, 'a'), 0),
    found: [/^damage: directory \d+: has no name/],
  },
  {
    title: 'a file without a name',
    make: (pokes) => pokes.set32(pokes.record(2, 'file'), 0),
    found: [/^damage: inode \d+: has no name/],
  },
  {
    title: 'a file that waits to be freed',
    make: (pokes, { file }) => {
      pokes.set32(pokes.record(2, 'file'), 0);
      pokes.set16(pokes.inode(file) + 2, 0);
    },
    found: [/^harmless: inode \d+: waits to be freed/],
  },
  {
    title: 'a wrong count of links',
    make: (pokes, { file }) => pokes.set16(pokes.inode(file) + 2, 7),
    found: [/^harmless: inode \d+: 7 links, but has 1 names/],
  },
  {
    title: 'a group without its magic number',
    make: (pokes) => pokes.set32(pokes.group + 4, 0x1234),
    found: [/^damage: group 0: magic number 0x1234/],
  },
  {
    title: 'a bitmap in the header of its group',
    make: (pokes) => pokes.set32(pokes.group + 96, 40),
    found: [
      /^damage: group 0: maps at \d+, 40, \d+, \d+, of \d+ blocks, that overlap or leave its structure/,
    ],
  },
  {
    title: 'bitmaps that overlap',
    make: (pokes) => pokes.set32(pokes.group + 92, pokes.i32(pokes.group + 96) + 8),
    found: [/^damage: group 0: maps at .* that overlap/],
  },
  {
    title: 'a group that has written no inodes',
    only: 2,
    make: (pokes) => pokes.set32(pokes.group + 120, 0),
    found: [
      /^damage: group 0: 0 written inodes of \d+/,
      /not in use/,
      /inodes/,
      /fragments/,
      /blocks/,
      /links/,
    ],
  },
  {
    title: 'a group that has written more inodes than it has',
    only: 2,
    make: (pokes) => pokes.set32(pokes.group + 120, 1_000_000),
    found: [/^damage: group 0: 1000000 written inodes of \d+/],
  },
  ...['directories', 'free blocks', 'free inodes', 'free fragments'].flatMap((what, index): Defect[] => [
    {
      title: `a wrong count of ${what} in a group`,
      make: (pokes) => pokes.add32(pokes.group + 24 + index * 4, 1),
      found: [new RegExp(`^harmless: group 0: \\d+ ${what}, not \\d+$`)],
    },
    {
      title: `a wrong count of ${what} in the summary`,
      make: (pokes) => pokes.add32(pokes.summary + index * 4, 1),
      found: [new RegExp(`^harmless: summary: \\d+ ${what} in group 0, not \\d+$`)],
    },
    {
      title: `a wrong total of ${what}`,
      make: (pokes) => pokes.add32(pokes.superblock(1008 + index * 8 + (pokes.little ? 0 : 4)), 1),
      found: [new RegExp(`^harmless: superblock: \\d+ ${what}, not \\d+$`)],
    },
  ]),
  {
    title: 'a wrong count of runs of fragments',
    make: (pokes) => pokes.add32(pokes.group + 52 + 3 * 4, 1),
    found: [/^harmless: group 0: \d+ runs of 3 free fragments, not \d+/],
  },
  {
    title: 'an inode in use that is marked as free',
    make: (pokes, { file }) => {
      const at = pokes.group + pokes.i32(pokes.group + 92) + (file >>> 3);
      pokes.bytes[at] = (pokes.bytes[at] ?? 0) & ~(1 << (file & 7));
    },
    found: [/^damage: group 0: 1 inodes are in use, but marked as free; first \d+/],
  },
  {
    title: 'a fragment in use that is marked as free',
    make: (pokes, { file }) => {
      const fragment = pokes.pointer(file, 0);
      const at = pokes.group + pokes.i32(pokes.group + 96) + (fragment >>> 3);
      pokes.bytes[at] = (pokes.bytes[at] ?? 0) | (1 << (fragment & 7));
    },
    found: [/^damage: group 0: 1 fragments are in use, but marked as free; first \d+/],
  },
  {
    title: 'a fragment of nobody that is marked as in use',
    make: (pokes) => {
      const at = pokes.group + pokes.i32(pokes.group + 96) + (8000 >>> 3);
      pokes.bytes[at] = 0xfe;
    },
    found: [/^harmless: group 0: 1 fragments are in use by nobody; first 8000/],
  },
  {
    title: 'counts of the groups among their structures',
    make: (pokes) => pokes.setCountsAt(pokes.field(16) + 1),
    found: [/^damage: superblock: the counts of the groups at fragment \d+, which has another structure/],
  },
  {
    title: 'structures of groups that are too small',
    make: (pokes) => pokes.set32(pokes.superblock(160), 520),
    found: [/^damage: superblock: groups have structures of 520 bytes, which their maps do not fit into/],
  },
  {
    title: 'runs of free blocks for which there is no room',
    make: (pokes) => pokes.set32(pokes.superblock(1316), 0x20_0010),
    found: [/^damage: superblock: runs of up to 2097168 free blocks are counted, more than groups have/],
  },
  {
    title: 'a wrong cluster bitmap',
    make: (pokes) => {
      const at = pokes.group + pokes.i32(pokes.group + 108) + 120;
      pokes.bytes[at] = 0xfe;
    },
    found: [/^harmless: group 0: 1 blocks are wrong in the cluster bitmap/],
  },
  {
    title: 'a wrong count of clusters',
    make: (pokes) => pokes.add32(pokes.group + pokes.i32(pokes.group + 104) + 4, 3),
    found: [/^harmless: group 0: \d+ clusters of 1 blocks, not \d+/],
  },
];

for (const version of [1, 2] as const) {
  describe.skipIf(missingMakefs)(`the checker of UFS${version} ${missingMakefs ?? ''}`, () => {
    const form = {
      ...ffsForm(version, version === 1 ? 'be' : 'le', 4096),
      options: 'density=8192',
      size: '4m',
    };
    let image: Uint8Array = new Uint8Array(0);
    let ids: Ids = { file: 0, other: 0, long: 0, a: 0, b: 0 };

    beforeAll(async () => {
      const fs = await Mounted.start(workshop.make(form), {}, true, 'ffs');
      await fs.mkdir('/a');
      await fs.mkdir('/a/b');
      await fs.write('/a/inner', pattern(10));
      await fs.write('/a/b/deep', pattern(3000));
      await fs.write('/long', pattern(200_000, 2));
      await fs.write('/file', pattern(1000, 3));
      await fs.write('/other', pattern(700, 4));
      await fs.write('/link', pattern(20, 5));
      await fs.write('/kept', pattern(30_000, 6));
      const id = (path: string): Promise<number> => fs.with(path, (vnode) => vnode.id);
      ids = {
        file: await id('/file'),
        other: await id('/other'),
        long: await id('/long'),
        a: await id('/a'),
        b: await id('/a/b'),
      };
      image = await fs.end();
    });

    test('a sound image: nothing is found, and a repair changes nothing but the mark', async () => {
      const bytes = image.slice();
      const { before, after } = await repairFileSystem(new MemoryHypercalls(bytes).bio, 'ffs');
      expect(before).toMatchObject({ type: 'ffs', findings: [], files: 7, directories: 3 });
      expect(after.findings).toEqual([]);
      expect(same(bytes, image)).toBe(true);
    });

    for (const [index, { title, make, found, only }] of DEFECTS.entries()) {
      if (only !== undefined && only !== version) continue;
      test(`${title} is found, and mended`, async (context) => {
        skipIfLong(context, version === 1 && index % 5 !== 0);
        const bytes = image.slice();
        make(new FfsPokes(bytes, version, form.order === 'le'), ids);
        expect(same(bytes, image)).toBe(false);
        const lines = (await ourFindings(bytes, 'ffs')).split('\n');
        expect(lines.filter((line) => !found.some((usual) => usual.test(line)))).toEqual([]);
        expect(found[0]?.test(lines.find((line) => found[0]?.test(line)) ?? ''), lines.join('\n')).toBe(true);
        const { after } = await repairFileSystem(new MemoryHypercalls(bytes).bio, 'ffs');
        expect(after.findings).toEqual([]);
        const fs = await Mounted.start(bytes, {}, true, 'ffs');
        expect(fs.mount.writeable).toBe(true);
        expect(same(await fs.contents('/kept'), pattern(30_000, 6))).toBe(true);
        await fs.write('/new', pattern(9000));
        expect(await ourFindings(await fs.end(), 'ffs')).toBe('');
      });
    }

    test('a file without a name is found again in lost+found', async () => {
      const bytes = image.slice();
      const pokes = new FfsPokes(bytes, version, form.order === 'le');
      pokes.set32(pokes.record(2, 'a'), 0);
      pokes.set32(pokes.record(2, 'file'), 0);
      await repairFileSystem(new MemoryHypercalls(bytes).bio, 'ffs');
      const fs = await Mounted.start(bytes, {}, false, 'ffs');
      expect(await fs.list('/lost+found')).toEqual([`#${ids.a}`, `#${ids.file}`].toSorted());
      expect(same(await fs.contents(`/lost+found/#${ids.file}`), pattern(1000, 3))).toBe(true);
      expect(same(await fs.contents(`/lost+found/#${ids.a}/b/deep`), pattern(3000))).toBe(true);
      await fs.end();
    });

    test('a root that is none is made anew, and what was in it is found again', async () => {
      const bytes = image.slice();
      const pokes = new FfsPokes(bytes, version, form.order === 'le');
      pokes.set16(pokes.inode(2), 0x8000);
      expect(await ourFindings(bytes, 'ffs')).toContain('damage: inode 2: the root is no directory');
      const { after } = await repairFileSystem(new MemoryHypercalls(bytes).bio, 'ffs');
      expect(after.findings).toEqual([]);
      const fs = await Mounted.start(bytes, {}, true, 'ffs');
      expect(await fs.list('/')).toEqual(['lost+found']);
      expect(same(await fs.contents(`/lost+found/#${ids.file}`), pattern(1000, 3))).toBe(true);
      expect(same(await fs.contents(`/lost+found/#${ids.a}/b/deep`), pattern(3000))).toBe(true);
      await fs.end();
    });

    test('many files without names: lost+found grows', async () => {
      const fs = await Mounted.start(image.slice(), {}, true, 'ffs');
      await fs.mkdir('/many');
      for (let index = 0; index < 200; index += 1) await fs.write(`/many/${index}`, pattern(10, index));
      const many = await fs.with('/many', (vnode) => vnode.id);
      const bytes = await fs.end();
      const pokes = new FfsPokes(bytes, version, form.order === 'le');
      // The whole first piece with its names is lost, and with the size all others.
      pokes.setSize(many, 512);
      pokes.set16(pokes.record(many, '..') + 4, 500);
      const { after } = await repairFileSystem(new MemoryHypercalls(bytes).bio, 'ffs');
      expect(after.findings).toEqual([]);
      const again = await Mounted.start(bytes, {}, false, 'ffs');
      expect(await again.list('/lost+found')).toHaveLength(200);
      await again.end();
    });

    test('what has no superblock is refused', async () => {
      const { bio } = new MemoryHypercalls(new Uint8Array(1 << 20));
      await expect(checkFileSystem(bio, 'ffs')).rejects.toMatchObject({ code: 'NoFileSystem' });
    });
  });
}
