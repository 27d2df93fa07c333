/**
 * A directory entry: 0 short name (11) · 11 attributes · 12 case bits · 13 hundredths, 14 time and
 * 16 date of its creation · 18 date of the last access · 20 first cluster, upper half (FAT32) · 22
 * time and 24 date of the last change · 26 first cluster, lower half · 28 size (4; 0 for
 * directories).
 *
 * The first byte is 0 for a slot behind the last one in use, 0xe5 for one that was given up.
 */
/** The first byte of a slot behind which nothing is in use. */
export const SLOT_END = 0;
/** The first byte of a slot that was given up. */
export const SLOT_REMOVED = 0xe5;

/** The fields of an entry besides its name. */
export interface EntryFields {
  attributes: number;
  caseBits: number;
  created: { date: number; time: number; hundredths: number };
  accessedDate: number;
  modified: { date: number; time: number };
  firstCluster: number;
  sizeBytes: number;
}

export function readFields(view: DataView, offset: number, wide: boolean): EntryFields {
  const upper = wide ? (view.getUint16(offset + 20, true) & 0x0fff) * 0x1_0000 : 0;
  return {
    attributes: view.getUint8(offset + 11),
    caseBits: view.getUint8(offset + 12),
    created: {
      hundredths: view.getUint8(offset + 13),
      time: view.getUint16(offset + 14, true),
      date: view.getUint16(offset + 16, true),
    },
    accessedDate: view.getUint16(offset + 18, true),
    modified: { time: view.getUint16(offset + 22, true), date: view.getUint16(offset + 24, true) },
    firstCluster: upper + view.getUint16(offset + 26, true),
    sizeBytes: view.getUint32(offset + 28, true),
  };
}

/** Writes the fields that change while an entry keeps its name. */
export function writeFields(view: DataView, offset: number, fields: EntryFields, wide: boolean): void {
  view.setUint8(offset + 11, fields.attributes);
  view.setUint8(offset + 13, fields.created.hundredths);
  view.setUint16(offset + 14, fields.created.time, true);
  view.setUint16(offset + 16, fields.created.date, true);
  view.setUint16(offset + 18, fields.accessedDate, true);
  view.setUint16(offset + 20, wide ? Math.floor(fields.firstCluster / 0x1_0000) : 0, true);
  view.setUint16(offset + 22, fields.modified.time, true);
  view.setUint16(offset + 24, fields.modified.date, true);
  view.setUint16(offset + 26, fields.firstCluster & 0xffff, true);
  view.setUint32(offset + 28, fields.sizeBytes, true);
}
