import type { BlockBuffer } from '../buffer/block-buffer.ts';
import { at } from '../errors.ts';
import { clearBits, setBits } from './bitmap.ts';
import { type BitmapKind, GROUP_FLAG } from './groups.ts';
import { VERIFIED } from './verified.ts';
import type { Volume } from './volume.ts';

/**
 * Checks the bitmap of a group before it is used, and makes one that is still uninitialised. To be
 * called in the turn in which the buffer was got. Throws `Corrupt`.
 */
export function readyBitmap(volume: Volume, kind: BitmapKind, group: number, buffer: BlockBuffer): void {
  const flag = kind === 'block' ? GROUP_FLAG.blocksUninitialised : GROUP_FLAG.inodesUninitialised;
  const flags = at(volume.groups.flags, group);
  if ((flags & flag) !== 0) {
    initialise(volume, kind, group, buffer);
    volume.groups.setFlags(group, flags & ~flag);
    return;
  }
  if (buffer.verifiedAs === VERIFIED.bitmap) return;
  buffer.verifiedAs = VERIFIED.bitmap;
  if (!volume.superblock.checksums || buffer.dirty !== undefined) return;
  const found = volume.groups.checksumOf(kind, buffer.bytes);
  const expected = volume.groups.bitmapChecksum(group, kind);
  if (found === expected) return;
  buffer.verifiedAs = 0;
  throw volume.corrupt(
    `group ${group}: ${kind} bitmap in block ${buffer.block} with checksum 0x${found.toString(16)}, ` +
      `not 0x${expected.toString(16)}`,
  );
}

/** Fills a bitmap that was never written: only structures are in use, and what is beyond it. */
function initialise(volume: Volume, kind: BitmapKind, group: number, buffer: BlockBuffer): void {
  const { groups, cache, superblock } = volume;
  const bits = buffer.bytes.length * 8;
  buffer.bytes.fill(0);
  if (kind === 'block') {
    const start = groups.firstBlockOf(group);
    const { clusterBlocks } = superblock;
    const take = (first: number, count: number): void => {
      const from = Math.floor((first - start) / clusterBlocks);
      const end = Math.floor((first + count - 1 - start) / clusterBlocks) + 1;
      setBits(buffer.bytes, from, end - from);
    };
    groups.zones.eachIn(start, groups.blocksIn(group), take);
    const reserved = superblock.hasCopy(group) ? superblock.reservedDescriptorBlocks : 0;
    if (reserved > 0) take(start + 1 + superblock.descriptorBlocks, reserved);
    const inGroup = groups.clustersIn(group);
    if (inGroup < bits) setBits(buffer.bytes, inGroup, bits - inGroup);
  } else if (superblock.inodesPerGroup < bits) {
    setBits(buffer.bytes, superblock.inodesPerGroup, bits - superblock.inodesPerGroup);
  }
  buffer.verifiedAs = VERIFIED.bitmap;
  cache.markDirty(buffer, buffer.block, 'structure');
}

/** Sets or clears bits of a bitmap that is ready. */
export function changeBitmap(
  volume: Volume,
  buffer: BlockBuffer,
  from: number,
  count: number,
  inUse: boolean,
): void {
  if (inUse) setBits(buffer.bytes, from, count);
  else clearBits(buffer.bytes, from, count);
  volume.cache.markDirty(buffer, buffer.block, 'structure');
}
