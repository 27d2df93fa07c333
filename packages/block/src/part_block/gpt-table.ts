/**
 * The partitions of a GUID partition table, found and checked. The first header and its table
 * count; where they are damaged, the backup does. The backup stands at the end of the disk, or
 * where the disk ended when it was partitioned: a disk that has grown has it in its midst.
 */
import type { DiskBlocks } from './disk-blocks.ts';
import {
  type Checked,
  type GptEntry,
  type GptHeader,
  PRIMARY_HEADER_AT,
  readGptEntries,
  readGptHeader,
} from './gpt.ts';
import { eachOverlap, Faults, type Partition, type PartitionTable, rangeProblem } from './table.ts';

/** A GPT that can be used, why there is one that cannot, or the word that there is none. */
export type GptResult =
  | { readonly kind: 'table'; readonly table: PartitionTable }
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'none' };

interface Gpt {
  readonly header: GptHeader;
  readonly entries: readonly GptEntry[];
}

/** Whether block 1 holds a sound header, so that the disk seems to have a GPT. */
export async function hasGptHeader(disk: DiskBlocks): Promise<boolean> {
  return (await readGptHeader(disk, PRIMARY_HEADER_AT)).ok;
}

/**
 * Reads the GPT of a disk. `lastBlocks` are blocks in which the backup may be, besides the one that
 * the first header names and the last one of the disk.
 */
export async function readGpt(disk: DiskBlocks, lastBlocks: readonly number[] = []): Promise<GptResult> {
  const primaryHeader = await readGptHeader(disk, PRIMARY_HEADER_AT);
  const primary = await withEntries(disk, primaryHeader);
  if (primary.ok) {
    const warnings = await backupWarnings(disk, primary.value);
    return { kind: 'table', table: tableOf(disk, primary.value, warnings) };
  }
  const named = primaryHeader.ok ? [primaryHeader.value.alternate] : [];
  const places = new Set(
    [...named, disk.blockCount - 1, ...lastBlocks].filter((at) => at > PRIMARY_HEADER_AT),
  );
  const reasons = [primary.reason];
  let absent = primary.absent === true;
  for (const at of places) {
    const backup = await withEntries(disk, await readGptHeader(disk, at));
    if (backup.ok) {
      const warning = `${primary.reason}: the backup of the partition table in block ${at} is used`;
      return { kind: 'table', table: tableOf(disk, backup.value, [warning]) };
    }
    reasons.push(backup.reason);
    absent &&= backup.absent === true;
  }
  return absent ? { kind: 'none' } : { kind: 'damaged', reason: reasons.join(', ') };
}

async function withEntries(disk: DiskBlocks, header: Checked<GptHeader>): Promise<Checked<Gpt>> {
  if (!header.ok) return header;
  const entries = await readGptEntries(disk, header.value);
  return entries.ok ? { ok: true, value: { header: header.value, entries: entries.value } } : entries;
}

/** The words for a backup that would not help. */
async function backupWarnings(disk: DiskBlocks, { header }: Gpt): Promise<string[]> {
  const { alternate, tableCrc } = header;
  const last = disk.blockCount - 1;
  if (alternate > last) {
    return [`the disk is shorter than it was when it was partitioned: it has no block ${alternate}`];
  }
  const backup = await withEntries(disk, await readGptHeader(disk, alternate));
  if (!backup.ok) return [`the backup of the partition table cannot be used: ${backup.reason}`];
  if (backup.value.header.tableCrc !== tableCrc) {
    return ['the backup of the partition table differs from it, and the first one counts'];
  }
  if (alternate === last) return [];
  return [
    `the disk has grown: the backup of its partition table is in block ${alternate} and not at its end`,
  ];
}

function tableOf(disk: DiskBlocks, { header, entries }: Gpt, warnings: readonly string[]): PartitionTable {
  const faults = new Faults();
  const listed: Partition[] = [];
  const found: Partition[] = [];
  for (const { number, first, last, type, guid, name } of entries) {
    const partition = { number, first, count: last - first + 1, type, guid, name };
    listed.push(partition);
    const problem = entryProblem(partition, last, header, disk);
    if (problem === undefined) found.push(partition);
    else faults.add(number, problem);
  }
  eachOverlap(found, (one, other) => faults.overlap(one.number, other.number));
  const usable = found.filter(({ number }) => !faults.has(number));
  return {
    kind: 'gpt',
    guid: header.diskGuid,
    partitions: new Map(usable.map((partition) => [partition.number, partition])),
    listed,
    faults: faults.byNumber,
    absence: 'the partition table has no such entry',
    problems: faults.problems,
    warnings,
  };
}

function entryProblem(
  partition: Partition,
  last: number,
  { firstUsable, lastUsable }: GptHeader,
  { blockCount }: DiskBlocks,
): string | undefined {
  const { first } = partition;
  // The numbers may be infinite, whose differences are no numbers.
  if (first >= blockCount || last >= blockCount) {
    return `has blocks ${first} to ${last}, which is beyond the end of the disk (${blockCount} blocks)`;
  }
  if (last < first) return `ends at block ${last}, before it begins at ${first}`;
  if (first < firstUsable || last > lastUsable) {
    return `has blocks ${first} to ${last}, and the table leaves ${firstUsable} to ${lastUsable} to partitions`;
  }
  return rangeProblem(partition, blockCount);
}
