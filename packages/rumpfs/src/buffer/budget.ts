import { FsError } from '../errors.ts';

/** With fewer buffers a deep file tree could not hold the blocks that one operation needs. */
const BUFFERS_MIN = 32;
const STAGING_AREAS = 6;
/** The part of the budget for each staging area. */
const STAGING_AREA_PART = 32;
const STAGING_AREA_BYTES_MAX = 256 * 1024;
/**
 * The part of the budget for the copies that a pass of write-back makes of structures and names.
 */
const COPIES_PART = 16;
const COPIES_MIN = 2;
/**
 * This many structures and names may be dirty in any case before callers that add to them wait for
 * write-back.
 */
const ORDERED_MIN = 8;

export interface CacheOptions {
  /** The sector where block 0 begins. */
  readonly firstSector?: number;
  /** The part of the memory that is for copies of structures and names. */
  readonly copiesPart?: number;
}

/** The shares of a buffer cache's memory. */
export interface Shares {
  /** The number of staging areas, and the bytes of each. */
  readonly areas: number;
  readonly areaBytes: number;
  /**
   * The number of structures and names that may be dirty before callers that add to them wait for
   * write-back, which copies them.
   */
  readonly orderedMax: number;
  readonly buffersMax: number;
}

/** Throws `NoMemory` when the budget is too small for blocks of that size. */
export function shareOut(memoryBytes: number, blockSizeBytes: number, copiesPart = COPIES_PART): Shares {
  const areaBytesWanted = Math.min(STAGING_AREA_BYTES_MAX, memoryBytes / STAGING_AREA_PART);
  const areaBytes = Math.max(1, Math.floor(areaBytesWanted / blockSizeBytes)) * blockSizeBytes;
  const copies = Math.max(COPIES_MIN, Math.floor(memoryBytes / copiesPart / blockSizeBytes));
  const buffersMax = Math.floor((memoryBytes - STAGING_AREAS * areaBytes) / blockSizeBytes) - copies;
  if (buffersMax < BUFFERS_MIN) {
    const needed = (BUFFERS_MIN + STAGING_AREAS + COPIES_MIN) * blockSizeBytes;
    throw new FsError('NoMemory', `buffers of ${blockSizeBytes} bytes need at least ${needed} bytes`);
  }
  return { areas: STAGING_AREAS, areaBytes, orderedMax: Math.max(ORDERED_MIN, copies), buffersMax };
}
