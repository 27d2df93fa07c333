/** Images of each format with everything in them that is worth damaging, and where that stands. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, Workshop } from '../e2fsprogs.ts';
import { ExfatPokes } from '../exfat-pokes.ts';
import { ExfatWorkshop } from '../exfat-tools.ts';
import { FatWorkshop } from '../fat-tools.ts';
import { IsoWorkshop } from '../iso-tools.ts';
import { Mounted, pattern } from '../mounting.ts';
import { ffsVictims } from './ffs-victims.ts';
import type { Victim } from './mutate.ts';

type Range = Victim['ranges'][number];

const MANY = Object.fromEntries(Array.from({ length: 80 }, (_unused, index) => [`name-${index}`, 'x']));
const TREE = { file: pattern(90_000), directory: { inner: { deep: 'deep' }, other: '' }, many: MANY };

interface ExtKind {
  readonly title: string;
  readonly args: readonly string[];
}

const EXT2_KINDS: readonly ExtKind[] = [
  { title: 'ext2', args: ['-t', 'ext2'] },
  { title: 'ext2, 4 KiB', args: ['-t', 'ext2', '-b', '4096'] },
  { title: 'ext2 with small inodes', args: ['-t', 'ext2', '-I', '128'] },
  { title: 'ext2 in one group of meta_bg', args: ['-t', 'ext2', '-O', 'meta_bg,^resize_inode'] },
];

/** With a journal. */
const EXT4_KINDS: readonly ExtKind[] = [
  { title: 'ext3', args: ['-t', 'ext3'] },
  { title: 'ext4', args: ['-t', 'ext4'] },
  { title: 'ext4 without checksums', args: ['-t', 'ext4', '-O', '^metadata_csum,^64bit'] },
  { title: 'ext4 with inline data', args: ['-t', 'ext4', '-O', '^metadata_csum,inline_data'] },
  { title: 'ext4 with clusters', args: ['-t', 'ext4', '-O', '^metadata_csum,bigalloc', '-C', '4096'] },
];

/** The blocks of structures, as debugfs names them. */
function extRanges(workshop: Workshop, image: Uint8Array): Range[] {
  const view = new DataView(image.buffer, image.byteOffset);
  const size = 1024 << view.getUint32(1024 + 24, true);
  const blocks = new Set<number>();
  const descriptors = (size === 1024 ? 2 : 1) * size;
  for (const offset of [0, 4, 8]) blocks.add(view.getUint32(descriptors + offset, true));
  const table = view.getUint32(descriptors + 8, true);
  for (let block = table; block < table + 24; block += 1) blocks.add(block);
  for (const path of ['/', '/directory', '/many', '/directory/inner', '/pieces', '/other']) {
    const shown = new TextDecoder().decode(workshop.debug(image, `stat ${path}`));
    for (const match of shown.matchAll(/(?:ETB\d\)|IND\)|\(\d+\)|\(\d+-\d+\)|File ACL): ?(\d+)/g))
      blocks.add(Number(match[1]));
  }
  const journal = new TextDecoder()
    .decode(workshop.debug(image, 'blocks <8>'))
    .trim()
    .split(/\s+/)
    .map(Number);
  for (const block of journal.slice(0, 12)) blocks.add(block);
  const places = [...blocks].filter((block) => block > 0 && (block + 1) * size <= image.length);
  // The rest of a block is empty, as a rule.
  const used = (block: number): number =>
    image.subarray(block * size, (block + 1) * size).findLastIndex((byte) => byte !== 0) + 1;
  const whole = places.map((block) => ({ from: block * size, length: used(block) }));
  // Where most of what matters stands, once more.
  const heads = whole.map(({ from, length }) => ({ from, length: Math.min(length, 128) }));
  const structures = [...whole, ...heads].filter(({ length }) => length > 0);
  return [{ from: 1024, length: 400 }, { from: descriptors, length: 128 }, ...structures];
}

/** With files in pieces, a hash tree, attributes, and, where there is one, a journal to replay. */
async function extVictim(workshop: Workshop, title: string, args: readonly string[]): Promise<Victim> {
  const size = args.includes('-b') ? [] : ['-b', '1024'];
  const value = workshop.workFile(pattern(300));
  const made = workshop.edit(workshop.make('3M', [...size, '-N', '256', ...args], TREE), [
    `ea_set -f ${value} /directory/other user.large`,
    'symlink short target',
    `symlink long ${'t'.repeat(180)}`,
  ]);
  const path = workshop.save(made);
  run('e2fsck', ['-f', '-y', '-D', path]);
  const image = workshop.load();
  const fs = await Mounted.start(image);
  if (!fs.mount.writeable) {
    await fs.end();
    return { title, image, ranges: extRanges(workshop, image) };
  }
  await fs.write('/pieces', new Uint8Array(0));
  await fs.with('/pieces', async (vnode) => {
    for (let index = 0; index < 90; index += 1)
      await fs.mount.write(vnode, index * 8192, pattern(500, index));
  });
  await fs.mount.sync();
  for (let index = 0; index < 20; index += 1) await fs.write(`/many/later-${index}`, pattern(100));
  await fs.mount.sync();
  const copy = image.slice();
  await fs.mount.unmount();
  return { title, image: copy, ranges: extRanges(workshop, copy) };
}

async function extVictims(kinds: readonly ExtKind[]): Promise<Victim[]> {
  const workshop = new Workshop();
  try {
    const victims: Victim[] = [];
    for (const { title, args } of kinds) victims.push(await extVictim(workshop, title, args));
    return victims;
  } finally {
    workshop.dispose();
  }
}

function fatVictims(): Victim[] {
  const workshop = new FatWorkshop();
  const tree = {
    file: pattern(30_000),
    directory: { inner: { deep: 'deep' }, other: '' },
    many: Object.fromEntries(Array.from({ length: 40 }, (_unused, index) => [`a long name ${index}`, 'x'])),
  };
  const forms = [
    { title: 'FAT12', sizeBytes: 400 << 10, args: ['-F', '12', '-s', '1', '-r', '64'] },
    { title: 'FAT12, clusters of 4 KiB', sizeBytes: 2 << 20, args: ['-F', '12', '-s', '8'] },
    { title: 'FAT16', sizeBytes: 3 << 20, args: ['-F', '16', '-s', '1', '-r', '64'] },
    { title: 'FAT32', sizeBytes: 1 << 20, args: ['-F', '32', '-s', '1'] },
  ];
  const used = (image: Uint8Array, from: number, end: number): Range[] => {
    const ranges: Range[] = [];
    for (let at = from; at < end; at += 512)
      if (image.subarray(at, at + 512).some((byte) => byte !== 0)) ranges.push({ from: at, length: 512 });
    return ranges;
  };
  try {
    return forms.map(({ title, ...form }) => {
      const image = workshop.make(form, form.args.includes('32') ? undefined : tree);
      const view = new DataView(image.buffer, image.byteOffset);
      const fats = view.getUint16(14, true) * 512;
      const fatBytes = (view.getUint16(22, true) || view.getUint32(36, true)) * 512;
      const data = fats + view.getUint8(16) * fatBytes;
      const ranges = [
        { from: 0, length: 90 },
        { from: 0, length: 90 },
        { from: 512, length: 512 },
        ...used(image, fats, fats + 4096),
        ...used(image, data, data + 40_000),
      ];
      return { title, image, ranges };
    });
  } finally {
    workshop.dispose();
  }
}

/** FAT32 gets its tree from us: mtools takes so small a one for FAT16. */
async function filledFats(): Promise<Victim[]> {
  const victims: Victim[] = [];
  for (const victim of fatVictims()) {
    if (victim.title === 'FAT32') {
      const fs = await Mounted.start(victim.image, {}, true, 'msdos');
      await fs.write('/file', pattern(30_000));
      for (const path of ['/directory', '/directory/inner', '/many']) await fs.mkdir(path);
      for (let index = 0; index < 40; index += 1) await fs.write(`/many/a long name ${index}`, pattern(9));
      await fs.end();
    }
    victims.push(victim);
  }
  return victims;
}

/** With files in one piece and in several, and long names. */
async function exfatVictim(workshop: ExfatWorkshop, title: string, args: readonly string[]): Promise<Victim> {
  const image = workshop.make({ sizeBytes: 1_200 << 10, args });
  const fs = await Mounted.start(image, {}, true, 'exfat');
  for (const path of ['/directory', '/directory/inner', '/many']) await fs.mkdir(path);
  for (const path of ['/file', '/other']) await fs.write(path, pattern(3000));
  for (let turn = 0; turn < 5; turn += 1)
    for (const path of ['/file', '/other'])
      await fs.with(path, (vnode) => fs.mount.append(vnode, pattern(9000, turn)));
  for (let index = 0; index < 20; index += 1)
    await fs.write(`/many/a long name with the number ${index}`, pattern(9));
  await fs.with('/other', (vnode) => fs.mount.truncate(vnode, 60_000));
  await fs.end();
  const pokes = new ExfatPokes(image);
  const used = (from: number, length: number): Range => ({
    from,
    length: image.subarray(from, from + length).findLastIndex((byte) => byte !== 0) + 1,
  });
  const cluster = (entry: number): number => pokes.view.getUint32(entry + 20, true);
  const directories = ['directory', 'many'].map((name) => pokes.first(name));
  const ranges = [
    { from: 0, length: 120 },
    { from: 0, length: 120 },
    used(pokes.fat(0), 1024),
    used(pokes.cluster(cluster(pokes.volumeEntry(0x81))), 512),
    { from: pokes.cluster(cluster(pokes.volumeEntry(0x82))), length: 512 },
    ...[pokes.root, ...directories.map((first) => pokes.cluster(first))].flatMap((from) => [
      used(from, pokes.clusterBytes),
      used(from, 512),
    ]),
  ];
  return { title, image, ranges: ranges.filter(({ length }) => length > 0) };
}

async function exfatVictims(): Promise<Victim[]> {
  const workshop = new ExfatWorkshop();
  try {
    return [
      await exfatVictim(workshop, 'exFAT, clusters of 512 bytes', ['-c', '512', '-b', '16K']),
      await exfatVictim(workshop, 'exFAT, clusters of 4 KiB', ['-c', '4K', '-b', '16K']),
    ];
  } finally {
    workshop.dispose();
  }
}

function isoTree(workshop: IsoWorkshop): string {
  const root = workshop.tree();
  writeFileSync(join(root, 'file'), pattern(9000));
  mkdirSync(join(root, 'many'));
  for (let index = 0; index < 60; index += 1)
    writeFileSync(join(root, 'many', `file number ${index}.dat`), `${index}`);
  let deep = join(root, 'directory');
  mkdirSync(deep);
  for (let level = 1; level <= 10; level += 1) {
    deep = join(deep, `inner${level}`);
    mkdirSync(deep);
    writeFileSync(join(deep, 'here'), `level ${level}`);
  }
  symlinkSync('../file', join(root, 'many', 'link'));
  symlinkSync(`/${'a-long-part/'.repeat(30)}end`, join(root, 'long-link'));
  return root;
}

function isoVictims(): Victim[] {
  const workshop = new IsoWorkshop();
  try {
    const tree = isoTree(workshop);
    const packed = workshop.path('packed');
    const unpacked = workshop.tree();
    writeFileSync(join(unpacked, 'file'), pattern(200_000));
    mkdirSync(join(unpacked, 'many'));
    workshop.run('mkzftree', [unpacked, packed]);
    const discs: readonly (readonly [string, Uint8Array])[] = [
      ['Rock Ridge and Joliet', workshop.make(['-R', '-J'], tree)],
      ['Rock Ridge by xorriso', workshop.xorriso(['-R'], tree)],
      ['Joliet', workshop.make(['-J'], tree)],
      ['levels', workshop.make(['-iso-level', '4'], tree)],
      ['zisofs', workshop.make(['-R', '-z'], packed)],
    ];
    return discs.map(([title, image]) => {
      const ranges: Range[] = [];
      for (let block = 16; block < Math.min(image.length / 2048, 150); block += 1) {
        const from = block * 2048;
        // The rest of a block is empty, as a rule.
        const length = image.subarray(from, from + 2048).findLastIndex((byte) => byte !== 0) + 1;
        if (length > 0) ranges.push({ from, length });
      }
      return { title, image, ranges };
    });
  } finally {
    workshop.dispose();
  }
}

/** The formats that get hostile images, and their victims. */
export const VICTIMS = {
  ext2: () => extVictims(EXT2_KINDS),
  ext4: () => extVictims(EXT4_KINDS),
  msdos: filledFats,
  exfat: exfatVictims,
  cd9660: isoVictims,
  ffs: ffsVictims,
} as const;
export type VictimType = keyof typeof VICTIMS;
