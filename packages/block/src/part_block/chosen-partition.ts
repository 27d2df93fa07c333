/** Which partition a policy means. */
import { SessionError } from '@ginit/core';
import type { Partition, PartitionTable } from './table.ts';

/** What a policy says of its partition: at least one thing, and all must be true. */
export interface WantedPartition {
  readonly partition: number | undefined;
  readonly name: string | undefined;
  readonly guid: string | undefined;
  readonly type: string | undefined;
}

/**
 * The one partition that is as wanted. Throws `DENIED` with the reason if there is none, and if
 * there are several: a number of the table must not decide who may write where.
 */
export function chosenPartition(table: PartitionTable, wanted: WantedPartition): Partition {
  if (wanted.partition !== undefined) requireUsable(table, wanted.partition);
  const [chosen, another] = table.listed.filter((partition) => isWanted(partition, wanted));
  if (chosen === undefined) throw denied(`there is no ${described(wanted)}${why(table)}`);
  if (another !== undefined) {
    throw denied(`partitions ${chosen.number} and ${another.number} are both a ${described(wanted)}`);
  }
  return requireUsable(table, chosen.number);
}

function requireUsable(table: PartitionTable, number: number): Partition {
  const partition = table.partitions.get(number);
  if (partition) return partition;
  const fault = table.faults.get(number);
  if (fault !== undefined) throw denied(`partition ${number} ${fault}`);
  throw denied(`there is no partition ${number}: ${table.absence}`);
}

function isWanted(partition: Partition, { partition: number, name, guid, type }: WantedPartition): boolean {
  return (
    (number === undefined || partition.number === number) &&
    (name === undefined || partition.name === name) &&
    (guid === undefined || partition.guid === plain(guid)) &&
    (type === undefined || partition.type === plain(type))
  );
}

/** A GUID or a type in the spelling of tables: small letters, no `0x`, two digits. */
function plain(text: string): string {
  return text.trim().toLowerCase().replace(/^0x/, '').padStart(2, '0');
}

function described({ partition, name, guid, type }: WantedPartition): string {
  const parts = Object.entries({ name, guid, type }).flatMap(([what, value]) =>
    value === undefined ? [] : [`${what} "${value}"`],
  );
  const number = partition === undefined ? '' : ` ${partition}`;
  return `partition${number}${parts.length > 0 ? ` with ${parts.join(' and ')}` : ''}`;
}

/** The reason to give if nothing can be found on the whole disk. */
function why({ kind, partitions, absence }: PartitionTable): string {
  return kind === 'disk' || partitions.size === 0 ? `: ${absence}` : '';
}

function denied(reason: string): SessionError {
  return new SessionError('DENIED', reason);
}
