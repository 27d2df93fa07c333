/**
 * The descriptors from sector 16 of a session on, each a sector: 0 type (1: primary, 2:
 * supplementary, 255: the last) · 1 "CD001" · 6 version · 40 the volume's name · 80 its blocks
 * (4+4) · 88 escape sequences · 128 the size of a block (2+2) · 156 the record of the root
 * directory.
 *
 * Numbers are recorded twice, little endian first; only that is read.
 *
 * Source: ECMA-119; ISO 9660:1999; "Joliet Specification", 1995.
 */
import { FsError } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';
import { SECTOR_BYTES } from './disc.ts';

const FIRST_DESCRIPTOR = 16;
const DESCRIPTORS_MAX = 64;
const TYPE_PRIMARY = 1;
const TYPE_SUPPLEMENTARY = 2;
const TYPE_END = 255;
const STANDARD = 'CD001';
const JOLIET_ESCAPES = ['%/@', '%/C', '%/E'];
const ENHANCED_VERSION = 2;
const ROOT_RECORD_AT = 156;
const ROOT_RECORD_BYTES = 34;
/** The next session begins at most this many sectors behind the end of one. */
const SESSION_GAP_MAX = 300;
const SESSIONS_MAX = 100;

export interface Descriptor {
  readonly kind: 'primary' | 'joliet' | 'enhanced';
  readonly label: string;
  readonly blockBytes: number;
  /** The number of blocks of the volume. */
  readonly blocks: number;
  readonly rootRecord: Uint8Array;
}

/** The descriptors of the session that begins at sector `start`; none where there is no session. */
export async function readDescriptors(bio: BlockIo, start: number): Promise<Descriptor[]> {
  const descriptors: Descriptor[] = [];
  for (let index = 0; index < DESCRIPTORS_MAX; index += 1) {
    const at = (start + FIRST_DESCRIPTOR + index) * SECTOR_BYTES;
    if (at + SECTOR_BYTES > bio.sectorCount * bio.sectorSizeBytes) break;
    const bytes = await readBytes(bio, at, SECTOR_BYTES);
    if (latin(bytes, 1, 5) !== STANDARD || bytes[0] === TYPE_END) break;
    const descriptor = descriptorOf(bytes);
    if (descriptor !== undefined) descriptors.push(descriptor);
  }
  return descriptors;
}

/**
 * The sector where the last session begins. A later one stands behind the volume of the one before,
 * and has all that is not new by reference to that.
 */
export async function lastSession(bio: BlockIo): Promise<number> {
  const sectors = Math.floor((bio.sectorCount * bio.sectorSizeBytes) / SECTOR_BYTES);
  let start = 0;
  for (let session = 0; session < SESSIONS_MAX; session += 1) {
    const [first] = await readDescriptors(bio, start);
    if (first === undefined) return start;
    // Volumes of later sessions count their blocks from the start of the disc, or from their own.
    const size = Math.ceil((first.blocks * first.blockBytes) / SECTOR_BYTES);
    const next = await sessionBehind(bio, Math.max(size, start + 1), sectors);
    if (next === undefined) return start;
    start = next;
  }
  return start;
}

async function sessionBehind(bio: BlockIo, end: number, sectors: number): Promise<number | undefined> {
  for (let start = end; start < end + SESSION_GAP_MAX && start + FIRST_DESCRIPTOR < sectors; start += 1) {
    const bytes = await readBytes(bio, (start + FIRST_DESCRIPTOR) * SECTOR_BYTES, 8);
    if (bytes[0] === TYPE_PRIMARY && latin(bytes, 1, 5) === STANDARD) return start;
  }
  return undefined;
}

function descriptorOf(bytes: Uint8Array): Descriptor | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const kind = kindOf(bytes);
  if (kind === undefined) return undefined;
  const blockBytes = view.getUint16(128, true);
  if (![512, 1024, 2048].includes(blockBytes))
    throw new FsError('Corrupt', `cd9660: volume descriptor: blocks of ${blockBytes} bytes`);
  const label = kind === 'joliet' ? bigEndianText(bytes.subarray(40, 72)) : latin(bytes, 40, 32);
  return {
    kind,
    label: label.trimEnd(),
    blockBytes,
    blocks: view.getUint32(80, true),
    rootRecord: bytes.slice(ROOT_RECORD_AT, ROOT_RECORD_AT + ROOT_RECORD_BYTES),
  };
}

function kindOf(bytes: Uint8Array): Descriptor['kind'] | undefined {
  if (bytes[0] === TYPE_PRIMARY) return 'primary';
  if (bytes[0] !== TYPE_SUPPLEMENTARY) return undefined;
  if (JOLIET_ESCAPES.includes(latin(bytes, 88, 3))) return 'joliet';
  return bytes[6] === ENHANCED_VERSION ? 'enhanced' : undefined;
}

function latin(bytes: Uint8Array, start: number, length: number): string {
  return String.fromCharCode(...bytes.subarray(start, start + length));
}

/** The text of UCS-2 in big endian, as Joliet has it. */
export function bigEndianText(bytes: Uint8Array): string {
  let text = '';
  for (let index = 0; index + 1 < bytes.length; index += 2) {
    text += String.fromCharCode((bytes[index] ?? 0) * 256 + (bytes[index + 1] ?? 0));
  }
  return text;
}
