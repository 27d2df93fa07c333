/** Whether the tables of a VMDK file lead to places within it, and each grain to one of its own. */
import type { ByteDevice } from '../byte-device.ts';
import { type ImageCheck, Problems } from '../image-check.ts';
import { VMDK_SECTOR_BYTES } from './header.ts';
import { SectorSet } from './sector-set.ts';
import { VmdkImage } from './vmdk-image.ts';

/** Checks an image. Rejects with `ImageError` if it cannot even be read. */
export async function checkVmdk(
  device: ByteDevice,
  progress: (share: number) => void = () => {},
): Promise<ImageCheck> {
  const image = await VmdkImage.open(device);
  const problems = new Problems();
  const seen = new SectorSet();
  const tables = new Set<number>();
  const { tableEntries } = image.header;
  for (const [number, at] of image.directory.entries()) {
    if (at === 0) continue;
    // However often an image names a table, it is looked at once.
    if (tables.has(at)) {
      problems.add(`table ${number} at sector ${at} is another one's, too`);
      continue;
    }
    tables.add(at);
    progress(number / image.directory.length);
    if (at * VMDK_SECTOR_BYTES >= device.sizeBytes) {
      problems.add(`table ${number} at sector ${at} lies behind the end of the file`);
      continue;
    }
    for (let grain = number * tableEntries; grain < (number + 1) * tableEntries; grain++) {
      const sector = await image.sectorOf(grain);
      if (sector === undefined) continue;
      if (sector * VMDK_SECTOR_BYTES >= device.sizeBytes) {
        problems.add(`grain ${grain} at sector ${sector} lies behind the end of the file`);
        continue;
      }
      if (!seen.add(sector)) problems.add(`grain ${grain} has sector ${sector}, as another one has`);
    }
  }
  return {
    problems: problems.list,
    problemCount: problems.count,
    leaks: 0,
    repairable: false,
    dataBytes: seen.size * image.grainBytes,
  };
}
