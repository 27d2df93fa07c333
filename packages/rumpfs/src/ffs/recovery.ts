import { FsError } from '../errors.ts';
import type { Hypercalls } from '../hypercall/hypercalls.ts';
import type { MountOptions } from '../vnode/mount-options.ts';
import type { LogPlace } from '../wapbl/log-header.ts';
import { ReplayedLogIo, replayLog } from '../wapbl/replay-log.ts';
import { type ScannedLog, scanLog } from '../wapbl/scan-log.ts';
import type { Superblock } from './superblock.ts';

/** The device after its log was looked at. */
export interface Recovered {
  /** What to mount from: the device, or, for a read-only mount, as it is after a replay. */
  readonly hypercalls: Hypercalls;
  /** Whether something was replayed, so that everything has to be read again. */
  readonly replayed: boolean;
  /** Whether the log has made sure that the file system is as after a clean unmount. */
  readonly consistent: boolean;
  /** Inodes that are in use, but may have no name: they have to be freed then. */
  readonly unnamed: readonly number[];
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
  const untouched = { hypercalls, replayed: false, consistent: false, unnamed: [], obstacle: undefined };
  const place = superblock.logPlace;
  if (place === undefined) return untouched;
  const { formatName } = superblock;
  requirePlace(place, hypercalls, formatName);
  const { bio } = hypercalls;
  const scan = await scanLog(bio, place, bio.sectorCount * bio.sectorSizeBytes);
  if (scan.header.pieceBytes < bio.sectorSizeBytes)
    throw new FsError('NotSupported', `${formatName}: a log of pieces of ${scan.header.pieceBytes} bytes`);
  // Whoever writes without the log takes its flag away before.
  if (scan.header.isEmpty) return { ...untouched, consistent: true };
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
  const rest = { replayed: true, consistent: true, obstacle: undefined };
  if (mayWrite) {
    await replayLog(hypercalls.bio, place, scan);
    hypercalls.console(`${formatName}: ${told}`);
    return { ...rest, hypercalls, unnamed: scan.inodes };
  }
  hypercalls.console(`${formatName}: ${told} in memory`);
  const over: Hypercalls = {
    bio: new ReplayedLogIo(hypercalls.bio, place, scan),
    memoryBytes: hypercalls.memoryBytes,
    now: () => hypercalls.now(),
    random: (into) => hypercalls.random(into),
    console: (line) => hypercalls.console(line),
  };
  return { ...rest, hypercalls: over, unnamed: [] };
}

function requirePlace(
  { at, lengthBytes, blockBytes }: LogPlace,
  { bio }: Hypercalls,
  formatName: string,
): void {
  const deviceBytes = bio.sectorCount * bio.sectorSizeBytes;
  const sizes = [at, lengthBytes, blockBytes].every((value) => Number.isSafeInteger(value) && value > 0);
  const power = sizes && (blockBytes & (blockBytes - 1)) === 0 && blockBytes <= 65_536;
  if (
    !power ||
    blockBytes < bio.sectorSizeBytes ||
    lengthBytes < 3 * blockBytes ||
    at + lengthBytes > deviceBytes
  )
    throw new FsError(
      'Corrupt',
      `${formatName}: superblock: a log of ${lengthBytes} bytes at byte ${at}, in blocks of ${blockBytes}`,
    );
}
