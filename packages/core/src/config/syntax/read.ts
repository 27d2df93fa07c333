import { ConfigDataError, fromData } from '../data.ts';
import { type DocumentNode, documentOf, treeOf } from '../document.ts';
import { ConfigError } from '../error.ts';
import { hidProblems, readHidDocument, readRelaxedHid } from '../hid/index.ts';
import type { ConfigNode } from '../node.ts';
import { readXml, readXmlDocument } from '../xml/index.ts';

/*
 * A config, a ROM and a report are texts in one of three syntaxes. The first character that is not
 * blank tells which, as in Genode: "<" begins XML, "{" the data form in which our components hand
 * trees to each other, and everything else is HID. All of them become the same tree.
 */

/** A syntax of configs: XML, HID, or the data form in which components hand trees to each other. */
export type Syntax = 'xml' | 'hid' | 'data';

/** How a text is read. */
export interface ReadOptions {
  /** The name for places in messages: a path, or the label of a ROM. */
  readonly name: string;
  /**
   * Reads HID as the runtime of Genode does, for content that others have made: what that runtime
   * ignores is ignored. Without it every such thing is an error with its place.
   */
  readonly relaxed?: boolean;
}

/** The syntax of a text; `undefined` if it is blank. A byte order mark counts as blank. */
export function syntaxOf(source: string | Uint8Array): Syntax | undefined {
  const length = source.length;
  for (let offset = 0; offset < length; offset++) {
    const code = typeof source === 'string' ? source.charCodeAt(offset) : (source[offset] ?? 0);
    if (BLANK.has(code) || (offset < MARK_LENGTH && isMark(source, code))) continue;
    if (code === LESS_THAN) return 'xml';
    return code === BRACE ? 'data' : 'hid';
  }
  return undefined;
}

/** Tabulator, line feed, carriage return, space. */
const BLANK: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20]);
const LESS_THAN = 0x3c;
const BRACE = 0x7b;
/** Bytes of a byte order mark; in a string it is one unit. */
const MARK_BYTES: ReadonlySet<number> = new Set([0xef, 0xbb, 0xbf]);
const MARK_UNIT = 0xfeff;
const MARK_LENGTH = 3;

function isMark(source: string | Uint8Array, code: number): boolean {
  return typeof source === 'string' ? code === MARK_UNIT : MARK_BYTES.has(code);
}

/**
 * Reads a text in XML, HID or the data form into a tree. Throws a `ConfigError` with the place of
 * the first thing that is wrong. A blank text is an error.
 *
 *     const node = readNode(await rom.content(), { name: 'input', relaxed: true });
 */
export function readNode(source: string | Uint8Array, options: ReadOptions): ConfigNode {
  const { name, relaxed = false } = options;
  switch (syntaxOf(source)) {
    case 'xml':
      return readXml(source, name);
    case 'data':
      return readData(source, name);
    case 'hid':
      return asHid(name, () =>
        relaxed ? readRelaxedHid(source, name) : treeOf(readHidDocument(source, name)),
      );
    case undefined:
      throw emptyText(name);
  }
}

/** Reads a text, HID strictly, with its comments and disabled nodes. Throws as `readNode` does. */
export function readDocument(source: string | Uint8Array, name: string): DocumentNode {
  switch (syntaxOf(source)) {
    case 'xml':
      return readXmlDocument(source, name, (node) => hidProblems(node).length === 0);
    case 'data':
      return documentOf(readData(source, name));
    case 'hid':
      return asHid(name, () => readHidDocument(source, name));
    case undefined:
      throw emptyText(name);
  }
}

function emptyText(name: string): ConfigError {
  return new ConfigError('the file is empty', { file: name, line: 1, column: 1 });
}

function readData(source: string | Uint8Array, name: string): ConfigNode {
  const fail = (reason: string): never => {
    throw new ConfigError(`not the data form of a config: ${reason}`, { file: name, line: 1, column: 1 });
  };
  const text = typeof source === 'string' ? source : new TextDecoder().decode(source);
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
  try {
    return fromData(data);
  } catch (error) {
    if (error instanceof ConfigDataError) return fail(error.message);
    throw error;
  }
}

/** Somebody whose XML begins with other characters is told that it was taken for HID. */
function asHid<T>(name: string, read: () => T): T {
  if (!/\.xml$/i.test(name)) return read();
  try {
    return read();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new ConfigError(`${error.text} (this is read as HID: XML begins with "<")`, error.position);
  }
}
