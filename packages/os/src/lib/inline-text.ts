import { type ConfigNode, writeXml } from '@ginit/core/config';

/**
 * The text that an element holds: its own text, or its children as XML. Throws a `ConfigError` if
 * it has both, because a tree does not know how they were mixed.
 */
export function inlineText(node: ConfigNode): string {
  if (node.children.length === 0) return node.text;
  if (node.text !== '') {
    throw node.errorAt(`<${node.type}> holds elements or a text, not both`);
  }
  return node.children.map(writeXml).join('');
}
