/**
 * Config nodes as plain data, the form in which they travel to components, and the same as XML, for
 * the command.
 */

/** A node; attributes that are undefined are left out. */
export function node(type, attributes = {}, children = []) {
  const known = Object.entries(attributes).filter(([, value]) => value !== undefined);
  return {
    type,
    at: [1, 1],
    attributes: known.map(([name, value]) => [name, String(value), 1, 1]),
    children,
  };
}

const ENTITIES = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escape = (text) => text.replace(/[&<>"]/g, (character) => ENTITIES[character]);

/** The node as XML. */
export function toXml({ type, attributes, children }, indent = '') {
  const list = attributes.map(([name, value]) => ` ${name}="${escape(value)}"`).join('');
  if (children.length === 0) return `${indent}<${type}${list}/>\n`;
  const inner = children.map((child) => toXml(child, `${indent}  `)).join('');
  return `${indent}<${type}${list}>\n${inner}${indent}</${type}>\n`;
}
