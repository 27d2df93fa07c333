/**
 * The partition table of a PC disk, as every fdisk writes it. The master boot record in block 0 has
 * four entries of 16 bytes from byte 446 on and the signature 55 AA at its end. An entry is: status
 * (0x80 or 0), CHS of the start, type (0: unused), CHS of the end, first block, blocks (32 bits
 * each, little endian). CHS is ignored.
 *
 * An extended partition (type 05, 0F or 85) holds a chain of extended boot records of the same
 * form: one entry is a logical partition, relative to the record's own block; another leads to the
 * next record, relative to the extended partition. Either may be missing, and either may come
 * first; an entry without blocks is ignored. An entry of type EE says that the disk has a GPT, and
 * covers it.
 */

/** A partition as the table lists it; not checked against the disk. */
export interface TableEntry {
  readonly type: number;
  readonly first: number;
  readonly count: number;
}

/** The kinds of content that block 0 may have. */
export type MasterBootRecord =
  /** `signed`: the block has the signature of a boot record all the same. */
  | { readonly kind: 'none'; readonly reason: string; readonly signed: boolean }
  | { readonly kind: 'table'; readonly entries: readonly TableEntry[] };

/** The number of bytes of a boot record that have a meaning. */
export const BOOT_RECORD_BYTES = 512;

const ENTRIES_AT = 446;
const ENTRY_BYTES = 16;
const ENTRIES = 4;
const SIGNATURE_AT = 510;
const SIGNATURE = 0xaa55;
const TYPE_GPT = 0xee;
const TYPES_EXTENDED: readonly number[] = [0x05, 0x0f, 0x85];

/** Whether an entry is an extended partition. */
export function isExtended({ type }: TableEntry): boolean {
  return TYPES_EXTENDED.includes(type);
}

/** Whether an entry says that the disk has a GPT. */
export function isProtective({ type }: TableEntry): boolean {
  return type === TYPE_GPT;
}

/** Reads the boot record at the start of `block`, which has at least `BOOT_RECORD_BYTES`. */
export function readMasterBootRecord(block: Uint8Array): MasterBootRecord {
  const view = new DataView(block.buffer, block.byteOffset, BOOT_RECORD_BYTES);
  const signature = view.getUint16(SIGNATURE_AT, true);
  if (signature !== SIGNATURE) {
    const found = signature.toString(16).padStart(4, '0');
    return { kind: 'none', reason: `block 0 has the signature 0x${found} and not 0xaa55`, signed: false };
  }
  const entries: TableEntry[] = [];
  for (let index = 0; index < ENTRIES; index++) {
    const at = ENTRIES_AT + index * ENTRY_BYTES;
    const status = view.getUint8(at);
    if (status !== 0 && status !== 0x80) {
      // The first block of a FAT or NTFS volume has the signature too, and code in the place of the
      // table.
      const reason = `block 0 has 0x${status.toString(16)} as status of entry ${index + 1}`;
      return { kind: 'none', reason, signed: true };
    }
    entries.push(entryAt(view, at));
  }
  return { kind: 'table', entries };
}

/** The contents of an extended boot record. */
export interface ExtendedBootRecord {
  /** A logical partition, relative to the record's own block. */
  readonly logical: TableEntry | undefined;
  /** The link to the next record, relative to the extended partition. */
  readonly link: TableEntry | undefined;
  /** Further entries, which some programs count as a partition and others do not. */
  readonly doubt: string | undefined;
}

/**
 * Tells whether an entry lies within its extended partition. The last two entries of an extended
 * boot record hold garbage on some disks, so they count only if they do.
 */
export type WithinReach = (entry: TableEntry) => boolean;

const TRUSTED_ENTRIES = 2;

/** Reads an extended boot record; undefined if the block holds none. */
export function readExtendedBootRecord(
  block: Uint8Array,
  withinReach: WithinReach,
): ExtendedBootRecord | undefined {
  const view = new DataView(block.buffer, block.byteOffset, BOOT_RECORD_BYTES);
  if (view.getUint16(SIGNATURE_AT, true) !== SIGNATURE) return undefined;
  const entries = Array.from({ length: ENTRIES }, (_, index) =>
    entryAt(view, ENTRIES_AT + index * ENTRY_BYTES),
  );
  const used = entries.filter(({ count }) => count > 0);
  const [link, ...furtherLinks] = used.filter(isExtended);
  const others = entries.filter(
    (entry, index) =>
      entry.count > 0 && !isExtended(entry) && (index < TRUSTED_ENTRIES || withinReach(entry)),
  );
  const [logical, ...furtherLogical] = others.filter(({ type }) => type !== 0);
  return { logical, link, doubt: doubtOf() };

  function doubtOf(): string | undefined {
    if (furtherLinks.length > 0) return 'two links';
    if (furtherLogical.length > 0) return 'two partitions';
    return others.length > 1 || (others.length === 1 && !logical)
      ? 'an entry of type 0 with blocks'
      : undefined;
  }
}

function entryAt(view: DataView, at: number): TableEntry {
  return {
    type: view.getUint8(at + 4),
    first: view.getUint32(at + 8, true),
    count: view.getUint32(at + 12, true),
  };
}
