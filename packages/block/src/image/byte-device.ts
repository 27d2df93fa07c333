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
   * Gives the space of a range within the size back, if the device can. What it holds afterwards is
   * undefined.
   */
  discard(position: number, length: number): Promise<void>;
  /**
   * Makes a range within the size read as zeros, without writing them. Resolves to false if the
   * device cannot: the range may then hold zeros in part.
   */
  zero(position: number, length: number): Promise<boolean>;
}

/** The size of the pieces in which zeros are written. */
const ZEROES_BYTES = 1024 * 1024;

/** Makes a range within the size of a device read as zeros, written if need be. */
export async function zeroRange(device: ByteDevice, position: number, length: number): Promise<void> {
  if (length === 0 || (await device.zero(position, length))) return;
  const zeroes = new Uint8Array(Math.min(length, ZEROES_BYTES));
  for (let done = 0; done < length; done += zeroes.byteLength) {
    await device.write(zeroes.subarray(0, length - done), position + done);
  }
}

/** Reads a range that may go beyond the end of the device; what is there reads as zero. */
export async function readPadded(device: ByteDevice, into: Uint8Array, position: number): Promise<void> {
  const inside = Math.max(0, Math.min(into.byteLength, device.sizeBytes - position));
  if (inside < into.byteLength) into.fill(0, inside);
  if (inside > 0) await device.read(into.subarray(0, inside), position);
}
