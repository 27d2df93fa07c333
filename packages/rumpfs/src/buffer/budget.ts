import { FsError } from '../errors.ts';

/** With fewer buffers a deep file tree could not hold the blocks that one operation needs. */
const buffersMin = 32;
const stagingAreas = 6;
/** The part of the budget for each of them. */
const stagingAreaPart = 32;
const stagingAreaBytesMax = 256 * 1024;
/** The part of the budget for the copies that a pass of write-back makes of structures and names. */
const copiesPart = 16;
const copiesMin = 2;
/** So many structures and names may be dirty in any case before those who add to them wait for write-back. */
const orderedMin = 8;

/** How the memory of a buffer cache is shared out. */
export interface Shares {
  /** Staging areas, and the bytes of each. */
  readonly areas: number;
  readonly areaBytes: number;
  /** So many structures and names may be dirty before those who add to them wait for write-back, which copies them. */
  readonly orderedMax: number;
  readonly buffersMax: number;
}

/** Throws `NoMemory` when the budget is too small for blocks of that size. */
export function shareOut(memoryBytes: number, blockSizeBytes: number): Shares {
  const areaBytesWanted = Math.min(stagingAreaBytesMax, memoryBytes / stagingAreaPart);
  const areaBytes = Math.max(1, Math.floor(areaBytesWanted / blockSizeBytes)) * blockSizeBytes;
  const copies = Math.max(copiesMin, Math.floor(memoryBytes / copiesPart / blockSizeBytes));
  const buffersMax = Math.floor((memoryBytes - stagingAreas * areaBytes) / blockSizeBytes) - copies;
  if (buffersMax < buffersMin) {
    const needed = (buffersMin + stagingAreas + copiesMin) * blockSizeBytes;
    throw new FsError('NoMemory', `buffers of ${blockSizeBytes} bytes need at least ${needed} bytes`);
  }
  return { areas: stagingAreas, areaBytes, orderedMax: Math.max(orderedMin, copies), buffersMax };
}
