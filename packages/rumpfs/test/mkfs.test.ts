/** New file systems: sound to the standard tools, and of the sizes that those choose. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { missingOf, programPath } from '../../../test/harness/programs.ts';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import { check as checkImage, mount } from '../src/index.ts';
import type { FormatDevice } from '../src/mkfs/format-device.ts';
import { type MadeType, makeFileSystem, type MakeOptions } from '../src/mkfs/make-file-system.ts';

const missing = missingOf('mke2fs', 'e2fsck', 'dumpe2fs', 'debugfs', 'mkfs.fat', 'fsck.fat', 'mdir');
const folder = mkdtempSync(join(tmpdir(), 'ginit-mkfs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const SECTOR_BYTES = 512;

function run(name: string, ...args: readonly string[]): { readonly code: number; readonly output: string } {
  const path = programPath(name);
  if (path === undefined) throw new Error(`test: ${name} is not installed`);
  const { status, stdout, stderr } = spawnSync(path, args, {
    encoding: 'utf8',
    env: { ...process.env, MTOOLS_SKIP_CHECK: '1' },
  });
  return { code: status ?? -1, output: `${stdout}${stderr}` };
}

/** A file of this size, all of it a hole, or full of what was there before. */
function emptyFile(name: string, sizeBytes: number, old = 0): string {
  const file = join(folder, name);
  writeFileSync(file, old === 0 ? '' : Buffer.alloc(Math.min(sizeBytes, 8 * MIB), old));
  truncateSync(file, sizeBytes);
  return file;
}

async function make(
  file: string,
  sizeBytes: number,
  type: MadeType,
  options: MakeOptions = {},
): Promise<void> {
  const descriptor = openSync(file, 'r+');
  const device: FormatDevice = {
    sectorSizeBytes: SECTOR_BYTES,
    sectorCount: Math.floor(sizeBytes / SECTOR_BYTES),
    writeable: true,
    read: async (sector, into) => void readSync(descriptor, into, 0, into.length, sector * SECTOR_BYTES),
    write: async (sector, from) => void writeSync(descriptor, from, 0, from.length, sector * SECTOR_BYTES),
    sync: async () => fsyncSync(descriptor),
    // What lies behind the old contents is a hole already.
    ...(sizeBytes > 64 * MIB
      ? {
          zero: async (sector: number, count: number) => {
            const bytes = Math.min(count * SECTOR_BYTES, Math.max(0, 8 * MIB - sector * SECTOR_BYTES));
            if (bytes > 0) writeSync(descriptor, Buffer.alloc(bytes), 0, bytes, sector * SECTOR_BYTES);
          },
        }
      : {}),
  };
  let state = 7;
  const random = (into: Uint8Array): void => {
    for (let index = 0; index < into.length; index += 1) into[index] = state = (state * 75 + 74) % 65_537;
  };
  try {
    await makeFileSystem(device, type, options, { nowMs: Date.UTC(2024, 5, 6, 7, 8, 10), random });
  } finally {
    closeSync(descriptor);
  }
}

/** The fields of a boot sector that say how large everything is. */
function bootFields(file: string): unknown {
  const descriptor = openSync(file, 'r');
  const bytes = Buffer.alloc(512);
  readSync(descriptor, bytes, 0, 512, 0);
  closeSync(descriptor);
  const total = bytes.readUInt16LE(19) || bytes.readUInt32LE(32);
  return {
    sectorBytes: bytes.readUInt16LE(11),
    sectorsPerCluster: bytes[13],
    reserved: bytes.readUInt16LE(14),
    fats: bytes[16],
    rootEntries: bytes.readUInt16LE(17),
    total,
    media: bytes[21],
    fatSectors: bytes.readUInt16LE(22) || bytes.readUInt32LE(36),
    sectorsPerTrack: bytes.readUInt16LE(24),
    heads: bytes.readUInt16LE(26),
  };
}

const COMPARED =
  /^(Filesystem features|Group descriptor size|Flex block group size|Overhead clusters|Total journal size|Total journal blocks|Journal features|Journal inode|Journal backup|Journal sequence|Journal start|Checksum type|Required extra isize|Filesystem flags|Inode count|Block count|Reserved block count|Reserved GDT blocks|Free blocks|Free inodes|First block|Block size|Blocks per group|Inodes per group|Inode blocks per group|First inode|Inode size|Default directory hash|Maximum mount count|Errors behavior|Default mount options):\s*(.*)$/;

function extFields(file: string): Record<string, string> {
  const { code, output } = run('dumpe2fs', '-h', file);
  expect(code, output).toBe(0);
  const found = output.split('\n').flatMap((line) => {
    const [, name = '', value = ''] = COMPARED.exec(line) ?? [];
    return name === '' ? [] : [[name, value]];
  });
  return Object.fromEntries(found);
}

/** Puts something into the file system by our own driver, which must find it sound. */
async function use(file: string): Promise<void> {
  const fs = await mount(file, { partition: 0 });
  const bytes = Buffer.alloc(20_000, 'content ');
  await fs.mkdir('/Some Directory');
  await fs.writeFile('/Some Directory/a file.txt', bytes);
  await fs.unmount();
  const again = await mount(file, { partition: 0, readOnly: true });
  expect(Buffer.compare(bytes, await again.readFile('/Some Directory/a file.txt'))).toBe(0);
  await again.unmount();
}

const FATS: readonly (readonly [number, MadeType])[] = [
  ...[64, 100, 160, 360, 720, 1200, 1440, 2880].map((size) => [size * KIB, 'msdos'] as const),
  ...[1, 2, 4, 5, 8, 9, 16, 17, 32, 33, 64, 128, 200, 256, 261, 511, 512, 513].map(
    (size) => [size * MIB, 'msdos'] as const,
  ),
  ...[1, 8, 9, 17, 33].map((size) => [size * GIB, 'msdos'] as const),
  ...[1, 8, 9, 32, 64, 255].map((size) => [size * MIB, 'fat12'] as const),
  ...[9, 16, 128, 300, 1024, 2048].map((size) => [size * MIB, 'fat16'] as const),
  ...[1, 33, 64, 260, 300, 2048].map((size) => [size * MIB, 'fat32'] as const),
];

const EXTS: readonly (readonly [number, MakeOptions])[] = [
  [200 * KIB, {}],
  [1 * MIB, {}],
  [3 * MIB, {}],
  [8 * MIB, {}],
  [8 * MIB + 900 * KIB, {}],
  [64 * MIB, {}],
  [300 * MIB, {}],
  [511 * MIB, {}],
  [512 * MIB, {}],
  [1 * GIB, {}],
  [1 * MIB, { blockBytes: 4096 }],
  [64 * MIB, { blockBytes: 4096 }],
  [300 * MIB, { blockBytes: 2048 }],
  [64 * MIB, { blockBytes: 65_536 }],
  [64 * MIB, { blockBytes: 1024, inodeBytes: 128 }],
  [64 * MIB, { bytesPerInode: 65_536 }],
];

const JOURNALLED: readonly (readonly [number, 'ext3' | 'ext4', MakeOptions])[] = [
  [64 * MIB, 'ext4', {}],
  [1 * MIB, 'ext4', {}],
  [2 * MIB, 'ext4', {}],
  [8 * MIB, 'ext3', {}],
  [130 * MIB, 'ext4', {}],
  [3 * MIB + 700 * KIB, 'ext4', {}],
  [64 * MIB, 'ext3', {}],
  [64 * MIB, 'ext3', { blockBytes: 4096 }],
  [300 * MIB, 'ext4', { blockBytes: 4096 }],
  [511 * MIB, 'ext4', {}],
  [511 * MIB, 'ext3', {}],
  [512 * MIB, 'ext3', { inodeBytes: 128 }],
  [3 * GIB, 'ext4', {}],
  [9 * MIB, 'ext4', { blockBytes: 2048, inodeBytes: 512 }],
  [64 * MIB, 'ext4', { bytesPerInode: 65_536 }],
  [200 * MIB, 'ext4', { blockBytes: 65_536 }],
  [20 * GIB, 'ext4', {}],
  [20 * GIB, 'ext3', {}],
  [8 * GIB, 'ext4', { blockBytes: 1024 }],
  [70 * GIB, 'ext4', {}],
];

/** Each fourth in a usual run, all in a long one. */
const isTried = (_size: unknown, index: number): boolean => index % 4 === 0 || !leftOut(true);

describe.skipIf(missing !== undefined)(`mkfs${missing === undefined ? '' : ` (${missing})`}`, () => {
  test.each(FATS.filter(isTried))(
    'a FAT in %i bytes (%s) is as mkfs.fat makes it, and fsck.fat finds it sound',
    async (sizeBytes, type) => {
      const ours = emptyFile('ours.img', sizeBytes, 0xe5);
      await make(ours, sizeBytes, type, { label: 'My Label' });
      const theirs = emptyFile('theirs.img', sizeBytes);
      const bits = type === 'msdos' ? [] : ['-F', type.slice(3)];
      const made = run('mkfs.fat', ...bits, '-n', 'MY LABEL', theirs);
      expect(made.code, made.output).toBe(0);
      expect(bootFields(ours)).toEqual(bootFields(theirs));
      const check = run('fsck.fat', '-n', '-v', ours);
      expect(check.code, check.output).toBe(0);
      expect(check.output).not.toMatch(/differ|Dirty|wrong/i);
      if (sizeBytes > 64 * MIB) return;
      await use(ours);
      const after = run('fsck.fat', '-n', ours);
      expect(after.code, after.output).toBe(0);
      // mtools refuse a FAT32 with fewer clusters than Windows demands.
      if (type !== 'fat32' || sizeBytes >= 33 * MIB) {
        const listed = run('mdir', '-i', ours, '::/Some Directory');
        expect(listed.output).toMatch(/a file\.txt/);
        expect(run('mdir', '-i', ours, '::').output).toMatch(/MY LABEL/);
      }
    },
  );

  test.each(EXTS.filter(isTried))(
    'an ext2 in %i bytes is as mke2fs makes it, and e2fsck finds it sound (%j)',
    async (sizeBytes, options) => {
      const ours = emptyFile('ours.img', sizeBytes, 0xff);
      await make(ours, sizeBytes, 'ext2', { ...options, label: 'label' });
      const theirs = emptyFile('theirs.img', sizeBytes);
      const { blockBytes, inodeBytes, bytesPerInode } = options;
      const args = [
        ...(blockBytes === undefined ? [] : ['-b', String(blockBytes)]),
        ...(inodeBytes === undefined ? [] : ['-I', String(inodeBytes)]),
        ...(bytesPerInode === undefined ? [] : ['-i', String(bytesPerInode)]),
      ];
      const made = run('mke2fs', '-q', '-F', '-t', 'ext2', '-L', 'label', ...args, theirs);
      expect(made.code, made.output).toBe(0);
      expect(extFields(ours)).toEqual(extFields(theirs));
      const check = run('e2fsck', '-fn', ours);
      expect(check.code, check.output).toBe(0);
      if (sizeBytes > 64 * MIB) return;
      await use(ours);
      const after = run('e2fsck', '-fn', ours);
      expect(after.code, after.output).toBe(0);
      expect(run('debugfs', '-R', 'ls -p /', ours).output).toContain('Some Directory');
    },
  );

  test.each(JOURNALLED.filter(isTried))(
    'in %i bytes an %s is as mke2fs makes it, and e2fsck finds it sound (%j)',
    async (sizeBytes, type, options) => {
      const ours = emptyFile('ours.img', sizeBytes, 0xff);
      await make(ours, sizeBytes, type, { ...options, label: 'label' });
      const theirs = emptyFile('theirs.img', sizeBytes);
      const { blockBytes, inodeBytes, bytesPerInode } = options;
      const args = [
        ...(blockBytes === undefined ? [] : ['-b', String(blockBytes)]),
        ...(inodeBytes === undefined ? [] : ['-I', String(inodeBytes)]),
        ...(bytesPerInode === undefined ? [] : ['-i', String(bytesPerInode)]),
      ];
      const made = run('mke2fs', '-q', '-F', '-t', type, '-L', 'label', ...args, theirs);
      expect(made.code, made.output).toBe(0);
      expect(extFields(ours)).toEqual(extFields(theirs));
      const check = run('e2fsck', '-fn', ours);
      expect(check.code, check.output).toBe(0);
      const whole = run('dumpe2fs', ours);
      expect(whole.output).not.toMatch(/expected|invalid/i);
      const ourReport = await checkImage(ours, { partition: 0 });
      expect(ourReport).toMatchObject({ type, findings: [], files: 0, directories: 2 });
      if (sizeBytes > 64 * MIB) return;
      await use(ours);
      const after = run('e2fsck', '-fn', ours);
      expect(after.code, after.output).toBe(0);
      expect(run('debugfs', '-R', 'ls -p /', ours).output).toContain('Some Directory');
    },
  );

  const loops = process.getuid?.() === 0 && existsSync('/dev/loop-control');
  for (const [type, blockBytes] of (['ext2', 'ext3', 'ext4'] as const).flatMap((kind) =>
    [1024, 4096].map((size) => [kind, size] as const),
  ))
    test.skipIf(!loops)(
      `the kernel mounts and fills an ${type} of ours in blocks of ${blockBytes} (needs root and loop devices)`,
      async (context) => {
        skipIfLong(context);
        const file = emptyFile('kernel.img', 64 * MIB);
        const point = join(folder, `mounted-${type}-${blockBytes}`);
        mkdirSync(point);
        await make(file, 64 * MIB, type, { blockBytes });
        const mounted = run('mount', '-t', type, '-o', 'loop', file, point);
        expect(mounted.code, mounted.output).toBe(0);
        try {
          for (let index = 0; index < 3000; index += 1)
            writeFileSync(join(point, `file ${index}`), `${index}`);
        } finally {
          run('umount', point);
        }
        const filled = run('e2fsck', '-fn', file);
        expect(filled.code, filled.output).toBe(0);
        const fs = await mount(file, { partition: 0, readOnly: true });
        expect((await fs.readdir('/')).length).toBe(3001);
        expect(await fs.readFile('/file 2999', 'utf8')).toBe('2999');
        await fs.unmount();
      },
    );

  test('what cannot be is refused before anything is written', async () => {
    const file = emptyFile('refused.img', 20 * MIB, 0xaa);
    const before = readFileSync(file);
    const refused: readonly (readonly [MadeType, MakeOptions])[] = [
      ['ext2', { blockBytes: 3000 }],
      ['ext4', { blockBytes: 512 }],
      ['ext4', { label: 'more than sixteen bytes' }],
      ['ext2', { blockBytes: 131_072 }],
      ['ext2', { sectorBytes: 512 }],
      ['ext2', { label: 'more than sixteen bytes' }],
      ['ext2', { bytesPerInode: 1 }],
      ['fat12', { blockBytes: 512 }],
      ['fat16', { blockBytes: 131_072 }],
      ['msdos', { label: 'twelve chars' }],
      ['msdos', { label: 'a*b' }],
      ['msdos', { inodeBytes: 128 }],
    ];
    for (const [type, options] of refused) {
      await expect(make(file, 20 * MIB, type, options), JSON.stringify(options)).rejects.toMatchObject({
        code: 'InvalidArgument',
      });
    }
    expect(Buffer.compare(before, readFileSync(file))).toBe(0);
    const tiny = emptyFile('tiny.img', 20 * KIB);
    await expect(make(tiny, 20 * KIB, 'ext2')).rejects.toMatchObject({ code: 'InvalidArgument' });
    await expect(make(tiny, 20 * KIB, 'ext4')).rejects.toMatchObject({ code: 'InvalidArgument' });
    const small = emptyFile('small.img', MIB);
    await expect(make(small, MIB, 'ext3')).rejects.toThrow('1024 blocks are too few for ext3');
    await expect(make(tiny, 20 * KIB, 'fat16')).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  test('an ext4 of more than 2^32 blocks, which has no inode of reserved descriptors', async (context) => {
    skipIfLong(context);
    context.skip(!existsSync('/dev/shm'), 'no file system here takes a file of 17 TiB');
    const sizeBytes = 17 * 1024 * GIB;
    const file = join('/dev/shm', `ginit-mkfs-${process.pid}.img`);
    writeFileSync(file, '');
    try {
      truncateSync(file, sizeBytes);
      await make(file, sizeBytes, 'ext4');
      const { code, output } = run('e2fsck', '-fn', file);
      expect(code, output).toBe(0);
      expect(extFields(file)['Block count']).toBe(String(sizeBytes / 4096));
      expect(extFields(file)['Filesystem features']).not.toContain('resize_inode');
      await use(file);
      expect(run('e2fsck', '-fn', file).code).toBe(0);
    } finally {
      rmSync(file);
    }
  });

  test('file systems of 2 TiB in sparse files', async (context) => {
    skipIfLong(context);
    for (const [type, tool, ...args] of [
      ['fat32', 'fsck.fat', '-n'],
      ['ext2', 'e2fsck', '-fn'],
      ['ext4', 'e2fsck', '-fn'],
    ] as const) {
      const sizeBytes = 2048 * GIB - SECTOR_BYTES;
      const file = emptyFile('huge.img', sizeBytes);
      await make(file, sizeBytes, type);
      const { code, output } = run(tool, ...args, file);
      expect(code, output).toBe(0);
      rmSync(file);
    }
  });
});
