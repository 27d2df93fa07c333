/** Blocks that were written in part: a disk writes a sector as a whole, and no more than that. */
import type { DeviceBelow } from '../lib/device-below.ts';

/** Bytes of a sector. */
export const SECTOR_BYTES = 512;

/**
 * What block `block` holds after a write of `after` that stopped behind `sectors` sectors.
 */
export async function tornBlock(
  device: DeviceBelow,
  block: number,
  after: Uint8Array,
  sectors: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(after.byteLength);
  await device.read(block, 1, bytes);
  bytes.set(after.subarray(0, sectors * SECTOR_BYTES));
  return bytes;
}
