/**
 * What a disk image lies on: bytes by position. A file of the host, a Block session and a test's
 * array are such devices, so the formats run in components, in the command line and in the
 * simulator alike.
 */

/** A place for an image. Many operations may be under way; they end in any order. */
export interface ByteDevice {
  /** The size now; a write behind the end makes it larger. */
  readonly sizeBytes: number;
  readonly writeable: boolean;
  /**
   * Fills `into`, which lies within the size. `into` is borrowed until the promise settles, as is
   * `from` below.
   */
  read(into: Uint8Array, position: number): Promise<void>;
  /**
   * Writes `from`. What a write behind the end leaves out in between reads as zero. Rejects with
   * `NoSpace` if there is no room, and then may have written a part.
   */
  write(from: Uint8Array, position: number): Promise<void>;
  /** Settles when every write that had ended before is on stable storage. */
  sync(): Promise<void>;
  /** Makes the device this long. What is new reads as zero. Rejects if that cannot be. */
  setSize(sizeBytes: number): Promise<void>;
  /**
   * Gives the space of a range within the size back, if the device can. Afterwards the range reads
   * as zero or as before.
   */
  discard(position: number, length: number): Promise<void>;
}

/** Reads a range that may go beyond the end of the device; what is there reads as zero. */
export async function readPadded(device: ByteDevice, into: Uint8Array, position: number): Promise<void> {
  const inside = Math.max(0, Math.min(into.byteLength, device.sizeBytes - position));
  if (inside < into.byteLength) into.fill(0, inside);
  if (inside > 0) await device.read(into.subarray(0, inside), position);
}
