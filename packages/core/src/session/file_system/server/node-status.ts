import type { NodeStatus } from '../declaration.ts';
import type { BackendNode, FileSystemBackend } from './backend.ts';

/** The status of a node as clients get it. A time before 1970 has no place in the interface. */
export async function statusOf<Node extends BackendNode>(
  backend: FileSystemBackend<Node>,
  node: Node,
): Promise<NodeStatus> {
  const status = await backend.status(node);
  return {
    unsized: false,
    ...status,
    modifiedMs: wholeMs(status.modifiedMs),
    accessedMs: wholeMs(status.accessedMs),
    changedMs: wholeMs(status.changedMs),
  };
}

function wholeMs(timeMs: number): number {
  return Math.max(0, Math.floor(timeMs));
}
