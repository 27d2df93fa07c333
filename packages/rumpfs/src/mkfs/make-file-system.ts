/** Makes new file systems, of the formats that can be made. */
import { FsError } from '../errors.ts';
import type { FormatDevice, FormatWorld } from './format-device.ts';
import { makeExfat } from './make-exfat.ts';
import { type ExtOptions, makeExt } from './make-ext.ts';
import { makeFfs, type FfsOptions } from './make-ffs.ts';
import { makeMsdos, type MsdosOptions } from './make-msdos.ts';

/** The formats that can be made, by the names of `mkfs`. */
export const MADE_TYPES = [
  'ext2',
  'ext3',
  'ext4',
  'msdos',
  'fat12',
  'fat16',
  'fat32',
  'exfat',
  'ufs1',
  'ufs2',
] as const;
/** One of `MADE_TYPES`. */
export type MadeType = (typeof MADE_TYPES)[number];

/** Wishes for a new file system; a missing one is chosen by the size of the device. */
export interface MakeOptions {
  readonly label?: string | undefined;
  /** Bytes of a block of ext or UFS, or of a cluster of a FAT or exFAT. */
  readonly blockBytes?: number | undefined;
  /** UFS: bytes of a fragment, of which a block has 1, 2, 4 or 8. */
  readonly fragmentBytes?: FfsOptions['fragmentBytes'];
  /** UFS: the order of the bytes of a number. */
  readonly byteOrder?: FfsOptions['order'];
  /** ext, UFS: bytes of the device for each inode. */
  readonly bytesPerInode?: ExtOptions['bytesPerInode'];
  /** ext: bytes of an inode. */
  readonly inodeBytes?: ExtOptions['inodeBytes'];
  /** UFS: where a journal is, behind the file system or in a file without a name. */
  readonly journal?: FfsOptions['journal'];
  /** UFS: bytes of the journal. */
  readonly journalBytes?: FfsOptions['journalBytes'];
  /** FAT, exFAT: bytes of a sector. */
  readonly sectorBytes?: MsdosOptions['sectorBytes'];
  /** FAT, exFAT: the serial number, of 32 bits; by chance if it is missing. */
  readonly serial?: MsdosOptions['serial'];
}

/** Whether a word names a format that can be made. */
export function isMadeType(word: string): word is MadeType {
  return MADE_TYPES.some((type) => type === word);
}

/**
 * Makes a file system on a device; what was there is lost. Rejects with `InvalidArgument` for
 * wishes that cannot be, before anything is written, or with `InputOutput`.
 */
export async function makeFileSystem(
  device: FormatDevice,
  type: MadeType,
  options: MakeOptions,
  world: FormatWorld,
): Promise<void> {
  const { label, blockBytes, bytesPerInode, inodeBytes, sectorBytes } = options;
  const { fragmentBytes, byteOrder, journal, journalBytes, serial } = options;
  switch (type) {
    case 'ext2':
    case 'ext3':
    case 'ext4':
      refuse(type, { sectorBytes, fragmentBytes, byteOrder, journal, journalBytes, serial });
      return makeExt(device, type, { label, blockBytes, bytesPerInode, inodeBytes }, world);
    case 'msdos':
    case 'fat12':
    case 'fat16':
    case 'fat32': {
      refuse(type, { bytesPerInode, inodeBytes, fragmentBytes, byteOrder, journal, journalBytes });
      const bits = BITS[type];
      return makeMsdos(device, { label, clusterBytes: blockBytes, sectorBytes, bits, serial }, world);
    }
    case 'exfat':
      refuse(type, { bytesPerInode, inodeBytes, fragmentBytes, byteOrder, journal, journalBytes });
      return makeExfat(device, { label, clusterBytes: blockBytes, sectorBytes, serial }, world);
    case 'ufs1':
    case 'ufs2': {
      refuse(type, { inodeBytes, sectorBytes, serial });
      const version = type === 'ufs1' ? 1 : 2;
      const sizes = { blockBytes, fragmentBytes, bytesPerInode };
      return makeFfs(device, { label, version, order: byteOrder, ...sizes, journal, journalBytes }, world);
    }
  }
}

const BITS = { msdos: undefined, fat12: 12, fat16: 16, fat32: 32 } as const;

/** What people call a wish; its own name says the rest. */
const WORDS: Readonly<Record<string, string>> = {
  bytesPerInode: 'number of inodes to choose',
  inodeBytes: 'size of an inode to choose',
  sectorBytes: 'size of a sector to choose',
  fragmentBytes: 'fragments',
  byteOrder: 'order of bytes to choose',
  journal: 'log of WAPBL',
  journalBytes: 'log of WAPBL',
  serial: 'serial number to choose',
};

function refuse(type: MadeType, foreign: Readonly<Record<string, number | string | undefined>>): void {
  for (const [name, value] of Object.entries(foreign)) {
    if (value !== undefined) throw new FsError('InvalidArgument', `${type} has no ${WORDS[name] ?? name}`);
  }
}
