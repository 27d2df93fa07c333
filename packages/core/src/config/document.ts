import type { Position } from './error.ts';
import { type ConfigAttribute, ConfigNode } from './node.ts';

/*
 * A config as people write it: beside the tree that programs read, its comments, its disabled
 * nodes, and the order of text and nodes. `ginit convert` and `ginit format` work on it. Both
 * syntaxes are read into it and written from it, so a comment belongs to the node that it
 * describes, wherever a syntax puts it: HID below the node, XML above it.
 */

/** A line of a comment, without the marks of a syntax. */
export interface DocumentComment {
  readonly text: string;
  readonly position: Position;
  /** Whether it stands on the line of the node that it describes. */
  readonly trailing: boolean;
}

/** A line of the text of a node. */
export interface DocumentText {
  readonly kind: 'text';
  readonly text: string;
  readonly position: Position;
}

/** A node with all that was written in it. */
export interface DocumentNode {
  readonly kind: 'node';
  readonly type: string;
  readonly position: Position;
  /** A disabled node, and all that is in it, is no part of the tree. */
  readonly disabled: boolean;
  readonly attributes: ReadonlyMap<string, ConfigAttribute>;
  readonly comments: readonly DocumentComment[];
  /** The lines of its text and its nodes, in the order in which they were written. */
  readonly content: readonly DocumentContent[];
}

/** What stands in a node. */
export type DocumentContent = DocumentNode | DocumentText;

/** The tree that a document means. */
export function treeOf(document: DocumentNode): ConfigNode {
  const children: ConfigNode[] = [];
  const lines: DocumentText[] = [];
  for (const part of document.content) {
    if (part.kind === 'text') lines.push(part);
    else if (!part.disabled) children.push(treeOf(part));
  }
  const [first] = lines;
  return new ConfigNode(document.type, {
    position: document.position,
    attributes: document.attributes,
    children,
    text: lines.map(({ text }) => text).join('\n'),
    ...(first === undefined ? {} : { textPosition: first.position }),
  });
}

/** The document of a tree: its text comes before its children. */
export function documentOf(node: ConfigNode): DocumentNode {
  const lines = node.text === '' ? [] : node.text.split('\n');
  return {
    kind: 'node',
    type: node.type,
    position: node.position,
    disabled: false,
    attributes: node.attributes,
    comments: [],
    content: [
      ...lines.map((text) => ({ kind: 'text', text, position: node.textPosition }) as const),
      ...node.children.map(documentOf),
    ],
  };
}

/** The nodes in a document node, without its text. */
export function nodesIn(document: DocumentNode): DocumentNode[] {
  return document.content.filter((part) => part.kind === 'node');
}
