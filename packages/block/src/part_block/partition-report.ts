/**
 * The report of the partitions, in the form of Genode's part_block, with what we know besides: the
 * GUIDs of a GPT, and why a partition cannot be used.
 */
import type { BlockInfo } from '@ginit/core/block';
import { ConfigNode } from '@ginit/core/config';
import type { PartitionTable } from './table.ts';

/** The report as a tree; partitions are in the order of their numbers. */
export function partitionReport(table: PartitionTable, { blockCount, blockSize }: BlockInfo): ConfigNode {
  const sound = [...table.partitions.values()].map(({ number, type, first, count, name, guid }) => ({
    number,
    node: ConfigNode.make('partition', {
      number,
      type,
      start: first,
      length: count,
      block_size: blockSize,
      name,
      guid,
    }),
  }));
  const faulty = [...table.faults].map(([number, fault]) => ({
    number,
    node: ConfigNode.make('partition', { number, fault }),
  }));
  const ordered = [...sound, ...faulty].toSorted((left, right) => left.number - right.number);
  return ConfigNode.make(
    'partitions',
    {
      type: table.kind,
      guid: table.guid,
      total_blocks: blockCount,
      block_size: blockSize,
      fault: table.partitions.size === 0 ? table.problems[0] : undefined,
    },
    ordered.map(({ node }) => node),
  );
}
