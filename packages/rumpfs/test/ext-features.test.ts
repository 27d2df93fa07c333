/**
 * Tests images with combinations of the features that mke2fs accepts. If all features are known,
 * the image is read, changed and checked by e2fsck; if not, it must be refused or mounted
 * read-only, with a message that names the features. Usually a few combinations are tested;
 * GINIT_ALL_COMBINATIONS=yes tests all of ext2, each with and without all of ext4.
 */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { missingTools, run, Workshop } from './e2fsprogs.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const EXT2 = [
  'sparse_super',
  'sparse_super2',
  'resize_inode',
  'dir_index',
  'large_file',
  'filetype',
  'ext_attr',
  'has_journal',
];
const EXT4 = [
  'extent',
  'flex_bg',
  '64bit',
  'meta_bg',
  'large_dir',
  'metadata_csum_seed',
  'metadata_csum',
  'uninit_bg',
  'huge_file',
  'dir_nlink',
  'extra_isize',
  'inline_data',
  'bigalloc',
];
const KNOWN = [...EXT2, ...EXT4];
/** The features that forbid writing, and those that forbid mounting. */
const READ_ONLY = ['mmp', 'ea_inode', 'quota', 'verity'];
const INCOMPATIBLE = ['encrypt', 'casefold'];
/**
 * The number of runs; with other seeds than the usual one (`pnpm fuzz ext-features`) there are
 * more.
 */
const RUNS = process.env['GINIT_PROPERTY_SEED'] === undefined ? 5 : 30;
const GROUPS = 8;
const IMAGE_BYTES = 8 * 1024 * 1024;

interface Format {
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly features: readonly string[];
}

const NAMES = Array.from({ length: 120 }, (_unused, index) => `name-${index}-${'x'.repeat(index % 30)}`);

/** An image with a small tree; undefined where mke2fs does not make it. */
function make({ blockSize, inodeSize, features }: Format): Uint8Array | undefined {
  const perGroup = IMAGE_BYTES / blockSize / GROUPS;
  const size = ['-b', `${blockSize}`, '-g', `${perGroup}`, '-N', '512', '-I', `${inodeSize}`];
  try {
    return workshop.make('8M', [...size, '-O', ['none', ...features].join(',')], {
      large: pattern(400_000),
      directory: { 'file.txt': 'inside', many: Object.fromEntries(NAMES.map((name) => [name, ''])) },
    });
  } catch {
    return undefined;
  }
}

/** The features that the image itself lists: mke2fs adds and leaves out some of its own accord. */
function featuresOf(image: Uint8Array): string[] {
  const shown = run('debugfs', ['-R', 'features', workshop.save(image)]).output;
  return (/Filesystem features:(.*)/.exec(shown)?.[1] ?? '')
    .trim()
    .split(/\s+/)
    .filter((name) => name !== '(none)');
}

async function requireTree(fs: Mounted): Promise<void> {
  expect(same(await fs.contents('/large'), pattern(400_000))).toBe(true);
  expect(new TextDecoder().decode(await fs.contents('/directory/file.txt'))).toBe('inside');
  expect(await fs.list('/directory/many')).toEqual(NAMES.toSorted());
}

/** Does everything to an image that its features allow. */
async function judge(image: Uint8Array): Promise<'written' | 'read' | 'refused'> {
  const features = featuresOf(image);
  const incompatible = INCOMPATIBLE.filter((name) => features.includes(name));
  const readOnly = READ_ONLY.filter((name) => features.includes(name));
  if (incompatible.length > 0) {
    const refusal = `ext4: incompatible feature ${incompatible.join(', ')}`;
    await expect(Mounted.start(image)).rejects.toMatchObject({ code: 'NotSupported', message: refusal });
    return 'refused';
  }
  const fs = await Mounted.start(image);
  await requireTree(fs);
  if (readOnly.length > 0) {
    expect(fs.hypercalls.lines).toEqual([
      `ext4: mounted read-only because of the feature ${readOnly.join(', ')}`,
    ]);
    await expect(fs.unlink('/large')).rejects.toMatchObject({ code: 'ReadOnly' });
    await fs.end();
    return 'read';
  }
  // The first file goes through every group; then others take its place.
  const most = Math.floor((fs.mount.statistics().blocksFree * fs.mount.statistics().blockSizeBytes * 4) / 5);
  await fs.write('/filling', pattern(most, 3));
  await fs.mkdir('/directory/new');
  for (const name of NAMES) await fs.rename(`/directory/many/${name}`, `/directory/new/${name}`);
  await fs.unlink('/large');
  await fs.mount.sync();
  await fs.write('/directory/many/again', pattern(300_000, 4));
  await fs.symlink('/link', 'y'.repeat(200));
  const done = await fs.end();
  expect(workshop.check(done)).toBe('');
  expect(await ourFindings(done, 'ext2')).toBe('');
  expect(same(workshop.dump(done, '/directory/many/again'), pattern(300_000, 4))).toBe(true);
  const again = await Mounted.start(done);
  expect(same(await again.contents('/filling'), pattern(most, 3))).toBe(true);
  expect(await again.list('/directory/new')).toEqual(NAMES.toSorted());
  await again.end();
  return 'written';
}

async function judgeFormat(format: Format): Promise<'written' | 'read' | 'refused' | 'impossible'> {
  const image = make(format);
  if (image === undefined) return 'impossible';
  try {
    return await judge(image);
  } catch (error) {
    throw new Error(`with ${JSON.stringify(format)}`, { cause: error });
  }
}

describe.skipIf(missingTools)(`ext with combinations of features ${missingTools ?? ''}`, () => {
  const blockSize = fc.constantFrom(1024, 2048, 4096);
  const inodeSize = fc.constantFrom(128, 256);

  test('images with any combination of known features are read and changed, and are clean afterwards', {
    timeout: 300_000,
  }, async () => {
    const counts = { written: 0, read: 0, refused: 0, impossible: 0 };
    for (const [known, runs] of [
      [EXT2, Math.ceil(RUNS / 2)],
      [KNOWN, RUNS],
    ] as const) {
      const format = fc.record({ blockSize, inodeSize, features: fc.subarray(known) });
      await fc.assert(
        fc.asyncProperty(format, async (one) => {
          const outcome = await judgeFormat(one);
          expect(['written', 'impossible']).toContain(outcome);
          counts[outcome] += 1;
        }),
        { numRuns: runs },
      );
    }
    expect(counts.written).toBeGreaterThan(2);
  });

  test('images with unknown features are refused or mounted read-only, and the features are named', {
    timeout: 300_000,
  }, async () => {
    const counts = { written: 0, read: 0, refused: 0, impossible: 0 };
    const others = [...READ_ONLY, ...INCOMPATIBLE];
    for (const feature of others) {
      counts[
        await judgeFormat({
          blockSize: 1024,
          inodeSize: 256,
          features: ['filetype', 'has_journal', 'extent', feature],
        })
      ] += 1;
    }
    const format = fc.record({
      blockSize,
      inodeSize,
      features: fc
        .tuple(fc.subarray(KNOWN), fc.subarray(others, { minLength: 1, maxLength: 3 }))
        .map((both) => both.flat()),
    });
    await fc.assert(
      fc.asyncProperty(format, async (one) => {
        counts[await judgeFormat(one)] += 1;
      }),
      { numRuns: RUNS },
    );
    expect(counts).toMatchObject({ written: 0 });
    expect(counts.read).toBeGreaterThan(3);
    expect(counts.refused).toBeGreaterThan(1);
  });

  test.skipIf(process.env['GINIT_ALL_COMBINATIONS'] === undefined)(
    'every combination of known features (only with GINIT_ALL_COMBINATIONS)',
    { timeout: 3_600_000 },
    async () => {
      const counts = { written: 0, read: 0, refused: 0, impossible: 0 };
      for (let bits = 0; bits < 1 << EXT2.length; bits += 1) {
        const features = EXT2.filter((_name, index) => (bits & (1 << index)) !== 0);
        for (const one of [1024, 2048, 4096]) {
          for (const [other, more] of [
            [128, []],
            [256, []],
            [256, EXT4],
          ] as const) {
            const format = { blockSize: one, inodeSize: other, features: [...features, ...more] };
            counts[await judgeFormat(format)] += 1;
          }
        }
      }
      console.log(`combinations: ${JSON.stringify(counts)}`);
      expect(counts.read + counts.refused).toBe(0);
    },
  );

  test('types in entries are ignored where the features say that they mean nothing', async () => {
    const made = workshop.make('4M', ['-b', '1024', '-N', '128', '-O', 'filetype'], {
      file: 'contents',
      directory: { inner: '1' },
    });
    const view = new DataView(made.buffer);
    view.setUint32(1024 + 96, view.getUint32(1024 + 96, true) & ~2, true);
    const fs = await Mounted.start(made);
    const listing = await fs.with('/', (root) => fs.mount.list(root, 0, 100));
    expect(listing.entries.map(({ name, type }) => `${name}: ${type}`).toSorted()).toEqual([
      'directory: directory',
      'file: file',
      'lost+found: directory',
    ]);
    expect(new TextDecoder().decode(await fs.contents('/file'))).toBe('contents');
    await fs.write('/new', pattern(100));
    await fs.rename('/new', '/directory/inner');
    await fs.rename('/file', '/renamed');
    const mended = workshop.mend(await fs.end(), ['-f', '-y']);
    expect(same(workshop.dump(mended, '/directory/inner'), pattern(100))).toBe(true);
    expect(new TextDecoder().decode(workshop.dump(mended, '/renamed'))).toBe('contents');
    const again = await Mounted.start(mended);
    expect(await again.list('/')).toEqual(['directory', 'lost+found', 'renamed']);
    await again.end();
  });

  test.each(['filetype', '^filetype'])(
    'one dead inode (%s): the others are listed, and it fails alone',
    async (types) => {
      const made = workshop.make('4M', ['-b', '1024', '-N', '128', '-O', types], { alive: 'a', dead: 'd' });
      const fs = await Mounted.start(workshop.edit(made, ['clri dead']));
      expect(await fs.list('/')).toEqual(['alive', 'dead', 'lost+found']);
      expect(new TextDecoder().decode(await fs.contents('/alive'))).toBe('a');
      await expect(fs.with('/dead', () => {})).rejects.toMatchObject({
        code: 'Corrupt',
        message: expect.stringMatching(/inode \d+ is not in use but has a name/),
      });
      await fs.end();
    },
  );
});
