import { hasCode, RpcError } from '@ginit/core';
import {
  encodeName,
  type FileSystemClient,
  type FileSystemEntry,
  type NodeStatus,
  type NodeType,
  type OpenDirectory,
} from '@ginit/core/file_system';
import { inLanes } from '@ginit/core/async';
import { printable } from './printable.ts';

/** The largest number of entries that one `ls` sorts in memory. */
const ENTRIES_MAX = 1_000_000;
const STATUS_CALLS_MAX = 16;

/** The types of nodes as they are printed. */
export const TYPE_WORDS: Readonly<Record<NodeType, string>> = {
  file: 'file',
  directory: 'dir',
  symlink: 'symlink',
  'character-device': 'chardev',
  'block-device': 'blockdev',
  fifo: 'fifo',
  socket: 'socket',
};

/**
 * The errors of an entry's own node that do not end the listing: the other entries are listed
 * nevertheless.
 */
const NODE_FAILURES = ['Corrupt', 'Input_output', 'Unsupported'];

interface Listed {
  readonly name: string;
  readonly key: Uint8Array;
  readonly type: NodeType;
  status: NodeStatus | undefined;
  /** The reason why there is no status; undefined where the entry has vanished. */
  failure: string | undefined;
}

/** Prints the entries of a directory, a line each, sorted by the bytes of their names. */
export async function list(
  client: FileSystemClient,
  path: string,
  print: (line: string) => Promise<void>,
): Promise<void> {
  const listed = await client.withDirectory(path, async (directory) => {
    const entries = await readAll(directory.entries());
    await addStatus(directory, entries);
    return entries;
  });
  for (const { name, type, status, failure } of listed.toSorted((left, right) =>
    compareBytes(left.key, right.key),
  )) {
    if (failure !== undefined)
      await print(`ls ${path}: ${TYPE_WORDS[type]} ? ${printable(name)}: ${failure}`);
    // The entry vanished between the two requests, so it is left out.
    if (status === undefined) continue;
    await print(`ls ${path}: ${TYPE_WORDS[status.type]} ${status.sizeBytes} ${printable(name)}`);
  }
}

async function readAll(entries: AsyncIterable<FileSystemEntry>): Promise<Listed[]> {
  const all: Listed[] = [];
  for await (const { name, type } of entries) {
    if (all.length === ENTRIES_MAX) throw new RpcError('LimitExceeded', `more than ${ENTRIES_MAX} entries`);
    all.push({ name, key: encodeName(name), type, status: undefined, failure: undefined });
  }
  return all;
}

async function addStatus(directory: OpenDirectory, entries: readonly Listed[]): Promise<void> {
  const left = entries.values();
  const lane = async (): Promise<void> => {
    for (const entry of left) {
      try {
        entry.status = await directory.stat(entry.name);
      } catch (error) {
        if (hasCode(error, 'Lookup_failed')) continue;
        entry.failure = NODE_FAILURES.find((code) => hasCode(error, code));
        if (entry.failure === undefined) throw error;
      }
    }
  };
  await inLanes(STATUS_CALLS_MAX, lane);
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let index = 0; index < length; index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
