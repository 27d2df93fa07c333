/**
 * The sizes of floppy disks. v86 makes a copy of an image of another size, which it can only of one
 * that is in memory; so an image is shown as large as the next disk that there is.
 */

const KIBIBYTE = 1024;
/** Those that are used as they are. */
const EXACT = [160, 180, 320, 360, 720, 1200, 1440, 2880].map((size) => size * KIBIBYTE);
/** Those that others are rounded up to: a drive of 1.44 MB reads the first. */
const ROUND = [1440, 2880].map((size) => size * KIBIBYTE);
/** The largest floppy disk. */
export const FLOPPY_BYTES_MAX = 2880 * KIBIBYTE;

/** The size of the disk that an image of so many bytes is shown as. */
export function floppyBytes(sizeBytes: number): number {
  if (EXACT.includes(sizeBytes)) return sizeBytes;
  return ROUND.find((size) => size >= sizeBytes) ?? FLOPPY_BYTES_MAX;
}
