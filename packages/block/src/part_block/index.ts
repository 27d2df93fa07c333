/** Partition tables, for programs that read disks without a component. */
export type { DiskBlocks } from './disk-blocks.ts';
export { type IgnoredTables, readPartitionTable } from './partition-table.ts';
export {
  type Partition,
  type PartitionTable,
  type Place,
  type TableKind,
  WHOLE_DISK,
} from './table.ts';
