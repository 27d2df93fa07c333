/**
 * Finds out which kind of table a disk has, and reads it. A GPT announces itself by an MBR that
 * protects it, with a single entry of type EE. Where a disk could be read both ways (an MBR beside
 * a sound GPT, or an MBR with entries of both kinds), programs disagree, and following the wrong
 * table would destroy data: such a disk is refused until the config says which table to ignore.
 */
import { type DiskBlocks } from './disk-blocks.ts';
import { type GptResult, hasGptHeader, readGpt } from './gpt-table.ts';
import { isProtective, type MasterBootRecord, readMasterBootRecord, type TableEntry } from './mbr.ts';
import { readMbrTable } from './mbr-table.ts';
import { type PartitionTable, unusableTable, WHOLE_DISK } from './table.ts';

/** The tables that are not looked at. */
export interface IgnoredTables {
  readonly mbr?: boolean;
  readonly gpt?: boolean;
}

/** Reads the table of a disk. Rejects only if the disk cannot be read. */
export async function readPartitionTable(
  disk: DiskBlocks,
  ignored: IgnoredTables = {},
): Promise<PartitionTable> {
  if (ignored.mbr) {
    if (ignored.gpt) return wholeDisk(disk, 'the config ignores both kinds of tables');
    return gptTable(await readGpt(disk)) ?? wholeDisk(disk, 'it has no GPT, and the config ignores an MBR');
  }
  const record = readMasterBootRecord(await disk.read(0, 1));
  if (ignored.gpt) return withoutGpt(disk, record);
  switch (record.kind) {
    case 'none':
      return withoutMbr(disk, record);
    case 'table': {
      const protecting = record.entries.filter(isProtective);
      const others = record.entries.filter((entry) => entry.type !== 0 && !isProtective(entry));
      if (protecting.length === 0) return withoutProtection(disk, record.entries);
      if (others.length > 0) {
        return ambiguous('block 0 has partitions of an MBR beside the entry that protects a GPT');
      }
      return protectedGpt(disk, protecting);
    }
  }
}

async function withoutGpt(disk: DiskBlocks, record: MasterBootRecord): Promise<PartitionTable> {
  return record.kind === 'none' ? wholeDisk(disk, record.reason) : readMbrTable(disk, record.entries);
}

async function protectedGpt(disk: DiskBlocks, protecting: readonly TableEntry[]): Promise<PartitionTable> {
  const lastBlocks = protecting.map(({ first, count }) => first + count - 1);
  const found = await readGpt(disk, lastBlocks);
  const lost = 'block 0 protects a GPT, and there is none';
  return gptTable(found) ?? unusableTable('gpt', 'the disk has lost its GPT', lost);
}

async function withoutProtection(disk: DiskBlocks, entries: readonly TableEntry[]): Promise<PartitionTable> {
  if (await hasGptHeader(disk)) return ambiguous('it has an MBR and a GPT which that does not protect');
  return readMbrTable(disk, entries);
}

async function withoutMbr(
  disk: DiskBlocks,
  { reason, signed }: MasterBootRecord & { readonly kind: 'none' },
): Promise<PartitionTable> {
  if (!(await hasGptHeader(disk))) return wholeDisk(disk, reason);
  if (signed) return ambiguous('it has a GPT, and block 0 is the boot block of a volume');
  const table = gptTable(await readGpt(disk));
  if (table === undefined) return wholeDisk(disk, reason);
  return { ...table, warnings: [`the GPT has no protective MBR: ${reason}`, ...table.warnings] };
}

function gptTable(found: GptResult): PartitionTable | undefined {
  switch (found.kind) {
    case 'table':
      return found.table;
    case 'damaged': {
      const problem = `the GPT of the disk is damaged: ${found.reason}`;
      return unusableTable('gpt', 'the GPT of the disk is damaged', problem);
    }
    case 'none':
      return undefined;
  }
}

function ambiguous(what: string): PartitionTable {
  const absence = 'the disk has two kinds of partition tables, and the config does not say which to ignore';
  const hint = 'set ignore_mbr="yes" or ignore_gpt="yes" in the config of part_block';
  return unusableTable('mbr', absence, `the disk can be read in two ways: ${what}; ${hint}`);
}

function wholeDisk({ blockCount }: DiskBlocks, reason: string): PartitionTable {
  const whole = { number: WHOLE_DISK, first: 0, count: blockCount };
  return {
    kind: 'disk',
    partitions: new Map([[WHOLE_DISK, whole]]),
    listed: [whole],
    faults: new Map(),
    absence: `the disk has no partition table (${reason}), it is partition 0 as a whole`,
    problems: [],
    warnings: [],
  };
}
