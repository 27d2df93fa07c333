/** Whether the map of a VDI file agrees with its header and its size. */
import { type ByteDevice, readPadded } from '../byte-device.ts';
import { type ImageCheck, Problems } from '../image-check.ts';
import { BlockMap } from './block-map.ts';
import { parseVdiHeader, VDI_SECTOR_BYTES, vdiMapBytes } from './header.ts';

/** Checks an image. Rejects with `ImageError` if it cannot even be read. */
export async function checkVdi(device: ByteDevice): Promise<ImageCheck> {
  const sector = new Uint8Array(VDI_SECTOR_BYTES);
  await readPadded(device, sector, 0);
  const map = await BlockMap.read(device, sector, parseVdiHeader(sector));
  const { header } = map;
  const problems = new Problems();
  const count = examineMap(map, device.sizeBytes, (problem) => problems.add(problem));
  const inFile = Math.floor(Math.max(0, device.sizeBytes - header.dataOffset) / header.blockBytes);
  return {
    problems: problems.list,
    problemCount: problems.count,
    // Places that a crash or a failed write has left without a block; the next writes take them.
    leaks: Math.max(0, Math.min(inFile, header.blocks) - count),
    repairable: false,
    dataBytes: count * header.blockBytes,
  };
}

/**
 * Tells everything for which an image must not be written: blocks that lie over each other, over
 * the map or outside the file, and a wrong count of them. The result is how many blocks have a
 * place.
 */
export function examineMap(map: BlockMap, fileBytes: number, complain: (problem: string) => void): number {
  const { header } = map;
  const isBefore = header.mapOffset + vdiMapBytes(header.blocks) <= header.dataOffset;
  if (!isBefore && header.mapOffset < map.position(map.end)) {
    complain(`the map at ${header.mapOffset} lies over the blocks`);
  }
  /** The block of each place, plus 1. */
  const seen = new Uint32Array(header.blocks);
  let count = 0;
  for (let block = 0; block < header.blocks; block++) {
    const index = map.index(block);
    if (index === undefined) continue;
    const other = seen[index] ?? 0;
    if (other !== 0) complain(`blocks ${other - 1} and ${block} have the same place ${index}`);
    else if (index >= header.blocks) complain(`block ${block} has the impossible place ${index}`);
    else if (map.position(index) >= fileBytes) complain(`block ${block} lies behind the end of the file`);
    if (other === 0) count++;
    seen[index] = block + 1;
  }
  // With gaps between blocks, the number is that of the next free place.
  if (count !== header.allocated && map.end !== header.allocated) {
    complain(`${count} blocks have a place, and the header counts ${header.allocated}`);
  }
  return count;
}
