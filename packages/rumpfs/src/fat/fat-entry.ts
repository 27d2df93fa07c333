/** The meanings of an entry of a FAT, besides the next cluster of a chain (2 and more). */
export const FAT_FREE = 0;
/** The part of the table that says it is not in memory. */
export const FAT_MISSING = -1;
export const FAT_END = -2;
export const FAT_BAD = -3;
/** A number that no cluster has. */
export const FAT_INVALID = -4;
