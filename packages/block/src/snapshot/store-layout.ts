/** Where things are in a snapshot store of a given size. */
import { blockError } from '@ginit/core/block';
import type { DeviceBelow } from '../lib/device-below.ts';
import { GROUP_CHUNKS, GROUPS_AT, MAP_BYTES } from './store-format.ts';

/** The largest blocks that a store may have: a map is written as a whole. */
export const STORE_BLOCK_BYTES_MAX = 4096;
/** The most chunks of a store that are used: each takes some 100 bytes of memory. */
export const CHUNKS_MAX = 1024 * 1024;

/** The number of chunks for which a device has room. */
export function chunkCount({ info }: DeviceBelow, chunkBytes: number): number {
  const bytes = info.blockCount * info.blockSize - GROUPS_AT;
  const groupBytes = MAP_BYTES + GROUP_CHUNKS * chunkBytes;
  const groups = Math.floor(Math.max(0, bytes) / groupBytes);
  const rest = Math.max(0, bytes) - groups * groupBytes - MAP_BYTES;
  const chunks = groups * GROUP_CHUNKS + Math.max(0, Math.floor(rest / chunkBytes));
  return Math.min(chunks, CHUNKS_MAX);
}

/** Where the map of a group begins, in bytes. */
export function mapAt(group: number, chunkBytes: number): number {
  return GROUPS_AT + group * (MAP_BYTES + GROUP_CHUNKS * chunkBytes);
}

/** Where a chunk of the store begins, in bytes. */
export function chunkAt(slot: number, chunkBytes: number): number {
  const group = Math.floor(slot / GROUP_CHUNKS);
  return mapAt(group, chunkBytes) + MAP_BYTES + (slot - group * GROUP_CHUNKS) * chunkBytes;
}

/** Reads a range that begins and ends with blocks of the device. */
export async function readBytes(device: DeviceBelow, at: number, into: Uint8Array): Promise<void> {
  const { blockSize } = device.info;
  await device.read(at / blockSize, into.byteLength / blockSize, into);
}

/** Writes such a range. */
export async function writeBytes(device: DeviceBelow, at: number, from: Uint8Array): Promise<void> {
  const { blockSize } = device.info;
  await device.write(at / blockSize, from.byteLength / blockSize, from);
}

/** Throws if the device cannot be a store. */
export function checkStoreDevice({ info }: DeviceBelow): void {
  if (info.blockSize > STORE_BLOCK_BYTES_MAX) {
    throw blockError(
      'Invalid',
      `the store has blocks of ${info.blockSize} bytes, and ${STORE_BLOCK_BYTES_MAX} are the most`,
    );
  }
  if (!info.writeable) throw blockError('ReadOnly', 'the store cannot be written');
  if (info.blockCount * info.blockSize < GROUPS_AT) {
    throw blockError('Invalid', `the store has less than ${GROUPS_AT} bytes`);
  }
}
