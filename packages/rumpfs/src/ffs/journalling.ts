/** The log in use: how much goes into a transaction, and what an operation may take of it. */
import type { BufferCache } from '../buffer/buffer-cache.ts';
import { ChangeGate } from '../buffer/change-gate.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import { TransactionLog } from '../wapbl/transaction-log.ts';
import type { Groups } from './groups.ts';
import type { FoundLog, Recovered } from './recovery.ts';
import { type Superblock, SUPERBLOCK_BYTES } from './superblock.ts';

/** A log needs copies of whole transactions, so these get a larger part of the memory. */
export const COPIES_PART_JOURNALLED = 5;
/** The most blocks that one operation takes or frees; what is longer is done in several. */
const BLOCKS_OF_STEP_MAX = 256;
/** What an operation changes besides blocks of files: inodes, records of directories. */
const SINGLE_FRAGMENTS = 24;
/** The whole blocks that an operation makes: of pointers, of inodes, or of a directory. */
const WHOLE_BLOCKS = 3;
/** The groups that an operation changes besides those of a file's blocks. */
const OTHER_GROUPS = 3;
/** The part of a transaction that may be waiting when another operation begins. */
const BACKLOG_PART = 2;
/** The part of a transaction that one operation takes, if its steps can be so short. */
const STEP_PART = 4;

/** A log in use, and the gate through which operations enter its transactions. */
export interface Journalling {
  readonly log: TransactionLog;
  readonly gate: ChangeGate;
  /** The most blocks of a file that one operation takes or frees. */
  readonly blocksOfStep: number;
  /** Whether the log has no headers yet. */
  readonly isNew: boolean;
}

/** What a log is opened with. */
export interface JournallingParts {
  readonly hypercalls: Hypercalls;
  readonly superblock: Superblock;
  readonly cache: BufferCache;
  readonly groups: Groups;
}

/**
 * The log for a mount that writes; undefined, with a line for the console, where it cannot be used.
 */
export function openLog(
  parts: JournallingParts,
  { log: found, unnamed }: Pick<Recovered, 'log' | 'unnamed'>,
): Journalling | undefined {
  if (found === undefined) return undefined;
  const { hypercalls, superblock, cache, groups } = parts;
  const most = transactionMax(parts, found);
  const blocksOfStep = stepFor(parts, most);
  if (blocksOfStep === 0) {
    const why = most < inTheLog(parts, found) ? 'memory is too small' : 'it is too small';
    hypercalls.console(`${superblock.formatName}: its log is not used: ${why}`);
    return undefined;
  }
  const backlogMax = Math.min(cache.orderedMax, Math.floor(most / BACKLOG_PART));
  const gate = new ChangeGate(
    Math.floor((most - backlogMax) / fragmentsOfChange(parts, blocksOfStep)),
    () => ({ count: cache.orderedCount + groups.dirtyFragments, max: backlogMax }),
    () => cache.whenPassEnds(),
  );
  const rest = found.rest ?? { generation: 0, newest: 1, head: 0, tail: 0 };
  const sources = { bio: hypercalls.bio, gate, now: () => hypercalls.now() };
  const kept = rest.head === 0 ? [] : unnamed;
  const log = new TransactionLog(sources, found.form, superblock.fragmentSizeBytes, rest, kept);
  return { log, gate, blocksOfStep, isNew: found.rest === undefined };
}

/** The fragments that a transaction may have, by the log and by the memory. */
function transactionMax(parts: JournallingParts, found: FoundLog): number {
  return Math.min(inTheLog(parts, found), Math.floor(parts.cache.buffersMax / 2));
}

function inTheLog({ superblock }: JournallingParts, { form }: FoundLog): number {
  const { fragmentSizeBytes } = superblock;
  if (fragmentSizeBytes % form.pieceBytes !== 0) return 0;
  const own = Math.ceil(SUPERBLOCK_BYTES / fragmentSizeBytes) + 1;
  return TransactionLog.contentsBytes(form, fragmentSizeBytes) / fragmentSizeBytes - own;
}

/** The most fragments that an operation changes which takes or frees so many blocks of a file. */
function fragmentsOfChange({ superblock, groups }: JournallingParts, blocks: number): number {
  const { fragmentsPerBlock, groupCount, pointerBytes, fragmentSizeBytes } = superblock;
  const changed = Math.min(groupCount, blocks + OTHER_GROUPS) * (groups.fragmentsOfGroup + 1);
  const pointers = Math.ceil((blocks * pointerBytes) / fragmentSizeBytes) + 1;
  return SINGLE_FRAGMENTS + WHOLE_BLOCKS * fragmentsPerBlock + changed + pointers;
}

/** The blocks of a step that fit; 0 where not even one does. */
function stepFor(parts: JournallingParts, most: number): number {
  for (let blocks = BLOCKS_OF_STEP_MAX; blocks > 1; blocks /= 2)
    if (fragmentsOfChange(parts, blocks) <= most / STEP_PART) return blocks;
  return fragmentsOfChange(parts, 1) <= most / BACKLOG_PART ? 1 : 0;
}
