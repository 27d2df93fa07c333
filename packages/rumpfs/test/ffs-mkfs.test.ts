/** New file systems of all kinds: judged by our checker, sleuthkit and grub, and used. */
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { makeFfs } from '../src/mkfs/make-ffs.ts';
import { FFS_FORMS, FfsWorkshop, missingGrub, missingSleuthkit } from './ffs-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new FfsWorkshop();
afterAll(() => workshop.dispose());

const WORLD = { nowMs: 1_700_000_000_000, random: (into: Uint8Array): void => void into.fill(7) };

describe('a new FFS', () => {
  for (const form of FFS_FORMS) {
    for (const mebibytes of [6, 40]) {
      test(`${form.title}, ${mebibytes} MiB`, async (context) => {
        const usual =
          form.blockBytes === 4096 ? mebibytes === 6 : form.blockBytes === 65_536 && form.order === 'be';
        skipIfLong(context, !usual);
        // What was there before must not shine through.
        const image = new Uint8Array(mebibytes << 20).fill(0xe7);
        const hypercalls = new MemoryHypercalls(image);
        const shares: number[] = [];
        await makeFfs(
          hypercalls.bio,
          {
            version: form.version,
            order: form.order === 'le' ? 'little' : 'big',
            blockBytes: form.blockBytes,
            fragmentBytes: form.fragmentBytes,
            label: 'A-label.1',
          },
          { ...WORLD, progress: (share) => void shares.push(share) },
        );
        expect(shares.at(-1)).toBe(1);
        expect(await ourFindings(image, 'ffs')).toBe('');
        const fs = await Mounted.start(image, {}, true, 'ffs');
        expect(fs.mount.writeable).toBe(true);
        expect(fs.hypercalls.lines).toEqual([]);
        expect(fs.mount.statistics()).toMatchObject({ type: `ufs${form.version}`, label: 'A-label.1' });
        await fs.mkdir('/directory');
        await fs.write('/directory/file', pattern(700_000));
        for (let index = 0; index < 100; index += 1)
          await fs.write(`/directory/${index}`, pattern(100, index));
        const id = await fs.with('/directory/file', (vnode) => vnode.id);
        await fs.end();
        expect(await ourFindings(image, 'ffs')).toBe('');
        const saved = workshop.save(image);
        if (form.version === 1 && missingSleuthkit === undefined) {
          expect(same(workshop.icat(saved, id), pattern(700_000))).toBe(true);
          const stat = new TextDecoder().decode(workshop.run('fsstat', ['-f', 'ufs', saved]));
          expect(stat).toContain('File System Type: UFS 1');
        }
        if (form.order === 'le' && missingGrub === undefined)
          expect(same(workshop.grub(saved, '/directory/file'), pattern(700_000))).toBe(true);
      });
    }
  }

  test('the usual sizes are those of NetBSD', async () => {
    const image = new Uint8Array(30 << 20);
    await makeFfs(new MemoryHypercalls(image).bio, {}, WORLD);
    const view = new DataView(image.buffer);
    expect(view.getInt32(65_536 + 48, true)).toBe(8192);
    expect(view.getInt32(65_536 + 52, true)).toBe(1024);
    expect(await ourFindings(image, 'ffs')).toBe('');
  });

  test('wishes that cannot be are refused before anything is written', async () => {
    const hypercalls = new MemoryHypercalls(new Uint8Array(300 << 10));
    const cases = [
      [{ blockBytes: 1000 }, 'ffs: blocks of 1000 bytes: 4096 to 65536 are possible'],
      [
        { blockBytes: 16_384, fragmentBytes: 1024 },
        'ffs: fragments of 1024 bytes in blocks of 16384: 1, 2, 4 or 8 are possible',
      ],
      [{ blockBytes: 65_536 }, 'ffs: a device of 307200 bytes is too small for it'],
      [{ label: 'with blanks' }, '"with blanks" is no label of an FFS: at most 32 of A-Z a-z 0-9 . _ -'],
      [{ bytesPerInode: 0 }, 'ffs: 0 bytes for each inode'],
    ] as const;
    for (const [options, message] of cases)
      await expect(makeFfs(hypercalls.bio, options, WORLD)).rejects.toMatchObject({
        code: 'InvalidArgument',
        message,
      });
    expect(hypercalls.requests.write).toBe(0);
    const large = new MemoryHypercalls(new Uint8Array(4 << 20), { sectorSizeBytes: 4096 });
    await expect(makeFfs(large.bio, { blockBytes: 4096 }, WORLD)).rejects.toThrow(
      'ffs: fragments of 512 bytes on sectors of 4096',
    );
  });

  test('every size of a device from small to large is checked as sound', async (context) => {
    skipIfLong(context);
    for (let kibibytes = 900; kibibytes < 12_000; kibibytes += 133) {
      const image = new Uint8Array(kibibytes << 10);
      const version = kibibytes % 2 === 0 ? 1 : 2;
      await makeFfs(new MemoryHypercalls(image).bio, { version, blockBytes: 4096 }, WORLD);
      expect(await ourFindings(image, 'ffs'), `${kibibytes} KiB`).toBe('');
    }
  });
});
