import type { PlacedNode } from '../fat/placed-nodes.ts';
import type { Directory } from './directory.ts';
import type { Chain } from './chain.ts';
import type { EntryFields } from './entry.ts';

/** The state of a node in memory. */
export interface NodeState extends PlacedNode<NodeState> {
  readonly isDirectory: boolean;
  readonly fields: EntryFields;
  readonly chain: Chain;
  /** For directories. */
  readonly directory: Directory | undefined;
}
