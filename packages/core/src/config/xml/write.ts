import type { ConfigNode } from '../node.ts';
import { escapedAttribute, escapedText } from './escape.ts';

/*
 * Writes a configuration tree as XML text, for reports and for people. The text reads back as the
 * same tree: texts go out unchanged, so an element that holds text is written in one piece, and
 * everything else is indented by two spaces.
 */

/**
 * The XML text of a tree. Characters that XML cannot carry at all (most control characters) become
 * U+FFFD.
 */
export function writeXml(node: ConfigNode): string {
  const lines: string[] = [];
  writeNode(node, '', lines);
  return `${lines.join('\n')}\n`;
}

function writeNode(node: ConfigNode, indent: string, lines: string[]): void {
  if (node.children.length === 0 || node.text !== '') {
    lines.push(indent + inline(node));
    return;
  }
  lines.push(`${indent}<${node.type}${attributes(node)}>`);
  for (const child of node.children) writeNode(child, `${indent}  `, lines);
  lines.push(`${indent}</${node.type}>`);
}

function inline(node: ConfigNode): string {
  const content = escapedText(node.text) + node.children.map(inline).join('');
  const tag = `${node.type}${attributes(node)}`;
  return content === '' ? `<${tag}/>` : `<${tag}>${content}</${node.type}>`;
}

function attributes(node: ConfigNode): string {
  let text = '';
  for (const [name, { value }] of node.attributes) text += ` ${name}="${escapedAttribute(value)}"`;
  return text;
}
