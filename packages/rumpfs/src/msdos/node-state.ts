import type { FatState } from '../fat/fat-node.ts';
import type { Directory } from './directory.ts';
import type { Chain } from './chain.ts';
import type { MsdosData } from './msdos-data.ts';
import type { EntryFields } from './entry.ts';

/** The state of a node in memory. */
export interface NodeState extends FatState<NodeState> {
  readonly fields: EntryFields;
  readonly chain: Chain;
  readonly data: MsdosData;
  /** For directories. */
  readonly directory: Directory | undefined;
}
