import type { PlacedNode } from '../fat/placed-nodes.ts';
import type { Directory } from './directory.ts';
import type { Chain } from './chain.ts';
import type { FileSet } from './file-set.ts';

/** The state of a node in memory. */
export interface NodeState extends PlacedNode<NodeState> {
  readonly isDirectory: boolean;
  /** Its entries. The root has none on the device. */
  readonly set: FileSet;
  readonly chain: Chain;
  /** For directories. */
  readonly directory: Directory | undefined;
}

/** The entries of a directory; a node that has none was never handed out as one. */
export function directoryOf(node: NodeState): Directory {
  if (node.directory === undefined)
    throw new Error(`rumpfs: broken invariant: node ${node.id} is no directory`);
  return node.directory;
}

/** Takes the chain over into the entries of a node. */
export function noteChain({ set, chain }: NodeState): void {
  set.firstCluster = chain.first;
  set.contiguous = chain.contiguous;
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
