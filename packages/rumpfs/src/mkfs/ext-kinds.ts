/** What mke2fs 1.47 gives an ext2, an ext3 and an ext4. */

/** One of the kinds that can be made. */
export type ExtKindName = 'ext2' | 'ext3' | 'ext4';

/** The parts of a kind. */
export interface ExtKind {
  readonly name: ExtKindName;
  readonly journal: boolean;
  /**
   * Extents, descriptors of 64 bytes, checksums, groups that are not initialised, groups put
   * together.
   */
  readonly modern: boolean;
  readonly descriptorBytes: number;
  /** The bitmaps and tables of so many groups lie together. */
  readonly groupsTogether: number;
}

export const EXT_KINDS: Readonly<Record<ExtKindName, ExtKind>> = {
  ext2: { name: 'ext2', journal: false, modern: false, descriptorBytes: 32, groupsTogether: 1 },
  ext3: { name: 'ext3', journal: true, modern: false, descriptorBytes: 32, groupsTogether: 1 },
  ext4: { name: 'ext4', journal: true, modern: true, descriptorBytes: 64, groupsTogether: 16 },
};

/** A file system with fewer blocks has no room for a journal. */
const JOURNALLED_BLOCKS_MIN = 2048;

/** The blocks of the journal by those of the file system, below which it has so many. */
const JOURNAL_BLOCKS: readonly (readonly [number, number])[] = [
  [JOURNALLED_BLOCKS_MIN, 0],
  [32_768, 1024],
  [262_144, 4096],
  [524_288, 8192],
  [4_194_304, 16_384],
  [8_388_608, 32_768],
  [16_777_216, 65_536],
  [33_554_432, 131_072],
  [Number.POSITIVE_INFINITY, 262_144],
];

/** The blocks of a new journal; 0 where the file system is too small for one. */
export function journalBlocksFor(blocks: number): number {
  return JOURNAL_BLOCKS.find(([below]) => blocks < below)?.[1] ?? 0;
}
