import { type DocumentNode, documentOf } from '../document.ts';
import { writeHidDocument } from '../hid/index.ts';
import type { ConfigNode } from '../node.ts';
import { writeXmlDocument } from '../xml/index.ts';

export { hidProblems } from '../hid/index.ts';
export { readXml, writeXml } from '../xml/index.ts';

/**
 * The HID text of a tree, for reports and for people. Throws a `ConfigError` for the first thing
 * that HID cannot hold, at its place in the tree: a name with upper-case letters, a value with a
 * "|", a line break or a space at its end.
 */
export function writeHid(node: ConfigNode): string {
  return writeHidDocument(documentOf(node));
}

/**
 * The text of a document with its comments and disabled nodes. Throws a `ConfigError` for what
 * cannot be written.
 */
export function writeDocument(document: DocumentNode, syntax: 'xml' | 'hid'): string {
  return syntax === 'xml' ? writeXmlDocument(document) : writeHidDocument(document);
}
