import type { Directory } from './directory.ts';
import type { Chain } from './chain.ts';
import type { EntryFields } from './entry.ts';

/** The place of an entry: its directory, its slot there, and its place on the device. */
export interface EntryPlace {
  readonly parent: NodeState;
  readonly slot: number;
  /** The byte on the device divided by the size of an entry. */
  readonly position: number;
}

/** The state of a node in memory. */
export interface NodeState {
  readonly id: number;
  readonly isDirectory: boolean;
  readonly fields: EntryFields;
  readonly chain: Chain;
  /** For directories. */
  readonly directory: Directory | undefined;
  /** The entry; undefined for the root, and once it is gone. */
  place: EntryPlace | undefined;
  /** Whether the node has a name, or is the root. */
  linked: boolean;
  /** The directory above, also of a directory that was removed. */
  parent: NodeState | undefined;
  /** The number of nodes in memory below this one. */
  children: number;
  /** Whether the vnode layer has it. */
  loaded: boolean;
}

/** The name of a node in messages. */
export function ownerName(id: number): string {
  return `node ${id}`;
}
