/** The two boot regions of an exFAT: each of them, and whether they say the same. */
import { FsError } from '../../errors.ts';
import type { Findings } from '../report.ts';
import type { ExfatImage } from './image.ts';

const REGION_SECTORS = 12;
const EXTENDED_SECTORS = 8;
/** The claims of more clusters would not fit into memory. */
const CLUSTERS_MAX = 2 ** 31;
/** Bytes of the boot sector that change while a volume is in use. */
const CHANGING = [106, 107, 112];

/** The sizes of an exFAT; places are bytes. */
export interface ExfatGeometry {
  readonly sectorBytes: number;
  readonly clusterBytes: number;
  readonly clusters: number;
  readonly fatAt: number;
  readonly dataAt: number;
  readonly rootCluster: number;
  readonly totalBytes: number;
  /** Whether the second bitmap counts. */
  readonly second: boolean;
}

/**
 * Looks at both regions, and mends one by the other. Rejects with `NoFileSystem` where neither is
 * one, with `Corrupt` where neither makes sense.
 */
export async function checkBootRegions(
  image: ExfatImage,
  found: Findings,
  mends: boolean,
): Promise<ExfatGeometry> {
  const main = await tryRegion(image, 0, undefined);
  let backup: Region | undefined;
  for (const sectorBytes of main === undefined ? [512, 1024, 2048, 4096] : [main.sectorBytes])
    backup ??= await tryRegion(image, REGION_SECTORS * sectorBytes, sectorBytes);
  const sound =
    main?.mistake === undefined ? (main ?? backup) : backup?.mistake === undefined ? backup : main;
  if (sound === undefined) throw new FsError('NoFileSystem', 'check: no boot sector of an exFAT');
  if (main !== sound) {
    found.damage(`boot sector: ${main?.mistake ?? 'it is that of no exFAT'}`);
    if (mends) await image.change(0, sound.bytes);
  } else if (main.mistake !== undefined) {
    throw new FsError('Corrupt', `check: boot sector: ${main.mistake}, and there is no sound backup`);
  } else {
    await checkBackup(image, found, mends, main, backup);
  }
  for (let sector = 1; sector <= EXTENDED_SECTORS; sector += 1) {
    if (sound.view.getUint32((sector + 1) * sound.sectorBytes - 4, true) !== 0xaa55_0000)
      found.harmless(`boot sector ${sector}: it has no signature`);
  }
  await checkFlags(image, found, mends, main === sound ? main.view : undefined);
  return geometryOf(sound, main ?? sound);
}

async function checkBackup(
  image: ExfatImage,
  found: Findings,
  mends: boolean,
  main: Region,
  backup: Region | undefined,
): Promise<void> {
  const differs =
    backup !== undefined &&
    main.bytes.some((byte, at) => byte !== backup.bytes[at] && !CHANGING.includes(at));
  if (backup !== undefined && backup.mistake === undefined && !differs) return;
  found.harmless(`backup of the boot sector: ${backup?.mistake ?? 'it is not what the first one is'}`);
  if (mends) await image.change(REGION_SECTORS * main.sectorBytes, main.bytes);
}

async function checkFlags(
  image: ExfatImage,
  found: Findings,
  mends: boolean,
  boot: DataView | undefined,
): Promise<void> {
  if (boot === undefined) return;
  const flags = boot.getUint16(106, true);
  if ((flags & 2) !== 0) found.harmless('volume: was not unmounted cleanly');
  if ((flags & 4) !== 0) found.harmless('volume: its medium is marked as one that has failed');
  const percent = boot.getUint8(112);
  if (percent <= 100 || percent === 0xff) return;
  found.harmless(`boot sector: ${percent} percent are in use`);
  if (mends) await image.change(112, new Uint8Array([0xff]));
}

/** A region, and what is wrong with it. */
interface Region {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly sectorBytes: number;
  readonly mistake: string | undefined;
}

/** @param sectorBytes what the sectors must have; undefined where that is not known */
async function tryRegion(
  image: ExfatImage,
  at: number,
  sectorBytes: number | undefined,
): Promise<Region | undefined> {
  if (at + 512 > image.sizeBytes) return undefined;
  const boot = await image.read(at, 512);
  if (String.fromCharCode(...boot.subarray(3, 11)) !== 'EXFAT   ') return undefined;
  const shift = boot[108] ?? 0;
  const size = shift >= 9 && shift <= 12 ? 2 ** shift : 512;
  if (sectorBytes !== undefined && sectorBytes !== size) return undefined;
  if (at + REGION_SECTORS * size > image.sizeBytes) return undefined;
  const bytes = await image.read(at, REGION_SECTORS * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return { bytes, view, sectorBytes: size, mistake: mistakeIn(view, bytes, image.sizeBytes) };
}

function mistakeIn(view: DataView, bytes: Uint8Array, deviceBytes: number): string | undefined {
  const [shift, perShift, fats] = [view.getUint8(108), view.getUint8(109), view.getUint8(110)];
  if (view.getUint16(510, true) !== 0xaa55) return 'it has no signature at byte 510';
  if (shift < 9 || shift > 12) return `sectors of 2^${shift} bytes`;
  if (shift + perShift > 25) return `clusters of 2^${shift + perShift} bytes`;
  if (view.getUint8(105) !== 1) return `revision ${view.getUint8(105)}`;
  if (bytes.subarray(11, 64).some((byte) => byte !== 0)) return 'bytes 11 to 63 are not zero';
  const sum = checksumOf(bytes.subarray(0, 11 * 2 ** shift));
  for (let at = 11 * 2 ** shift; at < bytes.length; at += 4)
    if (view.getUint32(at, true) !== sum) return `the checksum at byte ${at} is not 0x${sum.toString(16)}`;
  if (fats !== 1 && fats !== 2) return `${fats} FATs`;
  const total = Number(view.getBigUint64(72, true));
  const [fat, fatLength, heap, clusters, root] = [80, 84, 88, 92, 96].map((at) => view.getUint32(at, true));
  if (fat === undefined || fatLength === undefined || heap === undefined) return 'no sizes';
  if (clusters === undefined || root === undefined) return 'no sizes';
  if (total * 2 ** shift > deviceBytes) return `${total} sectors, more than the device has`;
  if (fat < 24) return `the FAT begins at sector ${fat}`;
  if (clusters < 1) return 'no clusters';
  if (clusters > CLUSTERS_MAX) throw new FsError('NotSupported', `check: ${clusters} clusters`);
  if (fatLength * 2 ** shift < (clusters + 2) * 4)
    return `a FAT of ${fatLength} sectors for ${clusters} clusters`;
  if (heap < fat + fats * fatLength) return `the clusters begin at sector ${heap}, in the FAT`;
  if (heap + clusters * 2 ** perShift > total) return `${clusters} clusters, of ${total} sectors`;
  if (root < 2 || root >= clusters + 2) return `the root directory begins at cluster ${root}`;
  return undefined;
}

function checksumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (const [at, byte] of bytes.entries()) {
    if (CHANGING.includes(at)) continue;
    sum = ((sum & 1) * 0x8000_0000 + (sum >>> 1) + byte) % 0x1_0000_0000;
  }
  return sum;
}

function geometryOf({ view, sectorBytes }: Region, main: Region): ExfatGeometry {
  const fats = view.getUint8(110);
  const second = fats === 2 && (main.view.getUint16(106, true) & 1) !== 0;
  return {
    sectorBytes,
    clusterBytes: sectorBytes * 2 ** view.getUint8(109),
    clusters: view.getUint32(92, true),
    fatAt: (view.getUint32(80, true) + (second ? view.getUint32(84, true) : 0)) * sectorBytes,
    dataAt: view.getUint32(88, true) * sectorBytes,
    rootCluster: view.getUint32(96, true),
    totalBytes: Number(view.getBigUint64(72, true)) * sectorBytes,
    second,
  };
}
