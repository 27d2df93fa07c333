/**
 * Persistent bitmaps of an image: a directory of bitmaps, each with a table of the clusters that
 * hold it. They are only counted here.
 */
import { readPadded } from '../byte-device.ts';
import { malformed } from '../image-error.ts';
import { u64 } from './header.ts';
import type { Qcow2File } from './qcow2-file.ts';

const DIRECTORY_BYTES_MAX = 64 * 1024 * 1024;
const ENTRY_BYTES = 24;
/** The most that QEMU takes. */
const BITMAPS_MAX = 65_535;
/** The most entries of the tables of all bitmaps together. */
const ENTRIES_MAX = 4 * 1024 * 1024;
const OFFSET_MASK = 0x00ff_ffff_ffff_fe00n;

/** A piece of the file that bitmaps use. */
export interface BitmapPiece {
  readonly offset: number;
  readonly length: number;
  readonly what: string;
}

/** Tells everything that bitmaps use. Rejects with `ImageError`. */
export async function bitmapTables(
  { device, header, form }: Qcow2File,
  tell: (piece: BitmapPiece) => void,
): Promise<void> {
  const { bitmaps } = header;
  if (!bitmaps) return;
  const { directoryOffset, directoryBytes, count } = bitmaps;
  if (count > BITMAPS_MAX) throw malformed(`${count} bitmaps`);
  if (directoryBytes > DIRECTORY_BYTES_MAX) throw malformed(`a bitmap directory of ${directoryBytes} bytes`);
  tell({ offset: directoryOffset, length: directoryBytes, what: 'the bitmap directory' });
  const directory = new Uint8Array(directoryBytes);
  await readPadded(device, directory, directoryOffset);
  const view = new DataView(directory.buffer);
  let at = 0;
  let sum = 0;
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > directoryBytes)
      throw malformed(`bitmap ${index} lies behind its directory`, directoryOffset + at);
    const offset = u64(view, at, 'the offset of a bitmap table', directoryOffset);
    const entries = view.getUint32(at + 8);
    sum += entries;
    if (sum > ENTRIES_MAX) throw malformed(`bitmaps with ${sum} clusters`, directoryOffset + at);
    tell({ offset, length: entries * 8, what: `the table of bitmap ${index}` });
    const table = new Uint8Array(entries * 8);
    await readPadded(device, table, offset);
    const tableView = new DataView(table.buffer);
    for (let entry = 0; entry < entries; entry++) {
      const cluster = Number(tableView.getBigUint64(entry * 8) & OFFSET_MASK);
      if (cluster !== 0) tell({ offset: cluster, length: form.clusterBytes, what: `bitmap ${index}` });
    }
    const lengthBytes = ENTRY_BYTES + view.getUint16(at + 18) + view.getUint32(at + 20);
    at += Math.ceil(lengthBytes / 8) * 8;
  }
}
