import type { FfsGeometry } from './geometry.ts';

export const PIECE_BYTES = 512;
const HEADER_BYTES = 8;

/** One record of a directory's piece. */
export interface FfsRecord {
  readonly offset: number;
  readonly length: number;
  readonly inode: number;
  readonly type: number;
  readonly name: Uint8Array;
}

/** The bytes that a record needs for a name. */
export function recordBytes(nameLength: number): number {
  return HEADER_BYTES + Math.ceil((nameLength + 1) / 4) * 4;
}

/** The records of a piece; where one cannot be, what is wrong with it, and those before it. */
export function recordsOf(
  piece: Uint8Array,
  geometry: FfsGeometry,
): { readonly records: FfsRecord[]; readonly wrong: string | undefined } {
  const view = new DataView(piece.buffer, piece.byteOffset, PIECE_BYTES);
  const records: FfsRecord[] = [];
  for (let offset = 0; offset < PIECE_BYTES; ) {
    const left = PIECE_BYTES - offset;
    if (left < HEADER_BYTES) return { records, wrong: `record at ${offset} with ${left} bytes left for it` };
    const length = view.getUint16(offset + 4, geometry.little);
    const lengthAt = geometry.oldDirectories && geometry.little ? 6 : 7;
    const nameLength = view.getUint8(offset + lengthAt);
    const inode = view.getUint32(offset, geometry.little);
    const fits = length >= 12 && length % 4 === 0 && offset + length <= PIECE_BYTES;
    if (!fits) return { records, wrong: `record at ${offset} with length ${length}` };
    if (inode !== 0 && (nameLength === 0 || recordBytes(nameLength) > length))
      return { records, wrong: `record at ${offset} with a name of ${nameLength} bytes in ${length}` };
    const name = piece.slice(offset + HEADER_BYTES, offset + HEADER_BYTES + (inode === 0 ? 0 : nameLength));
    records.push({ offset, length, inode, type: view.getUint8(offset + 6), name });
    offset += length;
  }
  return { records, wrong: undefined };
}

/** Writes a record. */
export function putRecord(
  piece: Uint8Array,
  geometry: FfsGeometry,
  record: Omit<FfsRecord, 'name'> & { readonly name: Uint8Array },
): void {
  const view = new DataView(piece.buffer, piece.byteOffset, PIECE_BYTES);
  const { offset, length, name } = record;
  piece.fill(0, offset, offset + Math.min(length, recordBytes(name.length)));
  view.setUint32(offset, record.inode, geometry.little);
  view.setUint16(offset + 4, length, geometry.little);
  if (geometry.oldDirectories) view.setUint16(offset + 6, name.length, geometry.little);
  else {
    view.setUint8(offset + 6, record.type);
    view.setUint8(offset + 7, name.length);
  }
  piece.set(name, offset + HEADER_BYTES);
}
