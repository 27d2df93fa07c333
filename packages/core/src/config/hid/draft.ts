import type { DocumentComment, DocumentNode, DocumentText } from '../document.ts';
import { CONFIG_LIMITS } from '../limits.ts';
import type { ConfigAttribute } from '../node.ts';
import { columnAt, failAt, type HidLine } from './lines.ts';

/** A node of a document that is still being read. */
export interface DraftNode extends DocumentNode {
  /** That of its "+"; -1 for the top. */
  readonly column: number;
  readonly line: HidLine;
  readonly attributes: Map<string, ConfigAttribute>;
  readonly comments: DocumentComment[];
  readonly content: (DraftNode | DocumentText)[];
}

/** A place in a line. */
export interface Spot {
  readonly line: HidLine;
  readonly offset: number;
}

/**
 * A HID document that is being read: the nodes that are still open, from the top down to the one
 * that was opened last. Keeps to the bounds of `CONFIG_LIMITS`.
 */
export class Draft {
  readonly top: DraftNode;
  readonly #open: DraftNode[];
  #nodes = 1;

  constructor(type: string, spot: Spot) {
    this.top = draftNode(type, spot, -1, false);
    this.#open = [this.top];
  }

  /** The node that was opened last. */
  get last(): DraftNode {
    return this.#open.at(-1) ?? this.top;
  }

  /** The nodes that are open, the top first. */
  get open(): readonly DraftNode[] {
    return this.#open;
  }

  /** Opens a node within the first `depth` of the open nodes. */
  openNode(type: string, disabled: boolean, spot: Spot, depth: number): DraftNode {
    this.#nodes++;
    if (this.#nodes > CONFIG_LIMITS.nodes)
      failAt(spot.line, spot.offset, `more than ${CONFIG_LIMITS.nodes} nodes`);
    if (depth >= CONFIG_LIMITS.depth)
      failAt(spot.line, spot.offset, `nested deeper than ${CONFIG_LIMITS.depth}`);
    this.#open.length = depth;
    const node = draftNode(type, spot, columnAt(spot.line, spot.offset), disabled);
    this.last.content.push(node);
    this.#open.push(node);
    return node;
  }

  /**
   * The deepest open node for which `holds`, given its column; the top if it holds for no other.
   */
  deepest(holds: (column: number) => boolean): DraftNode {
    return this.#open.findLast(({ column }) => holds(column)) ?? this.top;
  }
}

/** Adds an attribute; the caller has looked whether it is there already. */
export function addAttribute(node: DraftNode, name: string, value: string, spot: Spot): void {
  const { line, offset } = spot;
  if (node.attributes.size >= CONFIG_LIMITS.attributes)
    failAt(line, offset, `more than ${CONFIG_LIMITS.attributes} attributes`);
  node.attributes.set(name, { value, position: positionOf(spot) });
}

/** Adds a line of text. */
export function addText(node: DraftNode, text: string, spot: Spot): void {
  node.content.push({ kind: 'text', text, position: positionOf(spot) });
}

/** Whether the node has text of its own. */
export function hasText(node: DraftNode): boolean {
  return node.content.some(({ kind }) => kind === 'text');
}

/** The place of a spot as messages have it. */
export function positionOf({ line, offset }: Spot): DocumentNode['position'] {
  return { file: line.file, line: line.number, column: offset + 1 };
}

function draftNode(type: string, spot: Spot, column: number, disabled: boolean): DraftNode {
  return {
    kind: 'node',
    type,
    position: positionOf(spot),
    disabled,
    attributes: new Map(),
    comments: [],
    content: [],
    column,
    line: spot.line,
  };
}
