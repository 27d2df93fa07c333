import { afterAll, describe, expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { FsError } from '../src/errors.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new Workshop();
afterAll(() => workshop.dispose());

/** Changes of all kinds, all in one directory. */
async function stir(fs: Mounted, random: () => number, round: number): Promise<void> {
  const pick = (): string => `/busy/${Math.floor(random() * 30)}`;
  const tasks = Array.from({ length: 40 }, async (_unused, index) => {
    const choice = random();
    if (choice < 0.4) await fs.write(pick(), pattern(Math.floor(random() * 60_000), round + index));
    else if (choice < 0.6) await fs.unlink(pick());
    else if (choice < 0.7) await fs.rename(pick(), pick());
    else if (choice < 0.8)
      await fs.with(pick(), (vnode) => fs.mount.truncate(vnode, Math.floor(random() * 50_000)));
    else if (choice < 0.9) await fs.mkdir(`${pick()}-directory`);
    else await fs.with(pick(), (vnode) => fs.mount.append(vnode, pattern(9000, index)));
  });
  for (const outcome of await Promise.allSettled(tasks)) {
    if (outcome.status === 'rejected' && !(outcome.reason instanceof FsError)) throw outcome.reason;
  }
}

describe.skipIf(missingTools)(`ext2 after a power failure ${missingTools ?? ''}`, () => {
  for (const blockSize of [1024, 4096]) {
    test(`${blockSize} bytes a block: synced files are there, and e2fsck mends the rest`, {
      timeout: 120_000,
    }, async (context) => {
      skipIfLong(context, blockSize === 4096);
      const random = randomFrom(blockSize);
      const fresh = workshop.make('8M', ['-b', String(blockSize), '-N', '512', '-g', '2048']);
      for (let round = 0; round < 15; round += 1) {
        const fs = await Mounted.start(fresh.slice(), {
          volatile: true,
          shuffleSeed: round + 1,
          memoryBytes: 512 * 1024,
        });
        await fs.mkdir('/busy');
        await stir(fs, random, round);
        await fs.mkdir('/kept');
        const kept = Array.from({ length: 10 }, (_unused, index) =>
          pattern(index * 7000, round * 100 + index),
        );
        for (const [index, bytes] of kept.entries()) await fs.write(`/kept/${index}`, bytes);
        await fs.mount.sync();
        expect(workshop.check(fs.hypercalls.crash(() => 1)), 'right after sync').toBe('');
        await stir(fs, random, round);
        const crashed = fs.hypercalls.crash(random);
        const mended = workshop.mend(crashed, ['-f', '-y']);
        expect(workshop.check(mended)).toBe('');
        expect(await ourFindings(mended, 'ext2')).toBe('');
        const paths = kept.map((_bytes, index) => `/kept/${index}`);
        for (const [index, found] of workshop.dumpAll(mended, paths).entries()) {
          expect(same(found, kept[index] ?? new Uint8Array(0)), `file ${index}`).toBe(true);
        }
        const again = await Mounted.start(crashed);
        for (const [index, bytes] of kept.entries()) {
          expect(same(await again.contents(`/kept/${index}`), bytes), `file ${index} without a check`).toBe(
            true,
          );
        }
      }
    });
  }
});
