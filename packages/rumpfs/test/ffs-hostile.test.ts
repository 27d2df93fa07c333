/** Images of FFS that lie: each lie is refused with one error that names the structure. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { propertyRuns } from '../../../test/property-runs.ts';
import { FsError } from '../src/errors.ts';
import { mountFileSystem } from '../src/file-systems.ts';
import { exerciseImage } from './exercise.ts';
import { FfsWorkshop, ffsForm, missingMakefs } from './ffs-tools.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern } from './mounting.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

const SUPERBLOCK = 8192;

describe('devices without an FFS', () => {
  test('noise is refused, and so is an empty device', async () => {
    const random = randomFrom(3);
    for (let round = 0; round < 100; round += 1) {
      const noise = Uint8Array.from({ length: 70_144 }, () => Math.floor(random() * 256));
      const mount = mountFileSystem(new MemoryHypercalls(noise), 'ffs', { writeable: true });
      await expect(mount).rejects.toMatchObject({ code: 'NoFileSystem' });
    }
    const none = mountFileSystem(new MemoryHypercalls(new Uint8Array(512)), 'ffs', { writeable: true });
    await expect(none).rejects.toMatchObject({ code: 'NoFileSystem' });
  });
});

for (const version of [1, 2] as const) {
  describe.skipIf(missingMakefs)(`UFS${version} that lies ${missingMakefs ?? ''}`, () => {
    const form = { ...ffsForm(version, version === 1 ? 'be' : 'le', 4096), size: '6m' };
    const little = form.order === 'le';
    let image: Uint8Array = new Uint8Array(0);
    let view = new DataView(image.buffer);

    beforeAll(() => {
      const folder = workshop.tree();
      writeFileSync(join(folder, 'file'), pattern(120_000));
      mkdirSync(join(folder, 'directory/inner'), { recursive: true });
      mkdirSync(join(folder, 'many'));
      for (let index = 0; index < 40; index += 1) writeFileSync(join(folder, `many/name-${index}`), 'x');
      image = workshop.make(form, folder);
      view = new DataView(image.buffer);
    });

    const field = (at: number): number => view.getInt32(SUPERBLOCK + at, little);

    /** The image with a number of 32 bits changed. */
    function poked(at: number, value: number): Uint8Array {
      const changed = image.slice();
      new DataView(changed.buffer).setUint32(at, value >>> 0, little);
      return changed;
    }

    /** Where an inode is. */
    const inodeAt = (id: number): number => field(16) * field(52) + id * (version === 1 ? 128 : 256);

    /** Where the pointers of an inode are; changes one. */
    function pointed(id: number, index: number, fragment: number): Uint8Array {
      const at = inodeAt(id) + (version === 1 ? 40 + index * 4 : 112 + index * 8);
      const changed = image.slice();
      const pointers = new DataView(changed.buffer);
      if (version === 1) pointers.setUint32(at, fragment, little);
      else pointers.setBigInt64(at, BigInt(fragment), little);
      return changed;
    }

    async function idOf(path: string): Promise<number> {
      const fs = await start(image);
      const id = await fs.with(path, (vnode) => vnode.id);
      await fs.end();
      return id;
    }

    const start = (bytes: Uint8Array): Promise<Mounted> => Mounted.start(bytes.slice(), {}, false, 'ffs');

    test('sizes in the superblock', async () => {
      const cases: readonly (readonly [number, number, RegExp])[] = [
        [48, 12_345, /superblock: blocks of 12345 bytes/],
        [48, 1 << 20, /superblock: blocks of 1048576 bytes/],
        [52, 16, /superblock: fragments of 16 bytes in blocks of 4096/],
        [52, 0, /superblock: fragments of 0 bytes/],
        [44, 0, /superblock: \d+ fragments in 0 groups/],
        [44, 0x7fff_ffff, /superblock: \d+ fragments in 2147483647 groups/],
        [188, 0, /superblock: groups of 0 fragments/],
        [188, 13, /superblock: groups of 13 fragments/],
        [184, 3, /superblock: 3 inodes a group/],
        [184, 0x7fff_ffe0, /superblock: (\d+ inodes a group|structures at)/],
        [16, 0, /superblock: structures at/],
        [20, 0x7fff_0000, /superblock: structures of group 0 outside of it/],
        [160, 0x10_0000, /superblock: group structures of 1048576 bytes/],
        [156, 1, /superblock: a summary of 1 bytes/],
      ];
      for (const [at, value, message] of cases) {
        const error: unknown = await start(poked(SUPERBLOCK + at, value)).catch((thrown: unknown) => thrown);
        expect(error, `field at ${at}`).toBeInstanceOf(FsError);
        expect(String(error), `field at ${at}`).toMatch(message);
      }
      await expect(start(image.slice(0, 3 << 20))).rejects.toThrow(
        /the file system has 12288 fragments of 512 bytes, but the device ends after 3145728 bytes/,
      );
    });

    test('sectors larger than a fragment are refused', async () => {
      const mount = Mounted.start(image.slice(), { sectorSizeBytes: 4096 }, false, 'ffs');
      await expect(mount).rejects.toMatchObject({
        code: 'NotSupported',
        message: `ufs${version}: fragments of 512 bytes on sectors of 4096 bytes`,
      });
    });

    test('pointers that lead nowhere, into structures, or across a block', async () => {
      const file = await idOf('/file');
      const cases: readonly (readonly [number, number, RegExp])[] = [
        [0, 99_999_999, /inode \d+: pointer to fragment 99999999 beyond the 12288 fragments/],
        [3, 16, /inode \d+: pointer to fragment 16, a structure of group 0/],
        [5, 8003, /inode \d+: pointer to fragment 8003, where 8 cross the end of a block/],
        [12, 1, /inode \d+: pointer to fragment 1/],
      ];
      for (const [index, fragment, message] of cases) {
        const fs = await start(pointed(file, index, fragment));
        await expect(fs.contents('/file')).rejects.toThrow(message);
        expect(await fs.list('/many')).toHaveLength(40);
      }
      const looped = await start(pointed(file, 12, 0));
      expect((await looped.contents('/file')).subarray(60_000)).toEqual(new Uint8Array(60_000));
    });

    test('inodes and groups', async () => {
      const file = await idOf('/file');
      const noMode = image.slice();
      new DataView(noMode.buffer).setUint16(inodeAt(file), 0, little);
      await expect((await start(noMode)).contents('/file')).rejects.toThrow(
        `inode ${file} is not in use but has a name`,
      );
      const odd = image.slice();
      new DataView(odd.buffer).setUint16(inodeAt(file), 0x3000, little);
      await expect((await start(odd)).contents('/file')).rejects.toThrow(/unknown type in mode 0x3000/);
      const directory = await idOf('/many');
      const size = inodeAt(directory) + (version === 1 ? 8 : 16);
      const short = image.slice();
      new DataView(short.buffer).setBigUint64(size, 700n, little);
      await expect((await start(short)).list('/many')).rejects.toThrow(/a directory of 700 bytes/);
      const huge = image.slice();
      new DataView(huge.buffer).setBigUint64(size, 1n << 62n, little);
      await expect((await start(huge)).list('/many')).rejects.toThrow(/a directory of \d+ bytes/);
      const group = poked(field(12) * field(52) + 4, 0x1234);
      const fs = await Mounted.start(group, {}, true, 'ffs');
      expect(await fs.list('/many')).toHaveLength(40);
      await expect(fs.write('/new', pattern(10))).rejects.toThrow(
        /cylinder group 0 at fragment \d+: magic number 0x1234/,
      );
      const overlapping = await Mounted.start(poked(field(12) * field(52) + 96, 40), {}, true, 'ffs');
      await expect(overlapping.write('/new', pattern(10))).rejects.toThrow(
        /cylinder group 0 at fragment \d+: maps at \d+, 40, \d+, \d+/,
      );
    });

    test('records of a directory', async () => {
      const directory = await idOf('/many');
      const at = inodeAt(directory) + (version === 1 ? 40 : 112);
      const block = version === 1 ? view.getUint32(at, little) : Number(view.getBigInt64(at, little));
      const third = block * 512 + 24;
      const cases: readonly (readonly [number, number, RegExp])[] = [
        [third + 4, 6, /directory piece 0: record at 24 has length 6/],
        [third + 4, 4000, /directory piece 0: record at 24 reaches past its piece with length 4000/],
        [third + 4, 8, /directory piece 0: record at 24 has length 8/],
      ];
      for (const [offset, value, message] of cases) {
        const changed = image.slice();
        new DataView(changed.buffer).setUint16(offset, value, little);
        await expect((await start(changed)).list('/many')).rejects.toThrow(message);
      }
      const beyond = poked(third, 0x00ff_ffff);
      await expect((await start(beyond)).list('/many')).rejects.toThrow(/names inode 16777215 of \d+/);
    });

    test('any bytes changed: no crash, no hang, no other error', { timeout: 120_000 }, async () => {
      const spots = structureSpots(image, little, version);
      let mounted = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.tuple(fc.nat(spots.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 }),
          async (changes) => {
            const bytes = image.slice();
            for (const [spot, byte] of changes) bytes[spots[spot] ?? 0] = byte;
            if (await exerciseImage(bytes, 'ffs')) mounted += 1;
          },
        ),
        { numRuns: propertyRuns(15), endOnFailure: true },
      );
      expect(mounted).toBeGreaterThan(3);
    });
  });
}

/** The bytes that are likely to matter: superblock, first group, its inodes in use, directories. */
function structureSpots(image: Uint8Array, little: boolean, version: 1 | 2): number[] {
  const view = new DataView(image.buffer);
  const spots: number[] = [];
  const add = (from: number, count: number): void => {
    for (let at = from; at < from + count; at += 1) if (image[at] !== 0) spots.push(at);
  };
  const fsize = view.getInt32(SUPERBLOCK + 52, little);
  add(SUPERBLOCK, 1376);
  add(view.getInt32(SUPERBLOCK + 12, little) * fsize, 4096);
  add(view.getInt32(SUPERBLOCK + 16, little) * fsize, 50 * (version === 1 ? 128 : 256));
  add(view.getInt32(SUPERBLOCK + 20, little) * fsize, 16_384);
  return spots;
}
