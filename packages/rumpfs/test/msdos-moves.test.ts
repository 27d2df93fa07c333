/** A file that was synced and then moved has one of its names, whenever the power fails. */
import { afterAll, describe, expect, test } from 'vitest';
import { mountFileSystem } from '../src/file-systems.ts';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';
import { FatWorkshop, missingFatTools } from './fat-tools.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshop = new FatWorkshop();
afterAll(() => workshop.dispose());

const IMAGE = { sizeBytes: 1 << 20, args: ['-F', '12', '-s', '1'] };
const SECTOR_BYTES = 512;
/** So many sets of sectors are tried at each write. */
const PARTS = 12;

/** Whether a file with those contents has one of the names. */
async function isThere(image: Uint8Array, paths: readonly string[], contents: Uint8Array): Promise<boolean> {
  const fs = await Mounted.start(image, {}, false, 'msdos');
  for (const path of paths) {
    const found = await fs.contents(path).catch(() => undefined);
    if (found !== undefined && same(found, contents)) return true;
  }
  return false;
}

interface Move {
  readonly title: string;
  /** So many files, of a slot each, are in the directory of the goal before. */
  readonly there: number;
  /** Those of them that are removed then. */
  readonly removed: readonly number[];
  /** What happens just before the move, and is not synced. */
  readonly before: (fs: Mounted) => Promise<void>;
  readonly to: string;
}

/**
 * A file that leaves the sector which the new entry needs, so that this one has to wait itself; else
 * all sectors with names would be written together, and before that of the old entry.
 */
const leave = (fs: Mounted, name: string): Promise<void> => fs.rename(`/goal/${name}`, `/other/${name}`);

const MOVES: readonly Move[] = [
  {
    title: 'into a new directory',
    there: 1,
    removed: [],
    before: async (fs) => {
      await leave(fs, 'F0');
      await fs.mkdir('/goal/new');
    },
    to: '/goal/new/file',
  },
  {
    title: 'to a name over three sectors',
    there: 40,
    // A name of 21 slots begins in the last one of the first sector.
    removed: Array.from({ length: 21 }, (_none, index) => index + 13).filter((index) => index !== 20),
    before: (fs) => leave(fs, 'F20'),
    to: `/goal/${'long '.repeat(50)}!`,
  },
  {
    title: 'behind the former end of a directory',
    there: 13,
    removed: [],
    before: async (fs) => {
      await fs.write('/goal/OTHER', pattern(10));
      await leave(fs, 'F0');
    },
    to: '/goal/a name of several slots',
  },
];

describe.skipIf(missingFatTools)(`msdos moves when the power fails ${missingFatTools ?? ''}`, () => {
  for (const { title, there, removed, before, to } of MOVES) {
    test(title, async () => {
      const contents = pattern(700, 5);
      const disk = new RecordedDisk(workshop.make(IMAGE), 1 << 20, 1);
      const fs = new Mounted(
        new MemoryHypercalls(disk.base),
        await mountFileSystem(disk, 'msdos', { writeable: true }),
      );
      await fs.mkdir('/goal');
      await fs.mkdir('/home');
      await fs.mkdir('/other');
      await fs.write('/home/file', contents);
      for (let index = 0; index < there; index += 1) await fs.write(`/goal/F${index}`, pattern(10));
      for (const index of removed) await fs.unlink(`/goal/F${index}`);
      await fs.mount.sync();
      const synced = disk.events.length;
      await before(fs);
      await fs.rename('/home/file', to);
      await fs.mount.sync();
      const states = new CrashStates(disk, SECTOR_BYTES);
      const random = randomFrom(7);
      const crashed = disk.base.slice();
      for (let end = synced; end <= disk.events.length; end += 1) {
        for (let part = 0; part < PARTS; part += 1) {
          states.at(crashed, end, () => random() < 0.5, random);
          expect(await isThere(crashed, ['/home/file', to], contents), `before event ${end}`).toBe(true);
        }
      }
      await fs.mount.unmount();
    });
  }
});
