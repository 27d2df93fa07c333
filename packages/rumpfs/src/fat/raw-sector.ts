import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from '../hypercall/hypercalls.ts';
import { readBytes } from '../hypercall/read-bytes.ts';

/** Reads 512 bytes of the reserved sectors, which are not in the buffer cache. */
export function readReserved(bio: BlockIo, offset: number): Promise<Uint8Array> {
  return readBytes(bio, offset, 512);
}

/**
 * Writes bytes of the reserved sectors; what is around them in a sector stays. Rejects with
 * `InputOutput`.
 */
export async function writeReserved(bio: BlockIo, offset: number, bytes: Uint8Array): Promise<void> {
  const size = bio.sectorSizeBytes;
  const first = Math.floor(offset / size);
  const sectors = Math.ceil((offset + bytes.length) / size) - first;
  const whole = await readBytes(bio, first * size, sectors * size);
  whole.set(bytes, offset - first * size);
  try {
    await bio.write(first, whole);
  } catch (error) {
    throw new FsError('InputOutput', `sector ${first} cannot be written: ${messageOf(error)}`);
  }
}
