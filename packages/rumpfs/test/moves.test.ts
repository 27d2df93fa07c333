/**
 * A file that was synced and then moved, into a new directory for example, has one of its names
 * whenever the power fails: on every format without a journal that keeps an order of its writes,
 * also where the nodes that the order is about have left memory meanwhile.
 */
import { afterAll, expect, test } from 'vitest';
import { mountFileSystem } from '../src/file-systems.ts';
import { CrashStates, RecordedDisk } from './crash/recorded-disk.ts';
import { missingTools, Workshop } from './e2fsprogs.ts';
import { ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';
import { ffsForm, FfsWorkshop, missingMakefs } from './ffs-tools.ts';
import { MemoryHypercalls, randomFrom } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';

const workshops = { ext2: new Workshop(), exfat: new ExfatWorkshop(), ffs: new FfsWorkshop() };
afterAll(() => Object.values(workshops).forEach((workshop) => workshop.dispose()));

const MEMORY_BYTES = 1 << 20;
/** So many sets of blocks are tried at each write. */
const PARTS = 12;

interface Format {
  readonly type: 'ext2' | 'exfat' | 'ffs';
  readonly missing: string | undefined;
  readonly blockBytes: number;
  readonly make: () => Uint8Array;
}

const FORMATS: readonly Format[] = [
  {
    type: 'ext2',
    missing: missingTools,
    blockBytes: 1024,
    make: () => workshops.ext2.make('2M', ['-b', '1024', '-N', '512']),
  },
  {
    type: 'ffs',
    missing: missingMakefs,
    blockBytes: 512,
    make: () => workshops.ffs.make({ ...ffsForm(2, 'le', 4096), options: 'density=2048', size: '2m' }),
  },
  {
    type: 'exfat',
    missing: missingExfatTools,
    blockBytes: 512,
    make: () => workshops.exfat.make({ sizeBytes: 2 << 20, args: ['-c', '512', '-b', '4096'] }),
  },
];

/** Whether a file with those contents has one of the names. */
async function isThere(
  image: Uint8Array,
  type: Format['type'],
  paths: readonly string[],
  contents: Uint8Array,
): Promise<boolean> {
  const fs = await Mounted.start(image, {}, false, type);
  for (const path of paths) {
    const found = await fs.contents(path).catch(() => undefined);
    if (found !== undefined && same(found, contents)) return true;
  }
  return false;
}

/** More files than nodes that nobody holds are kept in memory. */
const OTHERS = 300;

interface Move {
  readonly title: string;
  readonly types: readonly Format['type'][];
  /** What is done in the end, between moments at which other nodes may be used. */
  readonly steps: readonly ((fs: Mounted) => Promise<unknown>)[];
  readonly to: string;
}

const MOVES: readonly Move[] = [
  {
    title: 'into new directories',
    types: ['ext2', 'ffs', 'exfat'],
    steps: [
      // What leaves the block in which the new directory gets its name has that block wait.
      (fs) => fs.rename('/goal/F0', '/other/F0'),
      (fs) => fs.mkdir('/goal/new'),
      (fs) => fs.mkdir('/goal/new/deep'),
      (fs) => fs.rename('/home/file', '/goal/new/deep/file'),
    ],
    to: '/goal/new/deep/file',
  },
  {
    title: 'by a link, and then without the first name',
    types: ['ext2', 'ffs'],
    steps: [
      (fs) => fs.rename('/goal/F0', '/other/F0'),
      (fs) => fs.link('/home/file', '/goal/linked'),
      (fs) => fs.unlink('/home/file'),
    ],
    to: '/goal/linked',
  },
];

/** Uses so many other nodes that those of the move leave memory. */
async function forget(fs: Mounted): Promise<void> {
  for (let index = 0; index < OTHERS; index += 1) await fs.with(`/many/f${index}`, async () => {});
}

for (const { type, missing, blockBytes, make } of FORMATS) {
  for (const { title, steps, to } of MOVES.filter((move) => move.types.includes(type))) {
    test.skipIf(missing).each(['at once', 'after other files were used'])(
      `${type}, ${title}, %s ${missing ?? ''}`,
      async (when) => {
        const contents = pattern(700, 5);
        const disk = new RecordedDisk(make(), MEMORY_BYTES, 1);
        const fs = new Mounted(
          new MemoryHypercalls(disk.base),
          await mountFileSystem(disk, type, { writeable: true }),
        );
        for (const path of ['/goal', '/home', '/other', '/many']) await fs.mkdir(path);
        await fs.write('/home/file', contents);
        await fs.write('/goal/F0', pattern(10));
        for (let index = 0; index < OTHERS; index += 1) await fs.write(`/many/f${index}`, pattern(1));
        await fs.mount.sync();
        const synced = disk.events.length;
        for (const step of steps) {
          await step(fs);
          if (when !== 'at once') await forget(fs);
        }
        await fs.mount.sync();
        const states = new CrashStates(disk, blockBytes);
        const random = randomFrom(7);
        const crashed = disk.base.slice();
        for (let end = synced; end <= disk.events.length; end += 1) {
          for (let part = 0; part < PARTS; part += 1) {
            states.at(crashed, end, () => random() < 0.5, random);
            expect(
              await isThere(crashed.slice(), type, ['/home/file', to], contents),
              `before event ${end}`,
            ).toBe(true);
          }
        }
        await fs.mount.unmount();
      },
    );
  }
}
