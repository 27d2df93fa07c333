/**
 * The sizes of a new FAT. What the format itself says is from Microsoft, "FAT: General Overview of
 * On-Disk Format"; which of the possible sizes are chosen follows what `mkfs.fat` (dosfstools 4.2)
 * is seen to choose, so that a volume is like those that everybody has.
 */
import { FsError } from '../errors.ts';

/** The wishes for a FAT. */
export interface MsdosWishes {
  readonly bits?: 12 | 16 | 32 | undefined;
  readonly clusterBytes?: number | undefined;
  readonly sectorBytes?: number | undefined;
}

/** The sizes, in sectors where nothing else is said. */
export interface MsdosGeometry {
  readonly bits: 12 | 16 | 32;
  readonly sectorBytes: number;
  readonly sectors: number;
  readonly sectorsPerCluster: number;
  readonly reserved: number;
  readonly fatSectors: number;
  readonly rootEntries: number;
  readonly clusters: number;
  readonly media: number;
  readonly sectorsPerTrack: number;
  readonly heads: number;
}

export const FAT_COPIES = 2;
const ENTRY_BYTES = 32;
const SECTORS_MAX = 2 ** 32 - 1;
const CLUSTER_SECTORS_MAX = 128;
const CLUSTER_BYTES_MAX = 64 * 1024;
const CLUSTERS_MAX = { 12: 4084, 16: 65_524, 32: 0x0fff_fff5 } as const;
const CLUSTERS_MIN = { 12: 1, 16: 4085, 32: 1 } as const;
const MEBIBYTE = 1024 * 1024;
const FAT32_BYTES_MIN = 512 * MEBIBYTE;
/** Up to here structures are not aligned to clusters. */
const UNALIGNED_BYTES_MAX = 4 * MEBIBYTE;
const FAT32_RESERVED = 32;
const ROOT_ENTRIES = 512;
const MEDIA_FIXED = 0xf8;

interface Floppy {
  readonly media: number;
  readonly sectorsPerTrack: number;
  readonly rootEntries: number;
  readonly sectorsPerCluster: number;
}

/** Floppy disks by their size in KiB. */
const FLOPPIES: ReadonlyMap<number, Floppy> = new Map([
  [360, { media: 0xfd, sectorsPerTrack: 9, rootEntries: 112, sectorsPerCluster: 2 }],
  [720, { media: 0xf9, sectorsPerTrack: 9, rootEntries: 112, sectorsPerCluster: 2 }],
  [1200, { media: 0xf9, sectorsPerTrack: 15, rootEntries: 224, sectorsPerCluster: 1 }],
  [1440, { media: 0xf0, sectorsPerTrack: 18, rootEntries: 224, sectorsPerCluster: 1 }],
  [2880, { media: 0xf0, sectorsPerTrack: 36, rootEntries: 224, sectorsPerCluster: 2 }],
]);

/** Sectors a track and heads, by the largest size in MiB that has them. */
const TRACKS: readonly (readonly [number, number, number])[] = [
  [2, 16, 2],
  [16, 32, 2],
  [32, 32, 4],
  [128, 32, 8],
  [256, 32, 16],
  [504, 63, 16],
  [1008, 63, 32],
  [2016, 63, 64],
  [4032, 63, 128],
  [Number.POSITIVE_INFINITY, 63, 255],
];

/** Bytes of a cluster of FAT32, by the largest size in MiB that has them. */
const FAT32_CLUSTERS: readonly (readonly [number, number])[] = [
  [260, 512],
  [8192, 4096],
  [16_384, 8192],
  [32_768, 16_384],
  [Number.POSITIVE_INFINITY, 32_768],
];

/** The sizes for a device. Throws `InvalidArgument` if there can be no such FAT, or `NoSpace`. */
export function msdosGeometry(sizeBytes: number, wishes: MsdosWishes): MsdosGeometry {
  const sectorBytes = wishes.sectorBytes ?? 512;
  if (![512, 1024, 2048, 4096].includes(sectorBytes)) {
    throw new FsError('InvalidArgument', `a FAT has no sectors of ${sectorBytes} bytes`);
  }
  const floppy = wishes.bits === 32 ? undefined : FLOPPIES.get(sizeBytes / 1024);
  const [, track = 63, heads = 255] = TRACKS.find(([most]) => sizeBytes <= most * MEBIBYTE) ?? [];
  const sectorsPerTrack = floppy?.sectorsPerTrack ?? track;
  const all = Math.min(Math.floor(sizeBytes / sectorBytes), SECTORS_MAX);
  const sectors = Math.floor(all / sectorsPerTrack) * sectorsPerTrack;
  const place = { sectorBytes, sectors, sizeBytes, floppy };
  const found = fitting(place, wishes);
  const media = floppy?.media ?? MEDIA_FIXED;
  return { ...found, sectorBytes, sectors, media, sectorsPerTrack, heads: floppy ? 2 : heads };
}

interface Place {
  readonly sectorBytes: number;
  readonly sectors: number;
  readonly sizeBytes: number;
  readonly floppy: Floppy | undefined;
}

type Layout = Pick<
  MsdosGeometry,
  'bits' | 'sectorsPerCluster' | 'reserved' | 'fatSectors' | 'rootEntries' | 'clusters'
>;

function fitting(place: Place, { bits, clusterBytes }: MsdosWishes): Layout {
  const kinds: readonly (12 | 16 | 32)[] = bits
    ? [bits]
    : place.sizeBytes >= FAT32_BYTES_MIN
      ? [32]
      : [12, 16, 32];
  const chosen = clusterBytes === undefined ? undefined : clusterSectors(place, clusterBytes);
  // With a cluster size of its own choice, any kind that fits will do; the smallest entries first.
  const sizes = chosen === undefined ? undefined : [chosen];
  if (sizes === undefined && bits === undefined && kinds.length > 1) {
    const first = place.floppy?.sectorsPerCluster ?? firstSectors(place);
    const small = layout(place, 12, first);
    if (small && isSound(small)) return small;
  }
  for (const kind of sizes === undefined && bits === undefined && kinds.length > 1
    ? [16 as const, 12 as const]
    : kinds) {
    for (const sectorsPerCluster of sizes ?? sizesOf(place, kind)) {
      const found = layout(place, kind, sectorsPerCluster);
      if (found && isSound(found)) return found;
    }
  }
  const kind = bits === undefined ? 'a FAT' : `a FAT${bits}`;
  throw new FsError(
    'InvalidArgument',
    `${kind} cannot have ${place.sizeBytes} bytes${chosen === undefined ? '' : ' with such clusters'}`,
  );
}

function isSound({ bits, clusters }: Layout): boolean {
  return clusters >= CLUSTERS_MIN[bits] && clusters <= CLUSTERS_MAX[bits];
}

function clusterSectors({ sectorBytes }: Place, clusterBytes: number): number {
  const sectors = clusterBytes / sectorBytes;
  const sound = Number.isInteger(Math.log2(sectors)) && sectors >= 1 && sectors <= CLUSTER_SECTORS_MAX;
  if (sound && clusterBytes <= CLUSTER_BYTES_MAX) return sectors;
  throw new FsError('InvalidArgument', `a FAT has no clusters of ${clusterBytes} bytes`);
}

/** Four sectors of 512 bytes, or one larger sector. */
function firstSectors({ sectorBytes }: Place): number {
  return Math.max(1, 2048 / sectorBytes);
}

function sizesOf(place: Place, bits: 12 | 16 | 32): readonly number[] {
  if (place.floppy) return [place.floppy.sectorsPerCluster];
  if (bits === 32) {
    const [, bytes = 512] = FAT32_CLUSTERS.find(([most]) => place.sizeBytes <= most * MEBIBYTE) ?? [];
    return [Math.max(1, bytes / place.sectorBytes)];
  }
  const sizes: number[] = [];
  for (let sectors = firstSectors(place); sectors <= CLUSTER_SECTORS_MAX; sectors *= 2) sizes.push(sectors);
  return sizes.filter((sectors) => sectors * place.sectorBytes <= CLUSTER_BYTES_MAX);
}

/** A layout with this size of clusters; undefined if nothing is left for them. */
function layout(place: Place, bits: 12 | 16 | 32, sectorsPerCluster: number): Layout | undefined {
  const { sectorBytes, sectors, sizeBytes, floppy } = place;
  const aligned = floppy === undefined && sizeBytes > UNALIGNED_BYTES_MAX;
  const up = (count: number): number => (aligned ? roundUp(count, sectorsPerCluster) : count);
  const reserved = up(bits === 32 ? FAT32_RESERVED : 1);
  const rootSectors =
    bits === 32 ? 0 : up(((floppy?.rootEntries ?? ROOT_ENTRIES) * ENTRY_BYTES) / sectorBytes);
  const free = sectors - reserved - Math.ceil(rootSectors);
  // Each cluster costs its sectors and its entries in the copies; the entries 0 and 1 come on top.
  const bitsPerFatSector = 8 * sectorBytes + (FAT_COPIES * bits) / sectorsPerCluster;
  let fatSectors = up(Math.max(1, Math.ceil(((free / sectorsPerCluster + 2) * bits) / bitsPerFatSector)));
  const clustersWith = (fat: number): number => Math.floor((free - FAT_COPIES * fat) / sectorsPerCluster);
  const step = up(1);
  const isEnough = (fat: number): boolean => (clustersWith(fat) + 2) * bits <= fat * 8 * sectorBytes;
  while (fatSectors > step && isEnough(fatSectors - step)) fatSectors -= step;
  while (!isEnough(fatSectors)) fatSectors += step;
  const clusters = clustersWith(fatSectors);
  if (clusters < 1) return undefined;
  return {
    bits,
    sectorsPerCluster,
    reserved,
    fatSectors,
    rootEntries: (rootSectors * sectorBytes) / ENTRY_BYTES,
    clusters,
  };
}

function roundUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}
