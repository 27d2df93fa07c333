/**
 * The system use area behind the name of a record: fields of 0 signature (2) · 2 length · 3 version
 * · 4 contents, by the System Use Sharing Protocol (IEEE P1281), which Rock Ridge (IEEE P1282) and
 * zisofs fill. "CE" says where more of them are, "ST" that there are none.
 */
import { messageOf } from '../../errors.ts';
import type { Device } from '../device.ts';
import type { Findings } from '../report.ts';
import { both } from './descriptors.ts';

const AREAS_MAX = 64;
const AREA_BYTES_MAX = 1 << 16;
/** The least lengths of the fields whose contents are used. */
const LENGTHS: Readonly<Record<string, number>> = {
  PX: 36,
  CE: 28,
  CL: 12,
  PL: 12,
  ZF: 16,
  SL: 5,
  NM: 5,
  TF: 5,
  SP: 7,
};

/** What the fields of a record say that other structures must agree with. */
export interface SystemUse {
  mode: number | undefined;
  /** The block of the directory that really is here. */
  child: number | undefined;
  /** The block of the directory above a moved one. */
  parent: number | undefined;
  moved: boolean;
  unpackedBytes: number | undefined;
  /** How many bytes other records skip; only in the first record of the root. */
  skip: number | undefined;
}

/** Reads the fields of a record, with those elsewhere, and says what is wrong with them. */
export async function readSystemUse(
  device: Device,
  found: Findings,
  blockBytes: number,
  area: Uint8Array,
  where: string,
): Promise<SystemUse> {
  const use: SystemUse = {
    mode: undefined,
    child: undefined,
    parent: undefined,
    moved: false,
    unpackedBytes: undefined,
    skip: undefined,
  };
  let bytes = area;
  for (let areas = 0; ; areas += 1) {
    const next = takeFields(found, bytes, use, where);
    if (next === undefined) return use;
    const [position, length] = [next.block * blockBytes + next.offset, next.length];
    if (areas === AREAS_MAX || length > AREA_BYTES_MAX) {
      found.damage(`${where}: system use goes on in more than ${AREAS_MAX} places, or in too much`);
      return use;
    }
    try {
      bytes = await device.bytes(position, length);
    } catch (error) {
      found.damage(`${where}: system use goes on at byte ${position}: ${messageOf(error)}`);
      return use;
    }
  }
}

function takeFields(
  found: Findings,
  bytes: Uint8Array,
  use: SystemUse,
  where: string,
): { readonly block: number; readonly offset: number; readonly length: number } | undefined {
  let next: { readonly block: number; readonly offset: number; readonly length: number } | undefined;
  for (let at = 0; at + 4 <= bytes.length; ) {
    const [first = 0, second = 0, length = 0] = bytes.subarray(at, at + 3);
    if (first === 0 || length === 0) break;
    const signature = String.fromCharCode(first, second);
    if (length < 4 || at + length > bytes.length || length < (LENGTHS[signature] ?? 4)) {
      found.damage(
        `${where}: system use: field ${JSON.stringify(signature)} of ${length} bytes, with ${bytes.length - at} left`,
      );
      break;
    }
    if (signature === 'ST') break;
    const field = bytes.subarray(at, at + length);
    const view = new DataView(field.buffer, field.byteOffset, field.length);
    if (signature === 'CE')
      next = {
        block: view.getUint32(4, true),
        offset: view.getUint32(12, true),
        length: view.getUint32(20, true),
      };
    else takeField(found, signature, field, use, where);
    at += length;
  }
  return next;
}

function takeField(
  found: Findings,
  signature: string,
  field: Uint8Array,
  use: SystemUse,
  where: string,
): void {
  const name = `${where}: system use: ${signature}`;
  switch (signature) {
    case 'PX':
      use.mode = both(field, 4, 4, found, name);
      both(field, 12, 4, found, name);
      return;
    case 'CL':
      use.child = both(field, 4, 4, found, name);
      return;
    case 'PL':
      use.parent = both(field, 4, 4, found, name);
      return;
    case 'RE':
      use.moved = true;
      return;
    case 'SP':
      if (field[4] !== 0xbe || field[5] !== 0xef) found.damage(`${name}: magic number`);
      use.skip = field[6] ?? 0;
      return;
    case 'ZF':
      if (field[4] === 0x70 && field[5] === 0x7a) use.unpackedBytes = both(field, 8, 4, found, name);
      return;
    case 'SL':
      checkLink(found, field, name);
      return;
    default:
  }
}

/** Components of a target: flags · length · bytes. */
function checkLink(found: Findings, field: Uint8Array, where: string): void {
  let at = 5;
  while (at + 2 <= field.length) at += 2 + (field[at + 1] ?? 0);
  if (at !== field.length) found.damage(`${where}: a component of ${at - field.length} bytes too many`);
}
