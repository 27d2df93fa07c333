/**
 * The volume descriptors of ISO 9660 (ECMA-119), from sector 16 of a session on, each of 2048
 * bytes: 0 type · 1 "CD001" · 6 version. A primary one (type 1), supplementary ones with other
 * names of the same files (type 2: Joliet by its escape sequence, ISO 9660:1999 by version 2), and
 * a terminator. Numbers stand there in both orders of bytes.
 */
import type { Device } from '../device.ts';
import type { Findings } from '../report.ts';

export const SECTOR_BYTES = 2048;
const FIRST_DESCRIPTOR = 16;
const DESCRIPTORS_MAX = 64;
const SESSIONS_MAX = 1024;
/** A later session begins at most so many sectors behind the one before. */
const GAP_MAX = 512;

export interface Volume {
  /** The descriptor and its place, for findings. */
  readonly name: string;
  readonly blockBytes: number;
  readonly rootRecord: Uint8Array;
  readonly pathTableBytes: number;
  /** The blocks of the path tables, little-endian and big-endian; 0 for none. */
  readonly littleTable: number;
  readonly bigTable: number;
}

/** A number that stands there twice. Says where the two differ; the first one counts. */
export function both(bytes: Uint8Array, offset: number, size: 2 | 4, found: Findings, where: string): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [little, big] =
    size === 2
      ? [view.getUint16(offset, true), view.getUint16(offset + 2)]
      : [view.getUint32(offset, true), view.getUint32(offset + 4)];
  if (little !== big) found.damage(`${where}: ${little} and ${big} should be the same number, at ${offset}`);
  return little;
}

function isDescriptor(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(1, 6)) === 'CD001';
}

/** The sector where the last session begins; undefined where there is no ISO 9660 at all. */
export async function lastSession(device: Device): Promise<number | undefined> {
  const sectors = Math.floor(device.sizeBytes / SECTOR_BYTES);
  const head = async (start: number): Promise<Uint8Array | undefined> => {
    if (start + FIRST_DESCRIPTOR >= sectors) return undefined;
    const bytes = await device.bytes((start + FIRST_DESCRIPTOR) * SECTOR_BYTES, SECTOR_BYTES);
    return bytes[0] === 1 && isDescriptor(bytes) ? bytes : undefined;
  };
  let start = 0;
  let bytes = await head(0);
  if (bytes === undefined) return undefined;
  for (let session = 0; session < SESSIONS_MAX; session += 1) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const size = Math.ceil((view.getUint32(80, true) * view.getUint16(128, true)) / SECTOR_BYTES);
    const from = Math.max(size, start + 1);
    let next: Uint8Array | undefined;
    for (let at = from; at < from + GAP_MAX && next === undefined; at += 1) {
      next = await head(at);
      if (next !== undefined) start = at;
    }
    if (next === undefined) return start;
    bytes = next;
  }
  return start;
}

/** Reads the descriptors of a session, with findings. */
export async function readVolumes(device: Device, start: number, found: Findings): Promise<Volume[]> {
  const volumes: Volume[] = [];
  for (let index = 0; index < DESCRIPTORS_MAX; index += 1) {
    const sector = start + FIRST_DESCRIPTOR + index;
    if ((sector + 1) * SECTOR_BYTES > device.sizeBytes) break;
    const bytes = (await device.bytes(sector * SECTOR_BYTES, SECTOR_BYTES)).slice();
    if (!isDescriptor(bytes)) {
      found.harmless(`sector ${sector}: neither a volume descriptor nor their end`);
      return volumes;
    }
    if (bytes[0] === 255) return volumes;
    if (bytes[0] === 1 || bytes[0] === 2) {
      const volume = volumeOf(device, bytes, sector, found);
      if (volume !== undefined) volumes.push(volume);
    }
  }
  found.harmless(`sector ${start + FIRST_DESCRIPTOR}: the volume descriptors have no end`);
  return volumes;
}

function volumeOf(device: Device, bytes: Uint8Array, sector: number, found: Findings): Volume | undefined {
  const name = `volume descriptor in sector ${sector}`;
  const blockBytes = both(bytes, 128, 2, found, name);
  if (![512, 1024, 2048].includes(blockBytes)) {
    found.damage(`${name}: blocks of ${blockBytes} bytes`);
    return undefined;
  }
  const blocks = both(bytes, 80, 4, found, name);
  if (bytes[0] === 1 && blocks * blockBytes > device.sizeBytes)
    found.damage(`${name}: ${blocks * blockBytes} bytes, but the device ends after ${device.sizeBytes}`);
  if (bytes[6] !== 1 && bytes[6] !== 2) found.damage(`${name}: version ${bytes[6]}`);
  if (bytes[881] !== 1 && bytes[881] !== 2)
    found.harmless(`${name}: version ${bytes[881]} of its directories`);
  both(bytes, 120, 2, found, name);
  both(bytes, 124, 2, found, name);
  const view = new DataView(bytes.buffer);
  return {
    name,
    blockBytes,
    rootRecord: bytes.slice(156, 190),
    pathTableBytes: both(bytes, 132, 4, found, name),
    littleTable: view.getUint32(140, true),
    bigTable: view.getUint32(148),
  };
}
