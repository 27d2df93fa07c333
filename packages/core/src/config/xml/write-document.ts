import { type DocumentNode, documentOf, type DocumentText, nodesIn, treeOf } from '../document.ts';
import { ConfigError } from '../error.ts';
import { escapedAttribute, escapedText } from './escape.ts';

/*
 * Writes a document as XML, with its comments above the elements that they describe, and its
 * disabled nodes as comments. An element that holds text is written in one piece, because line
 * breaks in it would be part of its text.
 */

/**
 * The XML text of a document. Throws a `ConfigError` for a disabled node that cannot be in a
 * comment: one with a name that holds "--".
 */
export function writeXmlDocument(document: DocumentNode): string {
  const lines: string[] = [];
  writeNode(document, '', lines);
  return `${lines.join('\n')}\n`;
}

function writeNode(node: DocumentNode, indent: string, lines: string[]): void {
  const { before, behind } = commentsOf(node, indent);
  lines.push(...before);
  const hasText = node.content.some(({ kind }) => kind === 'text');
  if (node.disabled || hasText || node.content.length === 0) {
    lines.push(indent + inline(node) + behind);
    return;
  }
  lines.push(`${indent}<${node.type}${attributesOf(node)}>${behind}`);
  for (const part of node.content) if (part.kind === 'node') writeNode(part, `${indent}  `, lines);
  lines.push(`${indent}</${node.type}>`);
}

/** The comments of a node as lines before it, and as one behind it. */
function commentsOf({ comments }: DocumentNode, indent: string): { before: string[]; behind: string } {
  const trailing = comments.filter((comment) => comment.trailing).map(({ text }) => text);
  const others = comments.filter((comment) => !comment.trailing).map(({ text }) => text);
  return {
    before: others.length === 0 ? [] : [indent + commentOf(others, indent)],
    behind: trailing.length === 0 ? '' : ` ${commentOf(trailing, indent)}`,
  };
}

function commentOf(texts: readonly string[], indent: string): string {
  // "--" would end the comment.
  const safe = texts.map((text) => text.replaceAll(/-(?=-)/g, '- '));
  const lines = safe.map((text, index) => (index === 0 ? text : `${indent}     ${text}`.trimEnd()));
  return `<!-- ${lines.join('\n')} -->`;
}

function inline(node: DocumentNode): string {
  if (node.disabled) return disabled(node);
  const parts: string[] = [];
  let lines: DocumentText[] = [];
  const endRun = (): void => {
    if (lines.length > 0) parts.push(textOf(lines));
    lines = [];
  };
  for (const part of node.content) {
    if (part.kind === 'text') {
      lines.push(part);
      continue;
    }
    endRun();
    parts.push(...commentsOf(part, '').before, inline(part), commentsOf(part, '').behind.trim());
  }
  endRun();
  const content = parts.join('');
  const tag = `${node.type}${attributesOf(node)}`;
  return content === '' ? `<${tag}/>` : `<${tag}>${content}</${node.type}>`;
}

/**
 * The line breaks at the ends of a text are written as numbers, so that nobody takes them for
 * layout.
 */
function textOf(lines: readonly DocumentText[]): string {
  const text = escapedText(lines.map(({ text: line }) => line).join('\n'));
  return text.replace(/^([ \t]*)\n/, '$1&#10;').replace(/\n([ \t]*)$/, '&#10;$1');
}

/**
 * A disabled node as a comment. Comments in it are lost, and so are disabled nodes: comments do not
 * nest.
 */
function disabled(node: DocumentNode): string {
  if (hasDashes(node)) {
    const text = `XML cannot hold the disabled node <${node.type}>: a name in it holds "--"`;
    throw new ConfigError(text, node.position);
  }
  return `<!-- ${inline(documentOf(treeOf(node))).replaceAll(/-(?=-)/g, '&#45;')} -->`;
}

function hasDashes(node: DocumentNode): boolean {
  return (
    [node.type, ...node.attributes.keys()].some((name) => name.includes('--')) ||
    nodesIn(node).some(hasDashes)
  );
}

function attributesOf(node: DocumentNode): string {
  let text = '';
  for (const [name, { value }] of node.attributes) text += ` ${name}="${escapedAttribute(value)}"`;
  return text;
}
