/** The attributes of an entry, which have the same bits in FAT and exFAT. */
export const ATTRIBUTE = { readOnly: 0x01, volume: 0x08, directory: 0x10, archive: 0x20 } as const;
