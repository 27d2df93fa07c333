import type { ConfigNode } from '@ginit/core/config';

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

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapedText(text: string): string {
  // A reader turns CR into LF, so a CR that is meant goes out as a number.
  return carried(text).replace(/[&<>\r]/g, (character) => ENTITIES[character] ?? numeric(character));
}

function escapedAttribute(text: string): string {
  // A reader turns line feeds and tabs in attributes into spaces.
  return carried(text).replace(/[&<>"\r\n\t]/g, (character) => ENTITIES[character] ?? numeric(character));
}

function numeric(character: string): string {
  return `&#${character.charCodeAt(0)};`;
}

/** Replaces the characters that XML 1.0 has no way to write. */
function carried(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu, '\ufffd');
}
