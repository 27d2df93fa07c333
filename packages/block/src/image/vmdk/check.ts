/** Whether the tables of a VMDK file lead to places within it, and each grain to one of its own. */
import type { ByteDevice } from '../byte-device.ts';
import { type ImageCheck, Problems } from '../image-check.ts';
import { VMDK_SECTOR_BYTES } from './header.ts';
import { VmdkImage } from './vmdk-image.ts';

/** Checks an image. Rejects with `ImageError` if it cannot even be read. */
export async function checkVmdk(
  device: ByteDevice,
  progress: (share: number) => void = () => {},
): Promise<ImageCheck> {
  const image = await VmdkImage.open(device);
  const problems = new Problems();
  const seen = new Map<number, number>();
  const { sizeBytes, grainBytes } = image;
  const grains = Math.ceil(sizeBytes / grainBytes);
  let position = 0;
  while (position < sizeBytes) {
    const { kind, length } = await image.extent(position, sizeBytes - position);
    const end = kind === 'zero' ? position : position + length;
    for (let grain = Math.floor(position / grainBytes); grain * grainBytes < end; grain++) {
      const sector = await image.sectorOf(grain);
      const other = seen.get(sector);
      if (other !== undefined) problems.add(`grains ${other} and ${grain} have the same sector ${sector}`);
      if (sector * VMDK_SECTOR_BYTES >= device.sizeBytes) {
        problems.add(`grain ${grain} at sector ${sector} lies behind the end of the file`);
      }
      seen.set(sector, grain);
      if (grain % 1024 === 0) progress(grain / grains);
    }
    position += length;
  }
  return {
    problems: problems.list,
    problemCount: problems.count,
    leaks: 0,
    repairable: false,
    dataBytes: seen.size * grainBytes,
  };
}
