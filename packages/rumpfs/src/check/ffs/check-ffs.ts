/**
 * Checks UFS1 and UFS2 in the five passes of the BSDs: inodes with their fragments, directories,
 * the tree, the links, and the bitmaps and counts of the groups. Nothing here is shared with the
 * driver, so that neither hides a mistake of the other. With `mends`, each pass sets right what it
 * finds.
 */
import { FsError } from '../../errors.ts';
import type { BlockIo } from '../../hypercall/hypercalls.ts';
import { bytesAt } from '../device.ts';
import { type CheckReport, Findings, type RepairReport } from '../report.ts';
import { claimCounts } from './claim-counts.ts';
import { Connector } from './connector.ts';
import { Claims, type Context } from './context.ts';
import { checkDirectories } from './directory-pass.ts';
import { type FfsGeometry, readGeometry } from './geometry.ts';
import { checkGroupRoom } from './group-room.ts';
import { checkGroups } from './group-pass.ts';
import { FfsImage } from './image.ts';
import { InodePass } from './inode-pass.ts';
import { checkLogFile } from './log-file.ts';
import { type CheckedLog, readLog, replayForRepair } from './log.ts';
import { checkRoot } from './root.ts';
import { checkLinks, checkTree } from './tree-pass.ts';

/** Mending shows more to mend: what a lost directory had, for example. */
const PASSES_MAX = 8;
const CLEAN_AT = 209;
const FLAGS_AT = 1312;
const OLD_FLAGS_AT = 211;
/** The flags `unclean` and `needs a check`. */
const FLAGS_OF_DOUBT = 5;
const FLAG_LOG = 0x100;

/**
 * Checks what is on a device. Rejects with `NoFileSystem`, with `Corrupt` where the superblock
 * makes no sense, with `NotSupported` where it is too large, or with `InputOutput`.
 */
export async function checkFfs(bio: BlockIo): Promise<CheckReport> {
  const found = new Findings();
  const geometry = await readGeometry(bio);
  const log = await logOf(bio, geometry, found);
  if (log === 'broken') return found.report('ffs');
  if (log === undefined) return checkOnce(bio, geometry, false, found);
  const { records, unnamed, after } = log;
  found.harmless(`log of WAPBL: ${records} records have to be replayed`);
  if (unnamed.size > 0) found.harmless(`log of WAPBL: ${unnamed.size} inodes wait to be freed`);
  return checkOnce(after, await readGeometry(after), false, found, unnamed);
}

/**
 * Mends what is on a device, until nothing is left to mend, and marks it as clean. Resolves to what
 * was found at first, and what is left. Rejects as `checkFfs` does.
 */
export async function repairFfs(bio: BlockIo): Promise<RepairReport> {
  const before = await checkFfs(bio);
  await emptyLog(bio);
  for (let pass = 0; pass < PASSES_MAX; pass += 1) {
    const report = await checkOnce(bio, await readGeometry(bio), true, new Findings());
    if (report.findings.length === 0) break;
  }
  const after = await checkFfs(bio);
  if (after.findings.length === 0) await markClean(bio);
  return { before, after };
}

/** The log in use; undefined where it has nothing. */
async function logOf(
  bio: BlockIo,
  geometry: FfsGeometry,
  found: Findings,
): Promise<CheckedLog | 'broken' | undefined> {
  try {
    return await readLog(bio, geometry);
  } catch (error) {
    if (!(error instanceof FsError) || error.code !== 'Corrupt') throw error;
    found.damage(`${error.message}; nothing else was looked at`);
    return 'broken';
  }
}

/** Replays a log before a repair. One that is broken is given up. */
async function emptyLog(bio: BlockIo): Promise<void> {
  const geometry = await readGeometry(bio);
  if (geometry.log === undefined) return;
  const log = await logOf(bio, geometry, new Findings());
  if (log !== undefined && log !== 'broken') await replayForRepair(bio, log);
  const replayed = await readGeometry(bio);
  replayed.view.setInt32(FLAGS_AT, replayed.flags & ~FLAG_LOG, replayed.little);
  await writeSuperblock(bio, replayed);
}

async function checkOnce(
  bio: BlockIo,
  geometry: FfsGeometry,
  mends: boolean,
  found: Findings,
  unnamed: ReadonlySet<number> = new Set(),
): Promise<CheckReport> {
  const image = new FfsImage(bio, geometry);
  const claims = new Claims(geometry.size);
  const context: Context = {
    geometry,
    image,
    found,
    mends,
    claims,
    unnamed,
    inodes: new Map(),
    directories: new Map(),
  };
  claimStructures(geometry, claims);
  await claimCounts(context);
  await new InodePass(context).run();
  await checkLogFile(context);
  if (await checkRoot(context)) {
    await checkDirectories(context);
    const connector = new Connector(context);
    await checkTree(context, connector);
    await checkLinks(context, connector);
    await checkGroupRoom(context);
    await checkGroups(context);
  }
  if (mends) await image.write();
  return found.report('ffs');
}

/** Claims what no file may have: the boot area, and the structures of the groups. */
function claimStructures(geometry: FfsGeometry, claims: Claims): void {
  for (let group = 0; group < geometry.groups; group += 1) {
    const first = group === 0 ? 0 : geometry.start(group) + geometry.i32(8);
    claims.claim(first, geometry.dataAt(group) - first);
  }
}

async function markClean(bio: BlockIo): Promise<void> {
  const geometry = await readGeometry(bio);
  const { bytes, view, little } = geometry;
  bytes[CLEAN_AT] = 1;
  if (geometry.wide) view.setInt32(FLAGS_AT, geometry.flags & ~FLAGS_OF_DOUBT, little);
  else bytes[OLD_FLAGS_AT] = geometry.flags & ~FLAGS_OF_DOUBT;
  await writeSuperblock(bio, geometry);
}

async function writeSuperblock(bio: BlockIo, { at, bytes }: FfsGeometry): Promise<void> {
  const sector = Math.floor(at / bio.sectorSizeBytes);
  const from = at - sector * bio.sectorSizeBytes;
  const count = Math.ceil((from + bytes.length) / bio.sectorSizeBytes);
  const whole = await bytesAt(bio, sector * bio.sectorSizeBytes, count * bio.sectorSizeBytes);
  whole.set(bytes, from);
  await bio.write(sector, whole);
  await bio.sync();
}
