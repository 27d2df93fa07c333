import { FsError, messageOf } from '../errors.ts';
import type { BlockIo } from './hypercalls.ts';

/**
 * Reads bytes that need not begin or end with a sector, for probing a device. Rejects with
 * `InputOutput`.
 */
export async function readBytes(bio: BlockIo, offset: number, length: number): Promise<Uint8Array> {
  const size = bio.sectorSizeBytes;
  const first = Math.floor(offset / size);
  const sectors = Math.ceil((offset + length) / size) - first;
  const bytes = new Uint8Array(sectors * size);
  try {
    await bio.read(first, bytes);
  } catch (error) {
    throw new FsError('InputOutput', `sector ${first} cannot be read: ${messageOf(error)}`);
  }
  return bytes.slice(offset - first * size, offset - first * size + length);
}
