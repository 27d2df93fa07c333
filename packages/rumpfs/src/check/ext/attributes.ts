/**
 * Extended attributes: entries that grow from the front and values that grow from the back, behind
 * the fields of a large inode, or in a block that several inodes may share.
 */
import { castagnoli, castagnoliOf } from '../crc.ts';
import { viewOf } from './disk.ts';
import type { Geometry } from './geometry.ts';
import type { Inode } from './inode.ts';

const MAGIC = 0xea02_0000;
const ENTRY_BYTES = 16;
const BLOCK_HEADER_BYTES = 32;
/** The name of what an inode stores inline: "data", in the group "system". */
const SYSTEM_GROUP = 7;

/** What the attributes of an inode say to other passes. */
export interface AttributeFacts {
  /** What is wrong; '' if nothing is. */
  readonly wrong: string;
  /** Inodes that hold values. */
  readonly valueInodes: readonly number[];
  /** The size of what is stored inline behind the map; undefined where there is none. */
  readonly inlineBytes?: number;
  /** Where that begins in the inode. */
  readonly inlineAt?: number;
}

const NOTHING: AttributeFacts = { wrong: '', valueInodes: [] };

/** The attributes behind the fields of an inode. */
export function attributesInInode(inode: Inode): AttributeFacts {
  const { bytes, extraBytes } = inode;
  if (bytes.length <= 128) return NOTHING;
  if (extraBytes === 0) return NOTHING;
  if (extraBytes < 4 || extraBytes % 4 !== 0 || extraBytes > bytes.length - 128)
    return { ...NOTHING, wrong: `${extraBytes} extra bytes` };
  const start = 128 + extraBytes;
  if (start + 4 > bytes.length || inode.view.getUint32(start, true) !== MAGIC) return NOTHING;
  return entriesOf(bytes, start + 4, start + 4, true);
}

/** The attributes in a block. */
export function attributesInBlock(geometry: Geometry, bytes: Uint8Array, block: number): AttributeFacts {
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC) return { ...NOTHING, wrong: 'magic number' };
  if (view.getUint32(8, true) !== 1) return { ...NOTHING, wrong: `${view.getUint32(8, true)} blocks` };
  if (geometry.checksums && view.getUint32(16, true) !== blockChecksum(geometry, bytes, block))
    return { ...NOTHING, wrong: 'wrong checksum' };
  return entriesOf(bytes, BLOCK_HEADER_BYTES, 0, false);
}

function blockChecksum(geometry: Geometry, bytes: Uint8Array, block: number): number {
  const zeroed = bytes.slice();
  zeroed.fill(0, 16, 20);
  const seed = castagnoliOf(castagnoliOf(geometry.seed, block % 2 ** 32), Math.floor(block / 2 ** 32));
  return castagnoli(seed, zeroed);
}

/** @param base where the places of values are counted from */
function entriesOf(bytes: Uint8Array, start: number, base: number, inInode: boolean): AttributeFacts {
  const view = viewOf(bytes);
  const valueInodes: number[] = [];
  const values: { readonly from: number; readonly to: number }[] = [];
  let inline: { inlineBytes: number; inlineAt: number } | undefined;
  let at = start;
  for (;;) {
    if (at + 4 > bytes.length) return { ...NOTHING, wrong: 'entries without an end' };
    if (view.getUint32(at, true) === 0) break;
    const nameBytes = view.getUint8(at);
    const end = at + ENTRY_BYTES + Math.ceil(nameBytes / 4) * 4;
    if (end > bytes.length) return { ...NOTHING, wrong: `entry at ${at} goes beyond the end` };
    const size = view.getUint32(at + 8, true);
    const valueInode = view.getUint32(at + 4, true);
    const from = base + view.getUint16(at + 2, true);
    if (valueInode !== 0) valueInodes.push(valueInode);
    else if (size > 0) {
      if (from + size > bytes.length)
        return { ...NOTHING, wrong: `value of entry at ${at} goes beyond the end` };
      values.push({ from, to: from + size });
    }
    const hash = view.getUint32(at + 12, true);
    const checked = valueInode === 0 && !(inInode && hash === 0);
    if (checked && !hashesOf(bytes, at, from, size).includes(hash))
      return { ...NOTHING, wrong: `entry at ${at}: wrong hash` };
    const name = String.fromCharCode(...bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameBytes));
    if (inInode && view.getUint8(at + 1) === SYSTEM_GROUP && name === 'data')
      inline = { inlineBytes: size, inlineAt: from };
    at = end;
  }
  const sorted = values.toSorted((one, other) => one.from - other.from);
  const overlap = sorted.some(({ from }, index) => from < (sorted[index - 1]?.to ?? at + 4));
  return { wrong: overlap ? 'values overlap' : '', valueInodes, ...inline };
}

/** The hash of an entry, with the bytes of its name taken as unsigned, and as signed. */
function hashesOf(bytes: Uint8Array, entry: number, value: number, size: number): readonly number[] {
  const name = bytes.subarray(entry + ENTRY_BYTES, entry + ENTRY_BYTES + (bytes[entry] ?? 0));
  return [name, Int8Array.from(name)].map((characters) => {
    let hash = 0;
    for (const character of characters) hash = ((hash << 5) ^ (hash >>> 27) ^ character) >>> 0;
    const view = viewOf(bytes);
    for (let at = value; at < value + Math.ceil(size / 4) * 4; at += 4) {
      const word = at + 4 <= bytes.length ? view.getUint32(at, true) : 0;
      hash = ((hash << 16) ^ (hash >>> 16) ^ word) >>> 0;
    }
    return hash;
  });
}
