import { ConfigError, type Position } from '../error.ts';
import { readRelaxedHid } from '../hid/index.ts';
import type { ConfigNode } from '../node.ts';
import { syntaxOf } from './read.ts';

/** A place that Genode's runtime reads differently. */
export interface RuntimeDifference {
  readonly text: string;
  readonly position: Position;
}

/**
 * Finds the first node of a HID text that Genode's own runtime (26.02) reads otherwise than
 * Genode's tools and specification do: `node` is the tree of the text by the strict rules. There
 * are two such things: a table that is continued in a later line, and text beside sub nodes.
 * `undefined` if the text means the same everywhere.
 */
export function runtimeDifference(
  source: string | Uint8Array,
  node: ConfigNode,
): RuntimeDifference | undefined {
  if (syntaxOf(source) !== 'hid') return undefined;
  try {
    return firstDifference(node, readRelaxedHid(source, node.position.file));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { text: `Genode's runtime does not read this: ${error.text}`, position: error.position };
  }
}

function firstDifference(node: ConfigNode, other: ConfigNode): RuntimeDifference | undefined {
  if (node.text !== other.text) {
    const text = `Genode's runtime does not read this text as that of <${node.type}>: it stands beside sub nodes`;
    return { text, position: node.textPosition };
  }
  const count = Math.max(node.children.length, other.children.length);
  for (let index = 0; index < count; index++) {
    const [mine, theirs] = [node.children[index], other.children[index]];
    if (mine && theirs && samePlace(mine, theirs)) {
      const found = firstDifference(mine, theirs);
      if (found) return found;
      continue;
    }
    const { type, position } = mine ?? theirs ?? node;
    return { text: `Genode's runtime puts <${type}> elsewhere: begin a line with each sub node`, position };
  }
  return undefined;
}

function samePlace(left: ConfigNode, right: ConfigNode): boolean {
  return left.position.line === right.position.line && left.position.column === right.position.column;
}
