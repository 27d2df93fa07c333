import { typeOfMode } from '../volume/volume-inode.ts';
import { BufferCache } from '../buffer/buffer-cache.ts';
import { ChangeGate } from '../buffer/change-gate.ts';
import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { Journal } from '../jbd2/journal.ts';
import { JournalPlace, type JournalRun } from '../jbd2/journal-place.ts';
import { JournalSuperblock } from '../jbd2/journal-superblock.ts';
import { replay, ReplayedIo } from '../jbd2/replay.ts';
import { scanJournal } from '../jbd2/scan.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { mapRun } from './block-map.ts';
import { Run } from './run.ts';
import { checkExtentRoot } from './extent-node.ts';
import { featuresAgainstWriting, INCOMPATIBLE_FEATURE } from './features.ts';
import { Groups } from './groups.ts';
import { readInode } from './inode-table.ts';
import { Superblock, SUPERBLOCK_BYTES, SUPERBLOCK_OFFSET } from './superblock.ts';
import { type Journalling, Volume } from './volume.ts';

/** The most structures that an operation dirties before it ends or takes a breath. */
const STRUCTURES_OF_CHANGE = 48;
/** A journal needs copies of whole transactions, so these get a larger part of the memory. */
export const COPIES_PART_JOURNALLED = 5;
/** A journal has at most some ten million blocks, which no tool writes in so many pieces. */
const RUNS_MAX = 1_000_000;
/** The memory with which the journal is looked for. */
const SEARCH_BUFFERS = 64;
/** With fewer buffers an operation might not have room for what it changes. */
const BUFFERS_MIN_JOURNALLED = 2 * STRUCTURES_OF_CHANGE;
/** The part of what a transaction may take that may be waiting when another operation begins. */
const BACKLOG_PART = 2;

/** A journal that was found. */
interface FoundJournal {
  readonly place: JournalPlace;
  readonly superblock: JournalSuperblock;
}

/** The device after its journal was looked at. */
export interface Recovered {
  /** What to mount from: the device, or, for a read-only mount, as it is after a replay. */
  readonly hypercalls: Hypercalls;
  /** The journal, which is empty now; undefined if it was not needed. */
  readonly journal: FoundJournal | undefined;
  /** Whether something was replayed, so that everything has to be read again. */
  readonly replayed: boolean;
  /** The reason why the mount must be read-only, if there is one. */
  readonly obstacle: string | undefined;
}

/**
 * Looks at the journal, if there is one, and replays it if that is needed: on a device that may be
 * written to its places, else in memory. Rejects with `NotSupported` where a replay is needed, but
 * is not wished or not possible.
 */
export async function recover(
  hypercalls: Hypercalls,
  superblock: Superblock,
  { writeable, recovery = 'replay' }: MountOptions,
): Promise<Recovered> {
  const untouched = { hypercalls, journal: undefined, replayed: false, obstacle: undefined };
  const { needsRecovery, formatName } = superblock;
  const mayWrite = writeable && featuresAgainstWriting(superblock) === undefined;
  if (needsRecovery && recovery === 'refuse') {
    throw new FsError('NotSupported', `${formatName}: the journal has to be replayed (needs_recovery)`);
  }
  if (needsRecovery && recovery === 'ignore') {
    return { ...untouched, obstacle: 'the journal has to be replayed, and recovery="ignore"' };
  }
  if (!superblock.hasJournal || !(needsRecovery || mayWrite)) return untouched;
  if (superblock.journalInode === 0) {
    if (needsRecovery) throw new FsError('NotSupported', `${formatName}: a journal on another device`);
    return { ...untouched, obstacle: 'its journal is on another device' };
  }
  const journal = await findJournal(hypercalls, superblock);
  if (!needsRecovery) {
    if (journal.superblock.start !== 0) journal.superblock.start = 0;
    return { ...untouched, journal };
  }
  return replayFound(hypercalls, superblock, journal, mayWrite);
}

async function replayFound(
  hypercalls: Hypercalls,
  superblock: Superblock,
  journal: FoundJournal,
  mayWrite: boolean,
): Promise<Recovered> {
  const { place, superblock: ring } = journal;
  const { formatName } = superblock;
  if (ring.hasFastCommits) {
    throw new FsError('NotSupported', `${formatName}: replay of a journal with fast_commit`);
  }
  const scan = await scanJournal(place, ring, superblock.blocksCount);
  const told = `${scan.transactions} transactions of the journal were replayed`;
  if (!mayWrite) {
    if (scan.transactions > 0) hypercalls.console(`${formatName}: ${told} in memory`);
    const bio = new ReplayedIo(hypercalls.bio, place, scan);
    const over: Hypercalls = {
      bio,
      memoryBytes: hypercalls.memoryBytes,
      now: () => hypercalls.now(),
      random: (into) => hypercalls.random(into),
      console: (line) => hypercalls.console(line),
    };
    return { hypercalls: over, journal: undefined, replayed: true, obstacle: undefined };
  }
  await replay(hypercalls.bio, place, scan);
  ring.start = 0;
  ring.sequence = scan.sequence;
  await place.write(0, ring.sealed());
  await place.sync();
  await clearNeed(hypercalls, superblock);
  if (scan.transactions > 0) hypercalls.console(`${formatName}: ${told}`);
  return { hypercalls, journal, replayed: true, obstacle: undefined };
}

/** Takes the mark from the superblock that says that the journal has to be replayed. */
async function clearNeed({ bio }: Hypercalls, { blockSizeBytes }: Superblock): Promise<void> {
  const first = Math.floor(SUPERBLOCK_OFFSET / blockSizeBytes) * blockSizeBytes;
  const block = new Uint8Array(blockSizeBytes);
  await bio.read(first / bio.sectorSizeBytes, block);
  const within = SUPERBLOCK_OFFSET - first;
  const superblock = new Superblock(block.subarray(within, within + SUPERBLOCK_BYTES));
  superblock.needsRecovery = false;
  superblock.seal();
  await bio.write(first / bio.sectorSizeBytes, block);
  await bio.sync();
}

/**
 * Finds the journal by its inode. What else is on the device may be older than the journal, so it
 * is not looked at more than that needs.
 */
async function findJournal(hypercalls: Hypercalls, superblock: Superblock): Promise<FoundJournal> {
  const { blockSizeBytes, formatName, journalInode } = superblock;
  const trusting = superblock.withoutChecksums();
  const cache = new BufferCache(hypercalls, blockSizeBytes, SEARCH_BUFFERS * blockSizeBytes);
  const volume = new Volume(hypercalls, trusting, cache, { writeable: false });
  await volume.load();
  if (journalInode > superblock.inodesCount)
    throw new FsError('Corrupt', `${formatName}: superblock: inode ${journalInode} of the journal`);
  const inode = await readInode(volume, journalInode);
  if (typeOfMode(inode.mode) !== 'file' || inode.hasInlineData)
    throw volume.corrupt(`${inode.name}: the journal is no file with blocks`);
  if (inode.hasExtents) checkExtentRoot(volume, inode);
  if (inode.sizeBytes > superblock.blocksCount * blockSizeBytes)
    throw volume.corrupt(`${inode.name}: a journal of ${inode.sizeBytes} bytes`);
  const blocks = Math.floor(inode.sizeBytes / blockSizeBytes);
  const runs: JournalRun[] = [];
  const run = new Run();
  for (let logical = 0; logical < blocks; logical += run.count) {
    await mapRun(volume, inode, logical, blocks - logical, run);
    if (run.block === 0) throw volume.corrupt(`${inode.name}: the journal has a hole at block ${logical}`);
    runs.push({ logical, block: run.block, count: run.count });
    if (runs.length > RUNS_MAX) throw volume.corrupt(`${inode.name}: the journal is in too many pieces`);
  }
  if (blocks === 0) throw volume.corrupt(`${inode.name}: the journal is empty`);
  const place = new JournalPlace(hypercalls.bio, blockSizeBytes, runs);
  const bytes = new Uint8Array(blockSizeBytes);
  await place.read(0, bytes);
  return { place, superblock: new JournalSuperblock(bytes, blockSizeBytes, blocks) };
}

/** Gets the empty journal ready for transactions of a mounted file system. */
export function openJournal(
  { hypercalls, journal }: Recovered,
  superblock: Superblock,
  cache: BufferCache,
): Journalling {
  if (journal === undefined) throw new Error('rumpfs: broken invariant: a journal that was looked for');
  if (cache.buffersMax < BUFFERS_MIN_JOURNALLED) {
    const needed = BUFFERS_MIN_JOURNALLED * superblock.blockSizeBytes * 2 + Groups.bytesFor(superblock);
    throw new FsError(
      'NoMemory',
      `${superblock.formatName}: to write with a journal takes ${needed} bytes of memory`,
    );
  }
  journal.superblock.adopt({
    sixtyFourBit: superblock.has(INCOMPATIBLE_FEATURE.sixtyFourBit),
    checksums: superblock.checksums,
  });
  const most = Math.min(Journal.transactionMax(journal.superblock), Math.floor(cache.buffersMax / 2));
  const backlogMax = Math.min(cache.orderedMax, Math.floor(most / BACKLOG_PART));
  const gate = new ChangeGate(
    Math.floor((most - backlogMax) / STRUCTURES_OF_CHANGE),
    () => ({ count: cache.orderedCount, max: backlogMax }),
    () => cache.whenPassEnds(),
  );
  return { gate, journal: new Journal(journal.place, journal.superblock, gate, () => hypercalls.now()) };
}
