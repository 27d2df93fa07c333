/**
 * Makes a VDI file as small as what it holds: blocks of zeros lose their places, the last blocks
 * move to free ones, and the end is cut off. Each step is a commit, so that a crash leaves a whole
 * image. If it ends between the two, there are gaps, which the next one who opens the image for
 * writing closes.
 */
import { isZero } from '../../lib/is-zero.ts';
import { type ByteDevice, readPadded } from '../byte-device.ts';
import { unsupported } from '../image-error.ts';
import type { BlockMap } from './block-map.ts';
import { closeGaps } from './close-gaps.ts';
import { VDI_NO_BLOCK } from './header.ts';
import type { VdiImage } from './vdi-image.ts';

/** What a compaction has done. */
export interface VdiCompaction {
  readonly zeroBlocks: number;
  readonly movedBlocks: number;
}

/** Compacts an open image that nobody else uses, and closes it. Rejects with `ImageError`. */
export async function compactVdi(
  device: ByteDevice,
  image: VdiImage,
  progress: (share: number) => void = () => {},
): Promise<VdiCompaction> {
  const { map } = image;
  if (map.header.isFixed) throw unsupported('a fixed VDI image keeps all of its blocks');
  const zeroBlocks = await freeZeroes(device, map, (share) => progress(share / 2));
  const movedBlocks = await closeGaps(device, map, (share) => progress(0.5 + share / 2));
  await image.close();
  progress(1);
  return { zeroBlocks, movedBlocks };
}

async function freeZeroes(
  device: ByteDevice,
  map: BlockMap,
  progress: (share: number) => void,
): Promise<number> {
  const entries = map.entries.slice();
  const bytes = new Uint8Array(map.header.blockBytes);
  let freed = 0;
  for (let block = 0; block < entries.length; block++) {
    progress(block / entries.length);
    const index = map.index(block);
    if (index === undefined) continue;
    await readPadded(device, bytes, map.position(index));
    if (!isZero(bytes)) continue;
    entries[block] = VDI_NO_BLOCK;
    freed++;
  }
  map.replace(entries, map.header);
  await map.commit();
  return freed;
}
