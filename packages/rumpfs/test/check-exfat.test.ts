/**
 * Images of exFAT with one defect each, of every kind that the checker knows: each is found, and
 * nothing else is; the repair mends it, and what it does not concern stays. fsck.exfat finds most
 * of them, too; which ones it does not, each says.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkFileSystem, mountFileSystem, repairFileSystem } from '../src/file-systems.ts';
import { ExfatPokes } from './exfat-pokes.ts';
import { ExfatWorkshop, missingExfatTools } from './exfat-tools.ts';
import { MemoryHypercalls } from './memory-hypercalls.ts';
import { Mounted, pattern, same } from './mounting.ts';
import { ourFindings } from './our-check.ts';

const workshop = new ExfatWorkshop();
afterAll(() => workshop.dispose());

interface Defect {
  readonly title: string;
  readonly make: (pokes: ExfatPokes) => void;
  /** All that is found, in any order: each line is one of these. */
  readonly found: readonly RegExp[];
  /** What fsck.exfat does not know, or what it knows and `-n` only warns of. */
  readonly ours?: true;
  /** What is left after the repair; nothing, as a rule. */
  readonly left?: readonly RegExp[];
  /** Whether all files keep their contents. */
  readonly keeps?: true;
}

const LOST = /^harmless: bitmap: \d+ clusters from \d+ on are in use, but belong to nothing/;

const DEFECTS: readonly Defect[] = [
  {
    title: 'a boot region with a wrong checksum',
    make: ({ bytes }) => (bytes[200] = 0x99),
    found: [/^damage: boot sector: the checksum at byte 5632 is not 0x/],
    keeps: true,
  },
  {
    title: 'a boot sector that is none',
    make: ({ bytes }) => bytes.fill(0, 0, 512),
    found: [/^damage: boot sector: it is that of no exFAT/],
    keeps: true,
  },
  {
    title: 'a backup that is none',
    make: ({ bytes }) => bytes.fill(0, 12 * 512, 13 * 512),
    found: [/^harmless: backup of the boot sector: it is not what the first one is/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a backup with another serial number',
    make: (pokes) => {
      pokes.view.setUint32(12 * 512 + 100, 7, true);
      pokes.sealBoot(12 * 512);
    },
    found: [/^harmless: backup of the boot sector: it is not what the first one is/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a sector of the boot code without its signature',
    make: (pokes) => {
      for (const at of [0, 12 * 512]) {
        pokes.view.setUint32(at + 3 * 512 - 4, 1, true);
        pokes.sealBoot(at);
      }
    },
    found: [/^harmless: boot sector 2: it has no signature/],
    left: [/^harmless: boot sector 2: it has no signature/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a volume in use',
    make: ({ bytes }) => (bytes[106] = 2),
    found: [/^harmless: volume: was not unmounted cleanly/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a medium that has failed',
    make: ({ bytes }) => (bytes[106] = 4),
    found: [/^harmless: volume: its medium is marked as one that has failed/],
    left: [/^harmless: volume: its medium is marked/],
    ours: true,
    keeps: true,
  },
  {
    title: 'too much in use',
    make: ({ bytes }) => (bytes[112] = 200),
    found: [/^harmless: boot sector: 200 percent are in use/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a first entry of the FAT that is another one',
    make: (pokes) => pokes.view.setUint32(pokes.fat(0), 5, true),
    found: [/^harmless: FAT: entry 0 is 0x5, not 0xfffffff8/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a second entry of the FAT that is another one',
    make: (pokes) => pokes.view.setUint32(pokes.fat(1), 0, true),
    found: [/^harmless: FAT: entry 1 is 0x0, not 0xffffffff/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a file with a cluster that is marked as free',
    make: (pokes) => pokes.flip(pokes.first('file') + 1),
    found: [/^damage: bitmap: 1 clusters from \d+ on have owners, but are marked as free/],
    keeps: true,
  },
  {
    title: 'a cluster that belongs to nothing',
    make: (pokes) => pokes.flip(pokes.clusters),
    ours: true,
    found: [LOST],
    keeps: true,
  },
  {
    title: 'a bitmap that is too long',
    make: (pokes) => pokes.set64(pokes.volumeEntry(0x81) + 24, 3000),
    ours: true,
    found: [/^harmless: allocation bitmap: it has 3000 bytes, not \d+/],
    left: [/^harmless: allocation bitmap/],
    keeps: true,
  },
  {
    title: 'an up-case table with a wrong checksum',
    make: (pokes) => pokes.view.setUint32(pokes.volumeEntry(0x82) + 4, 1, true),
    found: [/^damage: up-case table: its checksum is 0xe619d30d, not 0x1/],
    left: [/^damage: up-case table/],
  },
  {
    title: 'no up-case table',
    make: (pokes) => (pokes.bytes[pokes.volumeEntry(0x82)] = 0x02),
    found: [/^damage: \/: 0 up-case tables/, LOST, /the hash of its name/],
    left: [/^damage: \/: 0 up-case tables/],
  },
  {
    title: 'a label that is too long',
    make: (pokes) => (pokes.bytes[pokes.volumeEntry(0x83) + 1] = 14),
    found: [/^harmless: \/ at \d+: a label of 14 units/],
    ours: true,
    keeps: true,
  },
  {
    title: 'two labels',
    make: (pokes) =>
      pokes.bytes.copyWithin(pokes.rootEnd, pokes.volumeEntry(0x83), pokes.volumeEntry(0x83) + 32),
    found: [/^harmless: \/: 2 labels/],
    left: [/^harmless: \/: 2 labels/],
    ours: true,
    keeps: true,
  },
  {
    title: 'a root directory with something unknown',
    make: (pokes) => (pokes.bytes[pokes.rootEnd] = 0x86),
    found: [/^damage: \/ at \d+: an unknown entry 0x86/],
    left: [/^damage: \/ at \d+: an unknown entry 0x86/],
  },
  {
    title: 'entries with a wrong checksum',
    make: (pokes) => pokes.view.setUint16(pokes.set('file') + 2, 0x1234, true),
    found: [/^damage: \/directory\/file: its checksum is 0x1234, not 0x/],
    keeps: true,
  },
  {
    title: 'a name with a wrong hash',
    make: (pokes) => {
      pokes.view.setUint16(pokes.stream('file', 4), 0x1234, true);
      pokes.seal(pokes.set('file'));
    },
    found: [/^damage: \/directory\/file: the hash of its name is 0x1234, not 0x/],
    keeps: true,
  },
  {
    title: 'a name with a slash',
    make: (pokes) => {
      const at = pokes.set('other');
      pokes.bytes[at + 64 + 4] = 0x2f;
      pokes.seal(at);
    },
    found: [/no name holds such characters/, /the hash of its name/],
  },
  {
    title: 'two files with one name',
    make: (pokes) => {
      const at = pokes.set('other');
      pokes.bytes.copyWithin(at + 64, pokes.set('whole') + 64, pokes.set('whole') + 96);
      pokes.bytes.copyWithin(at + 32 + 4, pokes.set('whole') + 32 + 4, pokes.set('whole') + 32 + 6);
      pokes.seal(at);
    },
    ours: true,
    found: [/^damage: \/directory\/whole: two entries have this name/],
  },
  {
    title: 'a first cluster beyond the end',
    make: (pokes) => {
      pokes.view.setUint32(pokes.stream('file', 20), 99_999, true);
      pokes.seal(pokes.set('file'));
    },
    found: [/^damage: \/directory\/file: leads to cluster 99999, which there is not/, LOST],
  },
  {
    title: 'a file in one piece that goes beyond the end',
    make: (pokes) => {
      pokes.view.setUint32(pokes.stream('file', 20), pokes.clusters, true);
      pokes.seal(pokes.set('file'));
    },
    found: [
      /^damage: \/directory\/file: leads to cluster \d+, which there is not/,
      /^damage: bitmap: \d clusters from \d+ on have owners/,
      LOST,
    ],
  },
  {
    title: 'two files with the same clusters',
    make: (pokes) => {
      pokes.view.setUint32(pokes.stream('other', 20), pokes.first('file'), true);
      pokes.seal(pokes.set('other'));
    },
    found: [/^damage: \/directory\/other: shares cluster \d+ with another/, LOST],
  },
  {
    title: 'a chain that leads nowhere',
    make: (pokes) => {
      pokes.chain('file');
      pokes.view.setUint32(pokes.fat(pokes.first('file') + 1), 0, true);
    },
    found: [/^damage: \/directory\/file: leads to cluster 0, which there is not/, LOST],
  },
  {
    title: 'a chain that leads in a circle',
    make: (pokes) => {
      pokes.chain('file');
      pokes.view.setUint32(pokes.fat(pokes.first('file') + 1), pokes.first('file'), true);
    },
    found: [/^damage: \/directory\/file: shares cluster \d+ with another, or with itself/, LOST],
  },
  {
    title: 'a chain that is too short',
    make: (pokes) => {
      pokes.chain('file');
      pokes.view.setUint32(pokes.fat(pokes.first('file') + 1), 0xffff_ffff, true);
    },
    found: [/^damage: \/directory\/file: has 2 clusters, not 5/, LOST],
  },
  {
    title: 'a chain that is too long',
    make: (pokes) => {
      pokes.chain('file');
      pokes.set64(pokes.stream('file', 8), 5000);
      pokes.set64(pokes.stream('file', 24), 5000);
      pokes.seal(pokes.set('file'));
    },
    found: [/^harmless: \/directory\/file: has more clusters than the 2 of its size/, LOST],
  },
  {
    title: 'bytes without clusters',
    make: (pokes) => {
      pokes.view.setUint32(pokes.stream('file', 20), 0, true);
      pokes.seal(pokes.set('file'));
    },
    found: [/^damage: \/directory\/file: 20000 bytes, but no clusters/, LOST],
  },
  {
    title: 'clusters without bytes',
    make: (pokes) => {
      pokes.set64(pokes.stream('file', 8), 0);
      pokes.set64(pokes.stream('file', 24), 0);
      pokes.seal(pokes.set('file'));
    },
    found: [/^harmless: \/directory\/file: clusters, but no bytes/, LOST],
  },
  {
    title: 'more bytes written than there are',
    make: (pokes) => {
      pokes.set64(pokes.stream('file', 8), 30_000);
      pokes.seal(pokes.set('file'));
    },
    found: [/^damage: \/directory\/file: more bytes are written than the 20000 that it has/],
    keeps: true,
  },
  {
    title: 'a directory whose size is no clusters',
    make: (pokes) => {
      pokes.set64(pokes.stream('directory', 24), 4000);
      pokes.set64(pokes.stream('directory', 8), 4000);
      pokes.seal(pokes.set('directory'));
    },
    found: [/^damage: \/directory: a directory of 4000 bytes/],
    keeps: true,
  },
  {
    title: 'a directory of which a part is not written',
    make: (pokes) => {
      pokes.set64(pokes.stream('directory', 8), 512);
      pokes.seal(pokes.set('directory'));
    },
    ours: true,
    found: [/^harmless: \/directory: a directory of which only a part is written/],
    keeps: true,
  },
  {
    title: 'entries without their first one',
    make: (pokes) => (pokes.bytes[pokes.set('other')] = 0x05),
    found: [/^damage: \/directory at \d+: an entry 0xc[01] that belongs to none/, LOST],
  },
  {
    title: 'entries of which some are missing',
    make: (pokes) => (pokes.bytes[pokes.set('other') + 64] = 0x41),
    found: [/^damage: \/directory at \d+: 2 of 3 entries of a file/, LOST],
  },
  {
    title: 'entries without that of the contents',
    make: (pokes) => {
      pokes.bytes[pokes.set('other') + 32] = 0xc1;
      pokes.seal(pokes.set('other'));
    },
    found: [/^damage: \/directory at \d+: a file without the entry of its contents/, LOST],
  },
  {
    title: 'a name that is longer than its entries',
    make: (pokes) => {
      pokes.bytes[pokes.stream('other', 3)] = 40;
      pokes.seal(pokes.set('other'));
    },
    found: [/^damage: \/directory at \d+: a file with 1 of 3 entries of its name/, LOST],
  },
  {
    title: 'a file without a name',
    make: (pokes) => {
      pokes.bytes[pokes.stream('other', 3)] = 0;
      pokes.seal(pokes.set('other'));
    },
    found: [/^damage: \/directory at \d+: a file without a name/, LOST],
  },
  {
    title: 'a label in a directory',
    make: (pokes) => {
      const at = pokes.cluster(pokes.first('empty'));
      pokes.bytes.copyWithin(at, pokes.volumeEntry(0x83), pokes.volumeEntry(0x83) + 32);
    },
    found: [/^damage: \/empty\/ at 0: an entry 0x83, which only a root directory has/],
    keeps: true,
  },
  {
    title: 'something behind the end of a directory',
    make: (pokes) => (pokes.bytes[pokes.cluster(pokes.first('empty')) + 320] = 0x85),
    found: [/^harmless: \/empty at 320: an entry behind the end/],
    ours: true,
    keeps: true,
  },
  {
    title: 'more of a name than its length says, and a cluster that belongs to nothing',
    make: (pokes) => {
      const at = pokes.set('last');
      pokes.bytes[at + 1] = 3;
      pokes.bytes[at + 96] = 0xc1;
      pokes.seal(at);
      pokes.flip(pokes.clusters);
    },
    found: [
      /^damage: \/directory\/last: more of a name than its length says/,
      /^harmless: bitmap: 1 clusters from \d+ on are in use, but belong to nothing/,
    ],
    ours: true,
    keeps: true,
  },
  {
    title: 'an unknown entry of a file',
    make: (pokes) => {
      const at = pokes.set('last');
      pokes.bytes[at + 1] = 3;
      pokes.bytes[at + 96] = 0xc6;
      pokes.seal(at);
    },
    found: [/^harmless: \/directory\/last: an unknown entry 0xc6/],
    left: [/^harmless: \/directory\/last: an unknown entry 0xc6/],
  },
];

describe.skipIf(missingExfatTools)(`our checker of exfat ${missingExfatTools ?? ''}`, () => {
  let whole = new Uint8Array(0);
  beforeAll(async () => {
    const image = workshop.make({ sizeBytes: 8 << 20, args: ['-c', '4K', '-L', 'Label'] });
    const fs = await Mounted.start(image, {}, true, 'exfat');
    await fs.mkdir('/directory');
    await fs.write('/directory/file', pattern(20_000));
    await fs.write('/directory/whole', pattern(9000, 2));
    await fs.write('/directory/other', pattern(9000, 3));
    await fs.mkdir('/empty');
    await fs.write('/directory/last', pattern(100));
    whole = (await fs.end()).slice();
  });

  test('a sound image has nothing to find', async () => {
    expect(await ourFindings(whole, 'exfat')).toBe('');
    const { files, directories } = await checkFileSystem(new MemoryHypercalls(whole).bio, 'auto');
    expect({ files, directories }).toEqual({ files: 4, directories: 2 });
  });

  for (const { title, make, found, ours, left = [], keeps } of DEFECTS) {
    test(title, async () => {
      const image = whole.slice();
      make(new ExfatPokes(image));
      const damaged = image.slice();
      const lines = (await ourFindings(image, 'exfat')).split('\n').filter((line) => line !== '');
      expect(same(image, damaged), 'a check changes nothing').toBe(true);
      for (const pattern_ of found) expect(lines.join('\n')).toMatch(new RegExp(pattern_, 'm'));
      expect(lines.filter((line) => !found.some((known) => known.test(line)))).toEqual([]);
      expect(workshop.check(image) === '', `fsck.exfat: ${workshop.check(image)}`).toBe(ours === true);

      const { after } = await repairFileSystem(new MemoryHypercalls(image).bio, 'exfat');
      const remains = after.findings.map(({ kind, text }) => `${kind}: ${text}`);
      expect(remains.filter((line) => !left.some((known) => known.test(line)))).toEqual([]);
      for (const pattern_ of left) expect(remains.join('\n')).toMatch(pattern_);
      if (left.length === 0) expect(workshop.check(image)).toBe('');
      if (left.length > 0 && keeps !== true) return;
      const fs = await Mounted.start(image, {}, false, 'exfat');
      if (!title.includes('two files with one name'))
        expect(same(await fs.contents('/directory/whole'), pattern(9000, 2))).toBe(true);
      if (keeps === true) {
        expect(same(await fs.contents('/directory/file'), pattern(20_000))).toBe(true);
        expect(same(await fs.contents('/directory/other'), pattern(9000, 3))).toBe(true);
      }
      await fs.end();
    });
  }

  test('what nobody can mend is said, and left', async () => {
    const image = whole.slice();
    image.fill(0, 0, 24 * 512);
    await expect(checkFileSystem(new MemoryHypercalls(image).bio, 'exfat')).rejects.toMatchObject({
      code: 'NoFileSystem',
    });
    const other = whole.slice();
    const pokes = new ExfatPokes(other);
    other[pokes.volumeEntry(0x81)] = 0x01;
    await expect(repairFileSystem(new MemoryHypercalls(other).bio, 'exfat')).rejects.toMatchObject({
      code: 'Corrupt',
      message: expect.stringContaining('no allocation bitmap'),
    });
    await expect(
      mountFileSystem(new MemoryHypercalls(other), 'exfat', { writeable: true }),
    ).rejects.toMatchObject({ code: 'Corrupt' });
  });
});
