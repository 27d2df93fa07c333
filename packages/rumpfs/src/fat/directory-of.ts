import { ownerName } from './placed-nodes.ts';

/** The entries of a directory; a node that has none was never handed out as one. */
export function directoryOf<Directory>(node: {
  readonly id: number;
  readonly directory: Directory | undefined;
}): Directory {
  if (node.directory === undefined)
    throw new Error(`rumpfs: broken invariant: ${ownerName(node.id)} is no directory`);
  return node.directory;
}
