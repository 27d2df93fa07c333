/** Images of FFS by makefs, of both revisions and byte orders, and where their structures stand. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { journalled, type JournalledForm } from '../ffs-journalled.ts';
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

const LOGS: readonly JournalledForm[] = [
  { version: 2, order: 'little', journal: 'end', blockBytes: 4096 },
  { version: 1, order: 'big', journal: 'inside', blockBytes: 4096 },
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
    for (const form of LOGS) victims.push(await loggedVictim(form));
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

/** A file system that was in use when its log was copied: there is something to replay. */
async function loggedVictim(form: JournalledForm): Promise<Victim> {
  const image = await journalled(form, 2 << 20);
  const fs = await Mounted.start(image, {}, true, 'ffs');
  for (const path of ['/directory', '/directory/inner', '/many']) await fs.mkdir(path);
  await fs.write('/file', pattern(120_000));
  for (let index = 0; index < 30; index += 1) await fs.write(`/many/name-${index}`, pattern(index));
  await fs.mount.sync();
  const held = await fs.mount.lookup(fs.mount.root, 'file');
  await fs.unlink('/file');
  await fs.rename('/many/name-4', '/file');
  await fs.mount.sync();
  const copy = image.slice();
  await fs.mount.release(held);
  await fs.end();
  const { version, order } = form;
  const little = order === 'little';
  const superblock = version === 1 ? 8192 : 65_536;
  const view = new DataView(copy.buffer);
  const log = Number(view.getBigInt64(superblock + 872, little)) * 512;
  const ranges: Range[] = [{ from: superblock, length: 1376 }];
  // The headers count for more than the records, and the lists for more than the contents.
  for (const from of [log, log + 512]) ranges.push({ from, length: 80 }, { from, length: 80 });
  for (let at = log + 1024; at < log + 100_000; at += 512) {
    const type = view.getUint32(at, little);
    if (type >>> 8 === 0x57_4142) ranges.push({ from: at, length: 128 });
  }
  const title = `UFS${version}, ${order} endian, with a log to replay`;
  return { title, image: copy, ranges, bigEndian: !little };
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
