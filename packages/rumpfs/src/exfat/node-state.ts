import { directoryOf } from '../fat/directory-of.ts';
import type { FatState } from '../fat/fat-node.ts';
import type { Directory } from './directory.ts';
import type { Chain } from './chain.ts';
import type { ExfatData } from './exfat-data.ts';
import type { FileSet } from './file-set.ts';

/** The state of a node in memory. */
export interface NodeState extends FatState<NodeState> {
  /** Its entries. The root has none on the device. */
  readonly set: FileSet;
  readonly chain: Chain;
  readonly data: ExfatData;
  /** For directories. */
  readonly directory: Directory | undefined;
}

/**
 * Stores what changes when a file does in the node's entries, if it has any. Wherever they are
 * moved meanwhile, the last state gets there.
 */
export async function storeNode(node: NodeState): Promise<void> {
  for (;;) {
    const { place } = node;
    if (place === undefined) return;
    const directory = directoryOf(place.parent);
    if (directory.tryStore(place.slot, node.set)) return;
    await directory.slots.bringIn();
  }
}
