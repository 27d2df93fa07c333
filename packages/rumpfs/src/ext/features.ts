import { FsError } from '../errors.ts';

/** The features of a file system, as its superblock has them. */
interface Featured {
  readonly formatName: string;
  readonly incompatible: number;
  readonly readOnlyCompatible: number;
}

/*
 * The feature words of the superblock. A compatible feature may be ignored; an unknown read-only
 * compatible one forbids writing, an unknown incompatible one forbids mounting at all. Names as
 * e2fsprogs prints them.
 */
export const COMPATIBLE_FEATURE = {
  hasJournal: 0x4,
  /** Blocks are reserved behind the group descriptors, for more of these. */
  resizeInode: 0x10,
  directoryIndex: 0x20,
  /** Copies of the superblock are in two groups at most, which the superblock names. */
  sparseSuper2: 0x200,
} as const;

export const INCOMPATIBLE_FEATURE = {
  fileType: 0x2,
  /** The journal has to be replayed. */
  recover: 0x4,
  journalDevice: 0x8,
  metaGroups: 0x10,
  extents: 0x40,
  sixtyFourBit: 0x80,
  multipleMount: 0x100,
  flexGroups: 0x200,
  attributesInInodes: 0x400,
  checksumSeed: 0x2000,
  largeDirectory: 0x4000,
  inlineData: 0x8000,
} as const;

export const READ_ONLY_FEATURE = {
  /** Copies of the superblock are in groups 0, 1 and the powers of 3, 5 and 7 only. */
  sparseSuper: 0x1,
  largeFile: 0x2,
  btreeDirectory: 0x4,
  hugeFile: 0x8,
  /** Group descriptors have checksums, and structures of groups may be uninitialised. */
  groupChecksums: 0x10,
  /** A directory may have more directories in it than can be counted: then its count is 1. */
  directoryLinks: 0x20,
  extraInodeSize: 0x40,
  bigAllocation: 0x200,
  metadataChecksums: 0x400,
} as const;

const INCOMPATIBLE_KNOWN = Object.values(INCOMPATIBLE_FEATURE)
  .filter((bit) => bit !== INCOMPATIBLE_FEATURE.journalDevice)
  .reduce((known, bit) => known | bit, 0);
/** Incompatible features with which this implementation reads, but does not write. */
const INCOMPATIBLE_READ_ONLY = INCOMPATIBLE_FEATURE.multipleMount | INCOMPATIBLE_FEATURE.attributesInInodes;
const READ_ONLY_WRITEABLE = Object.values(READ_ONLY_FEATURE).reduce((known, bit) => known | bit, 0);
/** The features that ext2 and ext3 do not have. */
const INCOMPATIBLE_OF_EXT4 = ~(
  INCOMPATIBLE_FEATURE.fileType |
  INCOMPATIBLE_FEATURE.recover |
  INCOMPATIBLE_FEATURE.metaGroups
);
const READ_ONLY_OF_EXT4 = ~(
  READ_ONLY_FEATURE.sparseSuper |
  READ_ONLY_FEATURE.largeFile |
  READ_ONLY_FEATURE.btreeDirectory
);

const INCOMPATIBLE_NAMES = new Map([
  [0, 'compression'],
  [2, 'needs_recovery'],
  [3, 'journal_dev'],
  [4, 'meta_bg'],
  [6, 'extent'],
  [7, '64bit'],
  [8, 'mmp'],
  [9, 'flex_bg'],
  [10, 'ea_inode'],
  [12, 'dirdata'],
  [13, 'metadata_csum_seed'],
  [14, 'large_dir'],
  [15, 'inline_data'],
  [16, 'encrypt'],
  [17, 'casefold'],
]);

const READ_ONLY_NAMES = new Map([
  [3, 'huge_file'],
  [4, 'uninit_bg'],
  [5, 'dir_nlink'],
  [6, 'extra_isize'],
  [8, 'quota'],
  [9, 'bigalloc'],
  [10, 'metadata_csum'],
  [11, 'replica'],
  [12, 'read-only'],
  [13, 'project'],
  [14, 'shared_blocks'],
  [15, 'verity'],
  [16, 'orphan_present'],
]);

/**
 * Refuses features with which this implementation cannot even read: `NotSupported`, with the
 * features' names.
 */
export function requireKnownFeatures(superblock: Featured): void {
  const unknown = superblock.incompatible & ~INCOMPATIBLE_KNOWN;
  if (unknown === 0) return;
  const names = namesOf(unknown, INCOMPATIBLE_NAMES, 'FEATURE_I');
  throw new FsError('NotSupported', `${superblock.formatName}: incompatible feature ${names}`);
}

/** The names of the features that forbid writing; undefined when there are none. */
export function featuresAgainstWriting(superblock: Featured): string | undefined {
  const readOnly = superblock.readOnlyCompatible & ~READ_ONLY_WRITEABLE;
  const incompatible = superblock.incompatible & INCOMPATIBLE_READ_ONLY;
  const names = [
    namesOf(incompatible, INCOMPATIBLE_NAMES, 'FEATURE_I'),
    namesOf(readOnly, READ_ONLY_NAMES, 'FEATURE_R'),
  ].filter((text) => text !== '');
  return names.length === 0 ? undefined : names.join(', ');
}

/** What people call a file system with these features. */
export function formatNameOf(
  compatible: number,
  incompatible: number,
  readOnlyCompatible: number,
): 'ext2' | 'ext3' | 'ext4' {
  const isExt4 =
    (incompatible & INCOMPATIBLE_OF_EXT4) !== 0 || (readOnlyCompatible & READ_ONLY_OF_EXT4) !== 0;
  if (isExt4) return 'ext4';
  return (compatible & COMPATIBLE_FEATURE.hasJournal) !== 0 ? 'ext3' : 'ext2';
}

function namesOf(bits: number, names: ReadonlyMap<number, string>, otherwise: string): string {
  const found: string[] = [];
  for (let bit = 0; bit < 32; bit += 1) {
    if ((bits & (1 << bit)) !== 0) found.push(names.get(bit) ?? `${otherwise}${bit}`);
  }
  return found.join(', ');
}
