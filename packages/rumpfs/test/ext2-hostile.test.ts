import { afterAll, describe, expect, test } from 'vitest';
import { FsError } from '../src/errors.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import { exerciseImage } from './exercise.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern } from './mounting.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

const SUPERBLOCK = 1024;
const DEVICE = { code: 'Corrupt' };

function poke(image: Uint8Array, offset: number, value: number, bytes: 1 | 2 | 4 = 4): Uint8Array {
  const changed = image.slice();
  const view = new DataView(changed.buffer);
  if (bytes === 4) view.setUint32(offset, value, true);
  else if (bytes === 2) view.setUint16(offset, value, true);
  else view.setUint8(offset, value);
  return changed;
}

function mountOf(image: Uint8Array, type = 'ext2'): Promise<unknown> {
  return mountFileSystem(new MemoryHypercalls(image), type, { writeable: true });
}

describe('devices without an ext2', () => {
  const empty = new Uint8Array(64 * 1024);
  test('an empty device is refused', async () => {
    await expect(mountOf(empty)).rejects.toMatchObject({
      code: 'NoFileSystem',
      message: 'ext2: no superblock: magic number 0x0000, not 0xef53',
    });
    await expect(mountOf(empty, 'auto')).rejects.toMatchObject({ code: 'NoFileSystem' });
    await expect(mountOf(new Uint8Array(1024))).rejects.toMatchObject({ code: 'NoFileSystem' });
    await expect(mountOf(empty, 'ext7')).rejects.toMatchObject({
      code: 'NotSupported',
      message: expect.stringMatching(/^no file system "ext7"; there are auto, ext2, /),
    });
  });

  test('noise with the magic number in it is refused', async () => {
    const random = randomFrom(5);
    for (let round = 0; round < 200; round += 1) {
      const noise = Uint8Array.from({ length: 16 * 1024 }, () => Math.floor(random() * 256));
      noise.set([0x53, 0xef], SUPERBLOCK + 56);
      if (round % 2 === 0) noise.fill(0, SUPERBLOCK + 92, SUPERBLOCK + 104);
      await expect(mountOf(noise)).rejects.toBeInstanceOf(FsError);
    }
  });
});

describe.skipIf(missingTools)(`ext2 images that lie ${missingTools ?? ''}`, () => {
  const make = (): Uint8Array =>
    missingTools === undefined
      ? workshop.make('8M', ['-b', '1024', '-g', '2048', '-N', '256', '-I', '128'], {
          file: pattern(300_000),
          directory: { inner: { deep: 'deep' }, other: '' },
          many: Object.fromEntries(Array.from({ length: 80 }, (_unused, index) => [`name-${index}`, 'x'])),
        })
      : new Uint8Array(0);
  const image = make();
  const inodeTable = (inode: number): number => {
    const view = new DataView(image.buffer);
    return view.getUint32(2 * 1024 + 8, true) * 1024 + (inode - 1) * 128;
  };
  const inodeOf = (path: string): number => {
    const shown = new TextDecoder().decode(workshop.debug(image, `stat ${path}`));
    return Number(/Inode: (\d+)/.exec(shown)?.[1]);
  };
  const blockOf = (path: string, index = 0): number =>
    Number(
      new TextDecoder()
        .decode(workshop.debug(image, `blocks ${path}`))
        .trim()
        .split(/\s+/)[index],
    );

  test('a truncated device is refused with one message', async () => {
    await expect(mountOf(image.slice(0, 5_000_192))).rejects.toMatchObject({
      code: 'Corrupt',
      message: 'ext2: the file system has 8192 blocks of 1024 bytes, but the device ends after 5000192 bytes',
    });
  });

  test('absurd sizes in the superblock are refused', async () => {
    const cases: readonly (readonly [number, number, RegExp])[] = [
      [0, 0, /number of inodes 0/],
      [4, 0, /number of blocks 0/],
      [20, 7, /first data block 7/],
      [24, 30, /block size 2 to the power of 40/],
      [32, 0, /blocks per group 0/],
      [32, 9, /blocks per group 9/],
      [32, 0xffff_fff8, /blocks per group 4294967288/],
      [40, 0, /inodes per group 0/],
      [40, 0xffff_ffff, /inodes per group/],
      [76, 2, /revision 2/],
      [84, 0, /first inode 0/],
      [88, 127, /inode size 127/],
      [88, 0xffff, /inode size 65535/],
    ];
    for (const [offset, value, message] of cases) {
      const changed = poke(image, SUPERBLOCK + offset, value, offset === 88 ? 2 : 4);
      await expect(mountOf(changed), String(message)).rejects.toThrow(message);
    }
    await expect(mountOf(poke(image, SUPERBLOCK + 4, 0xffff_ffff))).rejects.toBeInstanceOf(FsError);
  });

  test('unknown features are refused by their names', async () => {
    const incompatible = poke(image, SUPERBLOCK + 96, 0x2 | 0x40 | 0x1_0000 | 0x2_0000 | 0x8000_0000);
    await expect(mountOf(incompatible)).rejects.toMatchObject({
      code: 'NotSupported',
      message: 'ext4: incompatible feature encrypt, casefold, FEATURE_I31',
    });
    const fs = await Mounted.start(poke(image, SUPERBLOCK + 100, 0x7 | 0x100));
    expect(fs.mount.writeable).toBe(false);
    expect(fs.hypercalls.lines).toEqual(['ext4: mounted read-only because of the feature quota']);
    expect(await fs.list('/directory')).toEqual(['inner', 'other']);
    await expect(fs.unlink('/file')).rejects.toMatchObject({ code: 'ReadOnly' });
    await fs.end();
  });

  test('group descriptors that point out of their group are refused', async () => {
    await expect(mountOf(poke(image, 2048 + 32 + 8, 5))).rejects.toMatchObject({
      message: 'ext2: group 1: inode table at block 5 lies outside the group',
    });
    await expect(mountOf(poke(image, 2048, 0xffff_ffff))).rejects.toMatchObject(DEVICE);
  });

  test('block pointers beyond the device or into structures are refused', async () => {
    const inode = inodeOf('file');
    const beyond = await Mounted.start(poke(image, inodeTable(inode) + 40, 0xffff_ffff));
    await expect(beyond.contents('/file')).rejects.toMatchObject({
      code: 'Corrupt',
      message: `ext2: inode ${inode}: block pointer 4294967295 beyond the device's 8192 blocks`,
    });
    const table = await Mounted.start(poke(image, inodeTable(inode) + 40 + 12 * 4, 2));
    await expect(table.contents('/file')).rejects.toThrow(/block pointer 2 into the structures of group 0/);
    await table.unlink('/file');
    await expect(table.contents('/file')).rejects.toMatchObject({ code: 'NotFound' });
    const done = await table.end();
    // The node was freed when its name was gone from the device, as far as that was possible.
    expect(table.hypercalls.lines.at(-1)).toMatch(/block pointer 2 into the structures of group 0/);
    expect(done[SUPERBLOCK + 58]).toBe(3);
    for (const offset of [0, 4, 8]) {
      const block = new DataView(image.buffer).getUint32(2048 + offset, true);
      const pointed = await Mounted.start(poke(image, inodeTable(inode) + 40, block));
      await expect(
        pointed.with('/file', (vnode) => pointed.mount.write(vnode, 0, pattern(9))),
      ).rejects.toThrow(`block pointer ${block} into the structures of group 0`);
    }
  });

  test('directory records that lead nowhere are refused', async () => {
    const block = blockOf('directory') * 1024;
    const inode = inodeOf('directory');
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [poke(image, block + 4, 0, 2), /record at 0 has length 0/],
      [poke(image, block + 4, 8, 2), /record at 0 has length 8/],
      [poke(image, block + 4, 13, 2), /record at 0 has length 13/],
      [poke(image, block + 4, 0xfffc, 2), /record at 0 reaches past the block/],
      [poke(image, block + 6, 5, 1), /record at 0 is shorter than its name/],
      [poke(image, block + 24, 0xffff), /record at 24 names inode 65535 beyond the last one/],
      [poke(image, block + 4, 1020, 2), /record at 1020 does not fit/],
    ];
    for (const [changed, message] of cases) {
      const fs = await Mounted.start(changed);
      await expect(fs.list('/directory')).rejects.toThrow(message);
      await expect(fs.list('/directory')).rejects.toThrow(`ext2: inode ${inode}: directory block 0: `);
      await expect(fs.write('/directory/new', pattern(1))).rejects.toMatchObject(DEVICE);
      expect(await fs.list('/many')).toHaveLength(80);
      await fs.mount.unmount();
    }
  });

  test('entries that name a missing node are listed and fail when they are used', async () => {
    const block = blockOf('directory') * 1024;
    const free = await Mounted.start(poke(image, block + 24, 200));
    await expect(free.contents('/directory/inner')).rejects.toThrow('inode 200 is not in use but has a name');
    const reserved = await Mounted.start(poke(image, block + 24, 7));
    await expect(reserved.contents('/directory/inner')).rejects.toThrow('inode 7 is reserved but has a name');
  });

  test('directories in a circle hang nothing', async () => {
    const inner = blockOf('directory/inner') * 1024;
    const circular = poke(image, inner + 24, inodeOf('directory'));
    const fs = await Mounted.start(circular);
    const shown = await fs.with('/directory/inner/deep/inner/deep', (vnode) => vnode.type);
    expect(shown).toBe('directory');
    await expect(fs.rename('/directory/inner/deep', '/directory/inner/deep/inner/x')).rejects.toBeInstanceOf(
      FsError,
    );
    await Promise.allSettled([
      fs.rmdir('/directory/inner'),
      fs.rmdir('/directory/inner/deep'),
      fs.unlink('/directory/other'),
      fs.rename('/directory/inner', '/directory/inner/deep/inner/x'),
    ]);
    // A directory whose ".." points to itself never leads up to the root.
    const endless = poke(image, inner + 12, inodeOf('directory/inner'));
    const other = await Mounted.start(endless);
    await expect(other.rename('/directory', '/directory/inner/x')).rejects.toMatchObject(DEVICE);
  });

  test('impossible file sizes are refused', async () => {
    const huge = await Mounted.start(poke(image, inodeTable(inodeOf('directory')) + 4, 0xffff_fc00));
    await expect(huge.list('/directory')).rejects.toThrow(/a directory of 4294966272 bytes/);
    const sparse = await Mounted.start(poke(image, inodeTable(inodeOf('directory')) + 4, 4096));
    await expect(sparse.list('/directory')).rejects.toThrow(/directory block 1 is missing/);
    const large = poke(image, inodeTable(inodeOf('file')) + 108, 0xffff);
    await expect((await Mounted.start(large)).contents('/file')).rejects.toThrow(/a file of \d+ bytes/);
    const mode = poke(image, inodeTable(inodeOf('file')), 0x3000, 2);
    await expect((await Mounted.start(mode)).contents('/file')).rejects.toThrow(
      /unknown type in mode 0x3000/,
    );
  });

  test('a tree of pointers with a cycle is freed in bounded time', async () => {
    const indirect = blockOf('file', 12);
    let changed = poke(image, inodeTable(inodeOf('file')) + 40 + 13 * 4, indirect);
    changed = poke(changed, inodeTable(inodeOf('file')) + 40 + 14 * 4, indirect);
    for (let index = 0; index < 256; index += 1)
      changed = poke(changed, indirect * 1024 + index * 4, indirect);
    const fs = await Mounted.start(changed);
    await fs.unlink('/file');
    await fs.mount.unmount();
    expect(fs.hypercalls.lines.at(-1)).toMatch(/block \d+ or one behind it is freed but not in use/);
    expect(workshop.check(workshop.mend(fs.hypercalls.bytes, ['-f', '-y']))).toBe('');
  });

  test('bitmaps that show structures as free let nobody overwrite those', async () => {
    const bitmap = new DataView(image.buffer).getUint32(2048, true) * 1024;
    const changed = image.slice();
    changed.fill(0, bitmap, bitmap + 256);
    const fs = await Mounted.start(changed);
    const before = fs.hypercalls.bytes.slice(0, bitmap);
    for (let index = 0; index < 20; index += 1) {
      await fs
        .write(`/new-${index}`, pattern(40_000))
        .catch((error: unknown) => expect(error).toBeInstanceOf(FsError));
    }
    await fs.mount.unmount();
    // Nothing but the superblock and the counts of the descriptors may have changed in front of the
    // bitmap.
    expect(Buffer.compare(fs.hypercalls.bytes.slice(8192, bitmap), before.slice(8192))).toBe(0);
  });

  test('flipped bits: every walk ends, with results or an FsError', { timeout: 120_000 }, async () => {
    const random = randomFrom(11);
    const structures = [...image.keys()].filter(
      (offset) => offset < 80 * 1024 && image[offset] !== 0 && image[offset] !== 0xff,
    );
    const directories = ['directory', 'many', '/', 'directory/inner'].map((path) => blockOf(path) * 1024);
    let mounted = 0;
    const changed = image.slice();
    for (let round = 0; round < 400; round += 1) {
      changed.set(image);
      for (let flips = 1 + Math.floor(random() * 8); flips > 0; flips -= 1) {
        const inDirectory =
          (directories[Math.floor(random() * directories.length)] ?? 0) + Math.floor(random() * 200);
        const offset =
          random() < 0.3 ? inDirectory : (structures[Math.floor(random() * structures.length)] ?? 0);
        changed[offset] = (changed[offset] ?? 0) ^ (1 << Math.floor(random() * 8));
      }
      mounted += (await exerciseImage(changed, 'ext2')) ? 1 : 0;
    }
    expect(mounted).toBeGreaterThan(200);
  });
});
