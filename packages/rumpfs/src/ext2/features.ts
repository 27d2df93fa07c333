import { FsError } from '../errors.ts';
import type { Superblock } from './superblock.ts';

/*
 * The feature words of the superblock. A compatible feature may be ignored; an unknown read-only
 * compatible one forbids writing, an unknown incompatible one forbids mounting at all. Names as
 * e2fsprogs prints them.
 */
export const READ_ONLY_FEATURE = { sparseSuper: 0x1, largeFile: 0x2, btreeDirectory: 0x4 } as const;
export const INCOMPATIBLE_FEATURE = { fileType: 0x2 } as const;

const INCOMPATIBLE_KNOWN = INCOMPATIBLE_FEATURE.fileType;
const READ_ONLY_KNOWN =
  READ_ONLY_FEATURE.sparseSuper | READ_ONLY_FEATURE.largeFile | READ_ONLY_FEATURE.btreeDirectory;

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
export function requireKnownFeatures(superblock: Superblock): void {
  const unknown = superblock.incompatible & ~INCOMPATIBLE_KNOWN;
  if (unknown === 0) return;
  const names = namesOf(unknown, INCOMPATIBLE_NAMES, 'FEATURE_I');
  throw new FsError('NotSupported', `ext2: incompatible feature ${names}`);
}

/** The names of the features that forbid writing; undefined when there are none. */
export function featuresAgainstWriting(superblock: Superblock): string | undefined {
  const unknown = superblock.readOnlyCompatible & ~READ_ONLY_KNOWN;
  return unknown === 0 ? undefined : namesOf(unknown, READ_ONLY_NAMES, 'FEATURE_R');
}

function namesOf(bits: number, names: ReadonlyMap<number, string>, otherwise: string): string {
  const found: string[] = [];
  for (let bit = 0; bit < 32; bit += 1) {
    if ((bits & (1 << bit)) !== 0) found.push(names.get(bit) ?? `${otherwise}${bit}`);
  }
  return found.join(', ');
}
