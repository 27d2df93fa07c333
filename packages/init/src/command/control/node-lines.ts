/** The machines of a cluster, as the control socket tells them. */
import { boolean, list, optional, record, type ShapeType, text, u32, u53 } from '@ginit/core';
import type { NodeStanding } from '@ginit/core/supervisor';

const WORDS = 4096;
const NODES_MAX = 4096;

const nodeShape = record({
  name: text(WORDS),
  key: text(WORDS),
  there: boolean,
  components: u32,
  ram: optional(record({ lent: u53, used: u53 })),
  cores: optional(u32),
  labels: list(text(WORDS), 64),
  /** The versions of ginit and Node, and the platform. */
  ginit: optional(text(WORDS)),
  node: optional(text(WORDS)),
  platform: optional(text(WORDS)),
});
/** One machine. */
export type NodeLine = ShapeType<typeof nodeShape>;

/** The answer to `nodes`. */
export const nodesAnswer = record({ nodes: list(nodeShape, NODES_MAX) });

/** One machine as it is told. */
export function nodeLine({ name, key, offer, usedBytes, components }: NodeStanding): NodeLine {
  return {
    name,
    key,
    there: offer !== undefined,
    components,
    ram: offer && { lent: offer.ramBytes, used: usedBytes },
    cores: offer?.cores,
    labels: offer?.labels ?? [],
    ginit: offer?.facts.ginit,
    node: offer?.facts.node,
    platform: offer?.facts.platform,
  };
}
