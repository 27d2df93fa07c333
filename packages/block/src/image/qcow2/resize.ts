/** How the tables of a disk get room for another size. */
import { ImageError } from '../image-error.ts';
import type { Qcow2File } from './qcow2-file.ts';

const SECTOR_BYTES = 512;
const L1_ENTRIES_MAX = 4 * 1024 * 1024;

/** The number of entries of an L1 table for a disk. Throws if the format has no such disks. */
export function l1EntriesFor(sizeBytes: number, clusterBytes: number, l2Entries: number): number {
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < SECTOR_BYTES || sizeBytes % SECTOR_BYTES !== 0) {
    throw new ImageError(
      'Invalid',
      `a disk of ${sizeBytes} bytes: the size is no multiple of ${SECTOR_BYTES}`,
    );
  }
  const entries = Math.ceil(sizeBytes / (clusterBytes * l2Entries));
  if (entries <= L1_ENTRIES_MAX) return entries;
  throw new ImageError(
    'Invalid',
    `a disk of ${sizeBytes} bytes needs larger clusters than ${clusterBytes} bytes`,
  );
}

/** Makes the L1 table as long as a disk of this size needs it. It never becomes shorter. */
export function resizeFile(file: Qcow2File, sizeBytes: number): Promise<void> {
  return file.changingTables(async () => {
    const entries = l1EntriesFor(sizeBytes, file.form.clusterBytes, file.form.l2Entries);
    if (entries <= file.l1.length) return;
    const grown = new Float64Array(entries);
    grown.set(file.l1);
    file.l1 = grown;
    file.l1Changed = true;
  });
}
