/**
 * The snapshots that lie within a file. Each is an entry of a table with a name and an L1 table of
 * its own.
 */
import { readPadded } from '../byte-device.ts';
import { malformed, unsupported } from '../image-error.ts';
import { u64 } from './header.ts';
import type { Qcow2File } from './qcow2-file.ts';

const ENTRY_BYTES = 40;
const NAME_BYTES_MAX = 256;
const EXTRA_BYTES_MAX = 1024;
/** The most entries of the L1 tables of all snapshots together. */
const L1_ENTRIES_MAX = 4 * 1024 * 1024;

/** The L1 table of a snapshot. */
export interface SnapshotTable {
  readonly name: string;
  readonly offset: number;
  readonly entries: number;
}

/** Reads the table of snapshots; `bytes` is how long it is. Rejects with `ImageError`. */
export async function snapshotTables({
  device,
  header,
  form,
}: Qcow2File): Promise<{ readonly tables: readonly SnapshotTable[]; readonly bytes: number }> {
  const tables: SnapshotTable[] = [];
  let at = header.snapshotsOffset;
  let sum = 0;
  for (let index = 0; index < header.snapshots; index++) {
    if (at + ENTRY_BYTES > device.sizeBytes)
      throw malformed(`snapshot ${index} lies behind the end of the file`, at);
    const entry = new Uint8Array(ENTRY_BYTES);
    await readPadded(device, entry, at);
    const view = new DataView(entry.buffer);
    const offset = u64(view, 0, 'the offset of an L1 table', at);
    const entries = view.getUint32(8);
    const nameBytes = view.getUint16(14);
    const extraBytes = view.getUint32(36);
    const nameAt = at + ENTRY_BYTES + extraBytes + view.getUint16(12);
    const isBeyond = nameAt + nameBytes > device.sizeBytes;
    if (isBeyond || extraBytes > EXTRA_BYTES_MAX || offset % form.clusterBytes !== 0) {
      throw malformed(`snapshot ${index} is impossible`, at);
    }
    sum += entries;
    if (sum > L1_ENTRIES_MAX)
      throw unsupported('the tables of the snapshots are too large to be looked at', at);
    // Names are for people: all that there may be of them would be more than memory.
    const nameText = new Uint8Array(Math.min(nameBytes, NAME_BYTES_MAX));
    await readPadded(device, nameText, nameAt);
    tables.push({ name: new TextDecoder().decode(nameText), offset, entries });
    at += Math.ceil((nameAt + nameBytes - at) / 8) * 8;
  }
  return { tables, bytes: at - header.snapshotsOffset };
}
