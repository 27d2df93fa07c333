/** File systems with bigalloc are written: holes, growth and cuts within clusters and across them. */
import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { findingsAfterReplay, ourFindings } from './our-check.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

describe.skipIf(missingTools)(`clusters are written ${missingTools ?? ''}`, () => {
  for (const [blockSize, cluster, more] of [
    ['1024', 4096, ''],
    ['1024', 65_536, ',^has_journal'],
    ['4096', 16_384, ',^metadata_csum'],
  ] as const) {
    test(`of ${cluster} bytes, blocks of ${blockSize}${more}`, { timeout: 60_000 }, async (context) => {
      skipIfLong(context, blockSize === '4096');
      const args = ['-t', 'ext4', '-b', blockSize, '-O', `bigalloc${more}`, '-C', `${cluster}`, '-N', '256'];
      const image = workshop.make('24M', args, { made: pattern(200_000), small: pattern(10) });
      const fs = await Mounted.start(image);
      expect(fs.hypercalls.lines).toEqual([]);
      const random = randomFrom(cluster);
      const upTo = (end: number): number => Math.floor(random() * end);
      const size = 40 * Number(blockSize);
      const files = Array.from({ length: 8 }, (_unused, index) => ({
        path: `/f${index}`,
        bytes: new Uint8Array(size),
        length: 0,
      }));
      for (const { path } of files) await fs.write(path, new Uint8Array(0));
      for (let round = 0; round < 160; round += 1) {
        const file = files[upTo(files.length)];
        if (file === undefined) break;
        await fs.with(file.path, async (vnode) => {
          if (random() < 0.75) {
            const from = upTo(size - 1);
            const piece = pattern(1 + upTo(Math.min(size - from, 5000)), round);
            await fs.mount.write(vnode, from, piece);
            file.bytes.set(piece, from);
            file.length = Math.max(file.length, from + piece.length);
          } else {
            const length = upTo(size);
            await fs.mount.truncate(vnode, length);
            if (length < file.length) file.bytes.fill(0, length);
            file.length = length;
          }
        });
        if (round % 40 === 39) {
          await fs.mount.sync();
          const found = await findingsAfterReplay(fs.hypercalls.bytes.slice());
          const unclean = 'harmless: superblock: was not unmounted cleanly';
          expect(found).toBe(more.includes('^has_journal') ? unclean : '');
        }
      }
      for (let index = 0; index < 60; index += 1) await fs.mkdir(`/d${index} ${'n'.repeat(index)}`);
      await fs.symlink('/link', 't'.repeat(150));
      for (let index = 0; index < 60; index += 2) await fs.rmdir(`/d${index} ${'n'.repeat(index)}`);
      for (const { path, bytes, length } of files)
        expect(same(await fs.contents(path), bytes.subarray(0, length)), path).toBe(true);
      expect(same(await fs.contents('/made'), pattern(200_000))).toBe(true);
      const done = await fs.end();
      expect(workshop.check(done)).toBe('');
      expect(await ourFindings(done, 'ext2')).toBe('');
      const again = await Mounted.start(done);
      for (const { path, bytes, length } of files) {
        expect(same(workshop.dump(done, path), bytes.subarray(0, length)), path).toBe(true);
        await again.unlink(path);
      }
      await again.unlink('/link');
      await again.unlink('/made');
      await again.end();
      expect(workshop.check(done)).toBe('');
      expect(await ourFindings(done, 'ext2')).toBe('');
    });
  }
});
