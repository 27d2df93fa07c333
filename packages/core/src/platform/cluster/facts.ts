/** What a node is made of, and whether that fits to another one. */
import type { NodeFacts } from './messages.ts';

/** The number in front of the first dot. */
const majorOf = (version: string): number => Number(/^v?(\d+)/.exec(version)?.[1] ?? 0);

/**
 * Why components that were checked on the head cannot run on this node; `undefined` if they can.
 * Both versions are named.
 */
export function misfit(head: NodeFacts, node: NodeFacts): string | undefined {
  if (head.protocol !== node.protocol)
    return `it speaks version ${node.protocol} of the protocol of clusters, and the head version ${head.protocol}`;
  if (head.ginit !== node.ginit) return `it runs ginit ${node.ginit}, and the head ginit ${head.ginit}`;
  if (majorOf(node.node) < majorOf(head.node))
    return `it runs Node ${node.node}, and the head a newer one, ${head.node}`;
  return undefined;
}

/** Why the native files of a component do not run on this node; `undefined` if they do. */
export function nativeMisfit(native: string | undefined, { platform }: NodeFacts): string | undefined {
  if (native === undefined || native === platform) return undefined;
  return `its native files are for ${native}, and that node is ${platform}`;
}
