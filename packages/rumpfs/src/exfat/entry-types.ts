/**
 * The types of directory entries, each of 32 bytes. The first byte has: 0x80 in use · 0x40 a
 * secondary entry, which belongs to the primary one before it · 0x20 may be ignored by those who do
 * not know it ("benign") · the kind. 0 stands behind the last entry of a directory.
 */
export const ENTRY_BYTES = 32;

export const ENTRY = {
  end: 0x00,
  bitmap: 0x81,
  upcase: 0x82,
  label: 0x83,
  file: 0x85,
  guid: 0xa0,
  stream: 0xc0,
  name: 0xc1,
} as const;

/** What an entry becomes that was never used, in front of others. */
export const ENTRY_SKIPPED = 0x05;
const IN_USE = 0x80;
const SECONDARY = 0x40;
const BENIGN = 0x20;

export function isInUse(type: number): boolean {
  return (type & IN_USE) !== 0;
}

export function isSecondary(type: number): boolean {
  return (type & SECONDARY) !== 0;
}

export function isBenign(type: number): boolean {
  return (type & BENIGN) !== 0;
}

/** The type of an entry that was given up. */
export function givenUp(type: number): number {
  return type & ~IN_USE;
}

/** `0xc5`, for messages. */
export function typeText(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}
