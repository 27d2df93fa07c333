import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import { formOf, type LogForm, type LogPlace, newForm } from '../wapbl/log-header.ts';
import type { UnnamedInode } from '../wapbl/log-records.ts';
import { type LogRest, ReplayedLogIo, replayLog } from '../wapbl/replay-log.ts';
import { type ScannedLog, scanLog } from '../wapbl/scan-log.ts';
import { TransactionLog } from '../wapbl/transaction-log.ts';
import type { Superblock } from './superblock.ts';

/** A log that can be used. */
export interface FoundLog {
  readonly form: LogForm;
  /**
   * What is in it: nothing, or a list of inodes without names. Undefined for one that has no header
   * yet.
   */
  readonly rest: LogRest | undefined;
}

/** The device after its log was looked at. */
export interface Recovered {
  /** What to mount from: the device, or, for a read-only mount, as it is after a replay. */
  readonly hypercalls: Hypercalls;
  /** Whether something was replayed, so that everything has to be read again. */
  readonly replayed: boolean;
  /** Whether the log has made sure that the file system is as after a clean unmount. */
  readonly consistent: boolean;
  /** The log; undefined where there is none. */
  readonly log: FoundLog | undefined;
  /** Inodes that are in use, but may have no name: they have to be freed then. */
  readonly unnamed: readonly UnnamedInode[];
  /** The reason why the mount must be read-only, if there is one. */
  readonly obstacle: string | undefined;
}

/**
 * Looks at the log of WAPBL, if there is one, and replays it if that is needed: on a device that
 * may be written, else in memory. Rejects with `NotSupported` where that is needed, but not wished,
 * and `Corrupt` for a log that makes no sense.
 */
export async function recover(
  hypercalls: Hypercalls,
  superblock: Superblock,
  { writeable, recovery = 'replay' }: MountOptions,
): Promise<Recovered> {
  const { formatName, littleEndian, logPlace: place } = superblock;
  const untouched = {
    hypercalls,
    replayed: false,
    consistent: false,
    log: undefined,
    unnamed: [],
    obstacle: undefined,
  };
  if (place === undefined) return untouched;
  const mistake = mistakeOf(place, hypercalls);
  // What a log says that is not in use does not count, not even where it is.
  if (!superblock.usesLog)
    return mistake === undefined
      ? { ...untouched, log: { form: newForm(place, littleEndian), rest: undefined } }
      : untouched;
  if (mistake !== undefined) throw new FsError('Corrupt', `${formatName}: superblock: ${mistake}`);
  const { bio } = hypercalls;
  const scan = await scanLog(bio, place, bio.sectorCount * bio.sectorSizeBytes);
  const { header, index } = scan.newest;
  if (header.pieceBytes < bio.sectorSizeBytes)
    throw new FsError('NotSupported', `${formatName}: a log of pieces of ${header.pieceBytes} bytes`);
  // Whoever writes without the log takes its flag away before.
  if (header.isEmpty) {
    const rest = { generation: header.generation, newest: index, head: 0, tail: 0 };
    return { ...untouched, consistent: true, log: { form: formOf(header, place), rest } };
  }
  if (recovery === 'refuse')
    throw new FsError('NotSupported', `${formatName}: the log of WAPBL has to be replayed`);
  if (recovery === 'ignore')
    return { ...untouched, obstacle: 'the log of WAPBL has to be replayed, and recovery="ignore"' };
  return replayFound(hypercalls, formatName, place, scan, writeable && bio.writeable);
}

async function replayFound(
  hypercalls: Hypercalls,
  formatName: string,
  place: LogPlace,
  scan: ScannedLog,
  mayWrite: boolean,
): Promise<Recovered> {
  const told = `${scan.records} records of the log were replayed`;
  const outcome = { replayed: true, consistent: true, obstacle: undefined };
  if (mayWrite) {
    const form = formOf(scan.newest.header, place);
    const nowMs = await hypercalls.now();
    const rest = await replayLog(hypercalls.bio, place, scan, nowMs, TransactionLog.unnamedMax(form));
    hypercalls.console(`${formatName}: ${told}`);
    return { ...outcome, hypercalls, log: { form, rest }, unnamed: scan.inodes };
  }
  hypercalls.console(`${formatName}: ${told} in memory`);
  const over: Hypercalls = {
    bio: new ReplayedLogIo(hypercalls.bio, place, scan),
    memoryBytes: hypercalls.memoryBytes,
    now: () => hypercalls.now(),
    random: (into) => hypercalls.random(into),
    console: (line) => hypercalls.console(line),
  };
  return { ...outcome, hypercalls: over, log: undefined, unnamed: [] };
}

/** What is wrong with the place of a log; undefined where nothing is. */
function mistakeOf({ at, lengthBytes, blockBytes }: LogPlace, { bio }: Hypercalls): string | undefined {
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  const sizes = [at, lengthBytes, blockBytes].every((value) => Number.isSafeInteger(value) && value > 0);
  const power = sizes && (blockBytes & (blockBytes - 1)) === 0 && blockBytes <= 65_536;
  const fits =
    power &&
    blockBytes >= bio.sectorSizeBytes &&
    lengthBytes >= 3 * blockBytes &&
    at + lengthBytes <= deviceBytes;
  return fits ? undefined : `a log of ${lengthBytes} bytes at byte ${at}, in blocks of ${blockBytes}`;
}
