/** Images of FFS by makefs, of both revisions and byte orders, and where their structures stand. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FfsPokes } from '../ffs-pokes.ts';
import { type FfsForm, ffsForm, FfsWorkshop } from '../ffs-tools.ts';
import { Mounted, pattern } from '../mounting.ts';
import type { Victim } from './mutate.ts';

type Range = Victim['ranges'][number];

const INODES_LOOKED_AT = 130;
const DIRECTORY = 4;
const POINTERS = 15;
const DIRECT = 12;

const sized = (version: 1 | 2, order: 'le' | 'be', blockBytes: number): FfsForm => {
  const size = blockBytes === 4096 ? '2m' : '4m';
  return { ...ffsForm(version, order, blockBytes), size, options: 'density=16384' };
};
const FORMS: readonly FfsForm[] = [
  sized(1, 'le', 4096),
  sized(1, 'be', 4096),
  sized(2, 'le', 4096),
  sized(2, 'be', 4096),
  sized(2, 'le', 16_384),
  sized(1, 'be', 8192),
];

/** Directories, files with pointer blocks, links of both kinds, a hard link, and what was removed. */
export async function ffsVictims(): Promise<Victim[]> {
  const workshop = new FfsWorkshop();
  try {
    const folder = workshop.tree();
    writeFileSync(join(folder, 'file'), pattern(120_000));
    mkdirSync(join(folder, 'directory/inner'), { recursive: true });
    writeFileSync(join(folder, 'directory/inner/deep'), 'deep');
    mkdirSync(join(folder, 'many'));
    for (let index = 0; index < 60; index += 1) writeFileSync(join(folder, `many/name-${index}`), 'x');
    symlinkSync('short', join(folder, 'short'));
    symlinkSync('t'.repeat(300), join(folder, 'long'));
    const victims: Victim[] = [];
    for (const form of FORMS) victims.push(await victim(workshop.make(form, folder), form));
    return victims;
  } finally {
    workshop.dispose();
  }
}

async function victim(image: Uint8Array, form: FfsForm): Promise<Victim> {
  const fs = await Mounted.start(image, {}, true, 'ffs');
  for (let index = 0; index < 10; index += 1) await fs.unlink(`/many/name-${index * 3}`);
  await fs.with('/file', (vnode) =>
    fs.at('/hard', (directory, name) => fs.mount.link(directory, name, vnode)),
  );
  await fs.end();
  return { title: form.title, image, ranges: rangesOf(image, form), bigEndian: form.order === 'be' };
}

/** The superblock, the groups, the inodes, and the blocks of directories and of pointers. */
function rangesOf(image: Uint8Array, { version, order }: FfsForm): Range[] {
  const pokes = new FfsPokes(image, version, order === 'le');
  const size = pokes.fragmentBytes;
  const inodeBytes = version === 1 ? 128 : 256;
  const ranges: Range[] = [{ from: pokes.superblock(0), length: 1376 }];
  for (let group = 0; group < pokes.field(44); group += 1)
    ranges.push({ from: pokes.group + group * pokes.field(188) * size, length: 512 });
  ranges.push({ from: pokes.summary, length: 16 * pokes.field(44) });
  for (let id = 2; id < INODES_LOOKED_AT; id += 1) {
    const at = pokes.inode(id);
    const type = pokes.view.getUint16(at, pokes.little) >>> 12;
    if (type === 0) continue;
    if (id < 40) ranges.push({ from: at, length: inodeBytes });
    for (let index = 0; index < POINTERS; index += 1) {
      const fragment = pokes.pointer(id, index);
      const leads = type === DIRECTORY || index >= DIRECT;
      if (leads && fragment > 0 && (fragment + 1) * size <= image.length)
        ranges.push({ from: fragment * size, length: size });
    }
  }
  return ranges;
}
