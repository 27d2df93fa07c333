/**
 * Checks ext2, ext3 and ext4: superblock and descriptors, the journal, which is replayed in memory,
 * then inodes with their maps of blocks and attributes, directories with their hash trees, the
 * tree, the links, and the bitmaps and counts. Nothing here is shared with the driver, so that
 * neither hides a mistake of the other.
 */
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { castagnoli } from '../crc.ts';
import { bytesAt, Device } from '../device.ts';
import { type CheckReport, Findings } from '../report.ts';
import { checkBitmaps } from './bitmap-pass.ts';
import { Claims } from './claims.ts';
import { type Context, hiddenInodes, inodeAt, orphansInBlock, readOrphans, ROOT } from './context.ts';
import { DirectoryPass } from './directory-pass.ts';
import { Disk, type Logged, viewOf } from './disk.ts';
import { Geometry, SUPERBLOCK_BYTES } from './geometry.ts';
import { claimStructures, readGroups } from './groups.ts';
import { InodePass } from './inode-pass.ts';
import { readJournal } from './journal.ts';
import { checkLinks, checkTree } from './link-pass.ts';
import { nameSharers } from './shared.ts';
import { InodeStates } from './states.ts';
import { walkBlocks } from './walk.ts';

const SUPERBLOCK_OFFSET = 1024;
const MULTIPLE_MOUNT_MAGIC = 0x004d_4d50;

/**
 * Checks what is on a device. Rejects with `NoFileSystem`, with `Corrupt` where the superblock
 * makes no sense, with `NotSupported` for unknown features, or with `InputOutput`.
 */
export async function checkExt(bio: BlockIo): Promise<CheckReport> {
  const found = new Findings();
  const device = new Device(bio);
  const before = new Geometry((await bytesAt(bio, SUPERBLOCK_OFFSET, SUPERBLOCK_BYTES)).slice());
  if (!fits(before, device, found)) return found.report(before.kindName);
  const logged = await replayed(before, device, found);
  const disk = new Disk(device, before, found, logged);
  const geometry = await geometryOf(before, disk);
  checkSuperblock(geometry, found);
  const groups = await readGroups(disk, geometry);
  if (groups === undefined) return found.report(geometry.kindName);
  const claims = new Claims(geometry);
  if (!claimStructures(disk, geometry, groups, claims)) return found.report(geometry.kindName);
  await checkMultipleMount(geometry, disk, claims);
  const listed = await readOrphans(geometry, disk, groups);
  const context: Context = {
    geometry,
    disk,
    found,
    groups,
    claims,
    inodes: new InodeStates(),
    directories: new Map(),
    orphans: new Set([...listed, ...(await readOrphanFile(geometry, disk, groups))]),
    hidden: hiddenInodes(geometry),
    valueUses: new Map(),
  };
  await new InodePass(context).run();
  await nameSharers(context);
  if (context.inodes.kind(ROOT) === undefined) found.damage('inode 2: the root is not in use');
  checkTree(context, await new DirectoryPass(context).run());
  checkLinks(context);
  await checkBitmaps(context);
  return found.report(geometry.kindName);
}

function fits(geometry: Geometry, device: Device, found: Findings): boolean {
  const needed = geometry.blocks * geometry.blockBytes;
  if (needed <= device.sizeBytes) return true;
  found.damage(`superblock: ${needed} bytes, but the device ends after ${device.sizeBytes}`);
  return false;
}

/** What the replay of the journal would write. */
async function replayed(
  geometry: Geometry,
  device: Device,
  found: Findings,
): Promise<ReadonlyMap<number, Logged>> {
  if (!geometry.knows('journal')) {
    if (geometry.needs('recover'))
      found.harmless('superblock: a journal has to be replayed, but there is none');
    return new Map();
  }
  const disk = new Disk(device, geometry, found, new Map());
  const quiet = new Disk(device, geometry, new Findings(), new Map());
  const groups = await readGroups(quiet, geometry);
  const id = geometry.long(224);
  if (id === 0) {
    found.harmless('journal: is on another device, and was not looked at');
    return new Map();
  }
  const inode = groups === undefined ? undefined : await inodeAt(geometry, disk, groups, id);
  if (inode !== undefined) return readJournal(geometry, disk, inode);
  found.damage(`journal: there is no inode ${id}`);
  return new Map();
}

/** The superblock as the journal leaves it. */
async function geometryOf(before: Geometry, disk: Disk): Promise<Geometry> {
  const at = SUPERBLOCK_OFFSET % before.blockBytes;
  const block = await disk.block(before.copyBlock(0), 'superblock');
  return block === undefined ? before : new Geometry(block.slice(at, at + SUPERBLOCK_BYTES));
}

function checkSuperblock(geometry: Geometry, found: Findings): void {
  if (geometry.checksums) {
    const sum = castagnoli(0xffff_ffff, geometry.bytes.subarray(0, 1020));
    if (sum !== geometry.long(1020)) found.damage('superblock: wrong checksum');
    if (geometry.bytes[373] !== 1)
      found.damage(`superblock: unknown kind of checksum ${geometry.bytes[373]}`);
  }
  const state = geometry.short(58);
  if ((state & 1) === 0 && !geometry.needs('recover'))
    found.harmless('superblock: was not unmounted cleanly');
  if ((state & 2) !== 0) found.harmless('superblock: says that there are errors');
}

async function checkMultipleMount(geometry: Geometry, disk: Disk, claims: Claims): Promise<void> {
  if (!geometry.needs('multipleMount')) return;
  const block = geometry.long(360) + geometry.long(364) * 2 ** 32;
  if (!geometry.inside(block, 1)) {
    disk.found.damage(`superblock: the block against several mounts is ${block}, which there is not`);
    return;
  }
  claims.take(block);
  const bytes = await disk.block(block, 'block against several mounts');
  if (bytes === undefined) return;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MULTIPLE_MOUNT_MAGIC)
    disk.found.damage(`block ${block}: no magic number of mmp`);
  else if (
    geometry.checksums &&
    view.getUint32(1020, true) !== castagnoli(geometry.seed, bytes.subarray(0, 1020))
  )
    disk.found.damage(`block ${block}: wrong checksum of mmp`);
}

/** The inodes in an orphan file, of file systems that have one. */
async function readOrphanFile(
  geometry: Geometry,
  disk: Disk,
  groups: Context['groups'],
): Promise<ReadonlySet<number>> {
  const orphans = new Set<number>();
  if (!geometry.knows('orphanFile')) return orphans;
  const inode = await inodeAt(geometry, disk, groups, geometry.long(640));
  if (inode === undefined) return orphans;
  const blocks: number[] = [];
  const nodes = new Set<number>();
  await walkBlocks(disk, inode, {
    node: (block) => geometry.inside(block, 1) && !nodes.has(block) && nodes.add(block) !== undefined,
    data(_logical, block, count) {
      if (geometry.inside(block, count) && blocks.length < geometry.blocks)
        for (let index = 0; index < count; index += 1) blocks.push(block + index);
    },
    wrong() {},
  });
  for (const block of blocks) {
    const bytes = await disk.block(block, 'orphan file');
    const ids = bytes === undefined ? [] : orphansInBlock(bytes);
    if (ids === undefined) disk.found.damage(`orphan file: block ${block}: no magic number`);
    for (const id of ids ?? []) orphans.add(id);
  }
  if (orphans.size > 0) disk.found.harmless(`orphan file: ${orphans.size} inodes wait to be freed or cut`);
  return orphans;
}
