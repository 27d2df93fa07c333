/**
 * What the root directory says of the volume, in entries of its own:
 *
 *     bitmap  0 0x81 · 1 which FAT it belongs to · 20 first cluster (4) · 24 bytes (8)
 *     upcase  0 0x82 · 4 checksum (4) · 20 first cluster (4) · 24 bytes (8)
 *     label   0 0x83 · 1 units of UTF-16 · 2 at most eleven of these
 *
 * The FAT leads to the clusters of the first two.
 */
import { FsError } from '../errors.ts';
import { readRange } from '../buffer/range-io.ts';
import { blockOfCluster } from '../fat/layout.ts';
import { withoutLoneSurrogates } from '../fat/name-rules.ts';
import { AllocationBitmap } from './allocation-bitmap.ts';
import { Chain } from './chain.ts';
import { ClusterRun } from '../fat/cluster-run.ts';
import type { Directory } from './directory.ts';
import { ENTRY, isBenign, typeText } from './entry-types.ts';
import { UPCASE_BYTES_MAX, upcaseChecksum, UpcaseTable } from './upcase-table.ts';
import type { Volume, VolumeStructures } from './volume.ts';

/** A bitmap in more pieces is refused: it would have to be searched for every cluster. */
const BITMAP_RUNS_MAX = 4096;
const LABEL_UNITS_MAX = 11;
const SECOND_BITMAP = 0x01;

/** Where a structure is. */
interface Stored {
  readonly first: number;
  readonly sizeBytes: number;
  readonly checksum: number;
}

/** The entries of the root directory that are not those of files. */
export interface RootEntries {
  readonly label: string;
  readonly bitmap: Stored;
  readonly upcase: Stored;
}

/**
 * Reads these entries. Rejects with `Corrupt` where one is missing or there twice, and with
 * `NotSupported` where there is another that must not be ignored.
 *
 * @param second whether the second FAT, and the bitmap that belongs to it, are those that count
 */
export async function readRootEntries(root: Directory, second: boolean): Promise<RootEntries> {
  let label = '';
  const bitmaps: Stored[] = [];
  const upcases: Stored[] = [];
  let unknown: number | undefined;
  await root.walk(0, {
    set: () => false,
    primary: (type, bytes, offset) => {
      if (type === ENTRY.bitmap) {
        if (((bytes[offset + 1] ?? 0) & SECOND_BITMAP) === (second ? SECOND_BITMAP : 0))
          bitmaps.push(storedAt(bytes, offset));
      } else if (type === ENTRY.upcase) upcases.push(storedAt(bytes, offset));
      else if (type === ENTRY.label) label = labelAt(bytes, offset);
      else if (!isBenign(type)) unknown ??= type;
    },
  });
  if (unknown !== undefined)
    throw new FsError('NotSupported', `exfat: the root directory has an unknown entry ${typeText(unknown)}`);
  return { label, bitmap: only(bitmaps, 'allocation bitmap'), upcase: only(upcases, 'up-case table') };
}

/**
 * Finds the bitmap, and reads the table. A table that is damaged leaves a volume that can be read.
 *
 * @param memoryBytes how much the table may take
 */
export async function readStructures(
  volume: Volume,
  { bitmap, upcase }: RootEntries,
  obstacle: string | undefined,
  memoryBytes: number,
): Promise<VolumeStructures> {
  const { layout, geometry, cache } = volume;
  const needed = Math.ceil(geometry.clusterCount / 8);
  const runs = await runsOf(volume, 'the allocation bitmap', bitmap, needed);
  const parts = { bitmap: new AllocationBitmap(layout, cache, runs, geometry.clusterCount), obstacle };
  const table = await readTable(volume, upcase);
  if (table === undefined)
    return { ...parts, upcase: UpcaseTable.plain(), obstacle: obstacle ?? 'its up-case table is damaged' };
  if (table.bytes > memoryBytes)
    throw new FsError('NoMemory', `exfat: the up-case table takes ${table.bytes} bytes`);
  return { ...parts, upcase: table };
}

/** Undefined for a table that is not what it should be, which is said. */
async function readTable(volume: Volume, stored: Stored): Promise<UpcaseTable | undefined> {
  const name = 'the up-case table';
  if (stored.sizeBytes > UPCASE_BYTES_MAX) throw volume.corrupt(`${name}: it has ${stored.sizeBytes} bytes`);
  const runs = await runsOf(volume, name, stored, stored.sizeBytes);
  const { blocksPerCluster, blockBytes } = volume.layout;
  const bytes = new Uint8Array(stored.sizeBytes);
  let done = 0;
  for (const { cluster, count } of runs) {
    const length = Math.min(count * blocksPerCluster * blockBytes, bytes.length - done);
    const block = blockOfCluster(volume.layout, cluster);
    await readRange(volume.cache, block, 0, bytes.subarray(done, done + length));
    done += length;
  }
  const sum = upcaseChecksum(bytes);
  if (sum === stored.checksum) return UpcaseTable.parse(bytes);
  volume.damaged(`${name}: its checksum is 0x${sum.toString(16)}, not 0x${stored.checksum.toString(16)}`);
  return undefined;
}

/** The clusters of a structure that must have so many bytes. */
async function runsOf(
  volume: Volume,
  name: string,
  { first, sizeBytes }: Stored,
  bytes: number,
): Promise<ClusterRun[]> {
  if (sizeBytes < bytes) throw volume.corrupt(`${name}: ${sizeBytes} bytes of ${bytes}`);
  const wanted = volume.clustersFor(bytes);
  if (wanted > 0) volume.requireCluster(first, name);
  const chain = new Chain(volume, first, undefined, name);
  const runs: ClusterRun[] = [];
  for (let index = 0; index < wanted; ) {
    const run = new ClusterRun();
    await chain.map(index, wanted - index, run);
    if (run.count === 0) throw volume.corrupt(`${name}: ${bytes} bytes, but only ${chain.known} clusters`);
    if (runs.length === BITMAP_RUNS_MAX)
      throw new FsError('NotSupported', `exfat: ${name} is in more than ${BITMAP_RUNS_MAX} pieces`);
    runs.push(run);
    index += run.count;
  }
  return runs;
}

function storedAt(bytes: Uint8Array, offset: number): Stored {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  return {
    first: view.getUint32(20, true),
    sizeBytes: Number(view.getBigUint64(24, true)),
    checksum: view.getUint32(4, true),
  };
}

function labelAt(bytes: Uint8Array, offset: number): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset);
  const length = Math.min(view.getUint8(1), LABEL_UNITS_MAX);
  const units = Array.from({ length }, (_unused, index) => view.getUint16(2 + index * 2, true));
  return withoutLoneSurrogates(String.fromCharCode(...units));
}

function only(found: readonly Stored[], name: string): Stored {
  const [one, other] = found;
  if (one === undefined || other !== undefined)
    throw new FsError('Corrupt', `exfat: the root directory has ${found.length} entries of an ${name}`);
  return one;
}
