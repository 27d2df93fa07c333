/** Images of makefs, in all its kinds, read byte for byte. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { FFS_FORMS, type FfsForm, FfsWorkshop, ffsForm, fillFolder, missingMakefs } from './ffs-tools.ts';
import { expectSameTree } from './iso-tools.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

const folders = new Map<string, string>();

/** The folder with what suits the sizes of a form. */
function folderFor(form: FfsForm): string {
  const key = `${form.blockBytes}/${form.fragmentBytes}`;
  const known = folders.get(key);
  if (known !== undefined) return known;
  const made = workshop.tree();
  fillFolder(made, form);
  folders.set(key, made);
  return made;
}

describe.skipIf(missingMakefs)(`FFS read ${missingMakefs ?? ''}`, () => {
  for (const form of FFS_FORMS) {
    test(`${form.title}: everything in it`, async (context) => {
      const usual = form.blockBytes === 4096 || (form.blockBytes === 65_536 && form.order === 'be');
      skipIfLong(context, !usual && !(form.fragmentBytes === 1024 && form.order === 'le'));
      const folder = folderFor(form);
      const image = workshop.make(form, folder);
      const fs = await Mounted.start(image, {}, false, 'ffs');
      expect(fs.mount.type).toBe(`ufs${form.version}`);
      expect(await expectSameTree(fs, folder, { unix: true })).toBeGreaterThan(175);
      const { blockSizeBytes } = fs.mount.statistics();
      expect(blockSizeBytes).toBe(form.fragmentBytes);
      await fs.end();
      expect(fs.hypercalls.requests.write).toBe(0);
    });
  }

  test('auto finds it, also with little memory and requests in random order', async () => {
    const form = ffsForm(2, 'be', 4096);
    const folder = folderFor(form);
    const options = { memoryBytes: 96 * 1024, shuffleSeed: 5 };
    const fs = await Mounted.start(workshop.make(form, folder), options, false, 'auto');
    expect(fs.mount.type).toBe('ufs2');
    await expectSameTree(fs, folder, { unix: true });
    await fs.end();
  });

  describe('the superblock', () => {
    let image: Uint8Array = new Uint8Array(0);
    beforeAll(() => {
      const folder = workshop.tree();
      fillFolder(folder, ffsForm(2, 'le', 8192));
      image = workshop.make(ffsForm(2, 'le', 8192), folder);
    });

    test('is found where it says that it is: at 64 KiB, at 0 and at 256 KiB, too', async () => {
      // A group of makefs begins with room for all of these places but the last.
      const moved = (offset: number): Uint8Array => {
        const bytes = image.slice();
        const block = bytes.slice(8192, 8192 + 1376);
        bytes.fill(0, 8192, 8192 + 1376);
        bytes.set(block, offset);
        new DataView(bytes.buffer).setBigInt64(offset + 1000, BigInt(offset), true);
        return bytes;
      };
      for (const offset of [0, 65_536, 262_144]) {
        const before = image.slice(offset, offset + 1376);
        const bytes = moved(offset);
        const fs = await Mounted.start(bytes, {}, false, 'ffs');
        // Where that place has other contents, only the superblock matters here.
        if (before.every((byte) => byte === 0)) expect(await fs.list('/a')).toEqual(['b']);
        expect(fs.mount.statistics().blocks).toBeGreaterThan(20_000);
      }
    });

    test('a copy is none', async () => {
      const bytes = image.slice();
      bytes.copyWithin(65_536, 8192, 8192 + 1376);
      bytes.fill(0, 8192, 8192 + 1376);
      await expect(Mounted.start(bytes, {}, false, 'ffs')).rejects.toMatchObject({
        code: 'NoFileSystem',
        message: 'ffs: no superblock at 65536, 8192, 0, 262144 bytes',
      });
    });
  });
});

/** Poked into an image: that it has inodes and directories of 4.2BSD. */
function asOld(image: Uint8Array, little: boolean): Uint8Array {
  const bytes = image.slice();
  const view = new DataView(bytes.buffer);
  const sb = 8192;
  const i32 = (at: number): number => view.getInt32(sb + at, little);
  view.setInt32(sb + 1320, 0, little);
  view.setInt32(sb + 1324, -1, little);
  const [fsize, bsize, ipg, inodes] = [i32(52), i32(48), i32(184), i32(16)];
  const owner = 77;
  for (let ino = 2; ino < ipg; ino += 1) {
    const at = inodes * fsize + ino * 128;
    const mode = view.getUint16(at, little);
    if (mode === 0) continue;
    view.setUint16(at + 4, owner, little);
    view.setUint16(at + 6, owner + 1, little);
    if (mode >>> 12 !== 4) continue;
    const size = Number(view.getBigUint64(at + 8, little));
    for (let from = 0; from < size; from += 512) {
      const start = view.getUint32(at + 40 + Math.floor(from / bsize) * 4, little) * fsize + (from % bsize);
      for (let offset = start; offset < start + 512; offset += view.getUint16(offset + 4, little)) {
        const length = view.getUint8(offset + 7);
        view.setUint16(offset + 6, length, little);
      }
    }
  }
  return bytes;
}

describe.skipIf(missingMakefs)(`FFS of 4.2BSD ${missingMakefs ?? ''}`, () => {
  for (const order of ['le', 'be'] as const) {
    test(`${order}: names without types, owners of 16 bits, read-only`, async () => {
      const folder = workshop.tree();
      const form = ffsForm(1, order, 4096);
      fillFolder(folder, form);
      // Short links need their place in the inode: without it they are files.
      const image = asOld(workshop.make(form, folder), order === 'le');
      const fs = await Mounted.start(image, {}, true, 'ffs');
      expect(fs.mount.writeable).toBe(false);
      expect(fs.hypercalls.lines).toEqual(['ufs1: mounted read-only because it has inodes of 4.2BSD']);
      expect(await fs.list('/many')).toHaveLength(150);
      await fs.with('/long', (vnode) =>
        expect(fs.mount.attributes(vnode)).toMatchObject({ uid: 77, gid: 78, type: 'file' }),
      );
      expect(same(await fs.contents('/long'), pattern(4_500_000, 9))).toBe(true);
      const link = await fs.mount.lookup(fs.mount.root, 'short-link');
      expect(await fs.mount.readLink(link)).toBe('file-1');
      await fs.mount.release(link);
      await fs.end();
    });
  }
});
