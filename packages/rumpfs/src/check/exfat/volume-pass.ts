/** What the root directory says of the volume: the bitmap, the up-case table, and the label. */
import { FsError } from '../../errors.ts';
import { claim, clustersFor, type Context, fatEntry, placeOf } from './context.ts';
import { itemsOf } from './sets.ts';
import { checksumOfTable, readCapitals } from './upcase.ts';

const BITMAP = 0x81;
const UPCASE = 0x82;
const LABEL = 0x83;
const LABEL_UNITS_MAX = 11;
const TABLE_BYTES_MAX = 262_144;
const FAT_FIRST = [0xffff_fff8, 0xffff_ffff] as const;

/** Where the bitmap is. */
export interface BitmapPlace {
  readonly clusters: readonly number[];
  readonly bytes: number;
}

/**
 * Looks at these entries, and at the table, by which names are compared from then on. Rejects with
 * `Corrupt` where there is no bitmap that could be used.
 */
export async function checkVolumeEntries(
  context: Context,
  root: Uint8Array,
  rootClusters: readonly number[],
): Promise<BitmapPlace> {
  const { found, geometry, image, mends } = context;
  await checkFirstEntries(context);
  const bitmaps: Uint8Array[] = [];
  const tables: Uint8Array[] = [];
  let labels = 0;
  for (const item of itemsOf(root)) {
    if (item.kind !== 'volume') continue;
    const { type, bytes, at } = item;
    if (type === BITMAP) {
      if (((bytes[1] ?? 0) & 1) === (geometry.second ? 1 : 0)) bitmaps.push(bytes);
      else if (!geometry.second) found.harmless(`/ at ${at}: a bitmap for a second FAT`);
    } else if (type === UPCASE) tables.push(bytes);
    else if (type === LABEL) {
      labels += 1;
      const units = bytes[1] ?? 0;
      if (units <= LABEL_UNITS_MAX) continue;
      found.harmless(`/ at ${at}: a label of ${units} units`);
      const cluster = rootClusters[Math.floor(at / geometry.clusterBytes)] ?? 0;
      if (mends)
        await image.change(
          placeOf(geometry, cluster) + (at % geometry.clusterBytes) + 1,
          new Uint8Array([LABEL_UNITS_MAX]),
        );
    } else if ((type & 0x20) === 0) found.damage(`/ at ${at}: an unknown entry 0x${type.toString(16)}`);
  }
  if (labels > 1) found.harmless(`/: ${labels} labels`);
  if (bitmaps.length > 1) found.damage(`/: ${bitmaps.length} bitmaps`);
  const [bitmap] = bitmaps;
  if (bitmap === undefined)
    throw new FsError('Corrupt', 'check: the root directory has no allocation bitmap');
  const place = await bitmapPlace(context, bitmap);
  await checkTable(context, tables);
  return place;
}

/** The entries of the FAT that belong to no cluster. */
async function checkFirstEntries(context: Context): Promise<void> {
  const { geometry, image, found, mends } = context;
  for (const [index, expected] of FAT_FIRST.entries()) {
    const entry = await fatEntry(context, index);
    if (entry === expected) continue;
    found.harmless(`FAT: entry ${index} is 0x${entry.toString(16)}, not 0x${expected.toString(16)}`);
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, expected, true);
    if (mends) await image.change(geometry.fatAt + index * 4, bytes);
  }
}

async function bitmapPlace(context: Context, entry: Uint8Array): Promise<BitmapPlace> {
  const view = new DataView(entry.buffer, entry.byteOffset, 32);
  const needed = Math.ceil(context.geometry.clusters / 8);
  const size = view.getBigUint64(24, true);
  const wanted = clustersFor(context.geometry, needed);
  const { clusters, mistake } = await claim(context, view.getUint32(20, true), wanted, false);
  if (mistake !== undefined) throw new FsError('Corrupt', `check: the allocation bitmap ${mistake}`);
  if (size < BigInt(needed))
    throw new FsError('Corrupt', `check: the allocation bitmap has ${size} of ${needed} bytes`);
  if (size !== BigInt(needed))
    context.found.harmless(`allocation bitmap: it has ${size} bytes, not ${needed}`);
  return { clusters, bytes: needed };
}

async function checkTable(context: Context, tables: readonly Uint8Array[]): Promise<void> {
  const { found, image, geometry } = context;
  const [entry] = tables;
  if (entry === undefined || tables.length > 1) found.damage(`/: ${tables.length} up-case tables`);
  if (entry === undefined) return;
  const view = new DataView(entry.buffer, entry.byteOffset, 32);
  const size = Number(view.getBigUint64(24, true));
  if (size > TABLE_BYTES_MAX) {
    found.damage(`up-case table: ${size} bytes`);
    return;
  }
  const { clusters, mistake } = await claim(
    context,
    view.getUint32(20, true),
    clustersFor(geometry, size),
    false,
  );
  if (mistake !== undefined) {
    found.damage(`up-case table: ${mistake}`);
    return;
  }
  const stored = new Uint8Array(size);
  for (const [index, cluster] of clusters.entries()) {
    const at = index * geometry.clusterBytes;
    stored.set(await image.read(placeOf(geometry, cluster), Math.min(geometry.clusterBytes, size - at)), at);
  }
  const sum = checksumOfTable(stored);
  const said = view.getUint32(4, true);
  const capitals = readCapitals(stored);
  if (sum !== said)
    found.damage(`up-case table: its checksum is 0x${sum.toString(16)}, not 0x${said.toString(16)}`);
  else if (capitals === undefined) found.damage('up-case table: it goes on behind the last unit');
  if (capitals !== undefined) context.capitals = capitals;
}
