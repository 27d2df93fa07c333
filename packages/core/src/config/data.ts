import { GENERATED_POSITION, type Position } from './error.ts';
import { CONFIG_LIMITS, validName } from './limits.ts';
import { type ConfigAttribute, ConfigNode } from './node.ts';

/*
 * The plain form of a configuration tree: what travels as the content of the ROM `config` between
 * components. It is made of arrays, objects, strings and numbers only, so any carrier can encode
 * it. A peer may have made it, so the reader checks every field, bounds the size of the whole, and
 * copies: nothing of what was handed in is kept.
 */

/** A place within the file of the node: line, column. */
export type PositionData = readonly [line: number, column: number];

/** One node; `file` only where it differs from the parent's. */
export interface NodeData {
  readonly type: string;
  readonly file?: string;
  readonly at: PositionData;
  readonly attributes?: readonly (readonly [name: string, value: string, line: number, column: number])[];
  readonly children?: readonly NodeData[];
  readonly text?: string;
  readonly textAt?: PositionData;
}

/** The bounds of `fromData`. By default they are `CONFIG_LIMITS`. */
export interface DataLimits {
  readonly sizeBytes: number;
  readonly depth: number;
  readonly nodes: number;
  readonly attributes: number;
}

/**
 * Plain data that is no configuration. `message` names the part by its path, for example
 * `config.children[2].type`.
 */
export class ConfigDataError extends Error {
  override readonly name = 'ConfigDataError';
}

/**
 * The plain form of a tree. Places of attributes and texts are taken to lie in the file of their
 * node.
 */
export function toData(node: ConfigNode): NodeData {
  return nodeToData(node, GENERATED_POSITION.file);
}

/**
 * A tree as the content of the ROM `config`; without one the content is empty, which reads as an
 * empty `<config/>`.
 */
export function configContent(node: ConfigNode | undefined): Uint8Array {
  return new TextEncoder().encode(node ? JSON.stringify(toData(node)) : '');
}

function nodeToData(node: ConfigNode, parentFile: string): NodeData {
  const { file, line, column } = node.position;
  return {
    type: node.type,
    ...(file === parentFile ? {} : { file }),
    at: [line, column],
    ...(node.attributes.size === 0
      ? {}
      : {
          attributes: [...node.attributes].map(
            ([name, { value, position }]) => [name, value, position.line, position.column] as const,
          ),
        }),
    ...(node.children.length === 0
      ? {}
      : { children: node.children.map((child) => nodeToData(child, file)) }),
    ...(node.text === ''
      ? {}
      : { text: node.text, textAt: [node.textPosition.line, node.textPosition.column] as const }),
  };
}

/**
 * Makes a tree from its plain form. Throws `ConfigDataError` for anything that is not one within
 * the limits.
 */
export function fromData(data: unknown, limits: DataLimits = CONFIG_LIMITS): ConfigNode {
  return new DataReader(limits).node(data, 'config', GENERATED_POSITION.file, 1);
}

/** Longest name of a file in a position. */
const FILE_LENGTH_MAX = 4096;

const NODE_KEYS: ReadonlySet<string> = new Set([
  'type',
  'file',
  'at',
  'attributes',
  'children',
  'text',
  'textAt',
]);

class DataReader {
  private readonly limits: DataLimits;
  private nodes = 0;
  private size = 0;

  constructor(limits: DataLimits) {
    this.limits = limits;
  }

  node(data: unknown, path: string, parentFile: string, depth: number): ConfigNode {
    if (depth > this.limits.depth) fail(path, `nested deeper than ${this.limits.depth}`);
    this.nodes++;
    if (this.nodes > this.limits.nodes) fail(path, `more than ${this.limits.nodes} nodes`);
    const fields = record(data, path);
    const file = fields['file'] === undefined ? parentFile : this.file(fields['file'], `${path}.file`, depth);
    const position = positionOf(file, fields['at'], `${path}.at`);
    const text = fields['text'] === undefined ? '' : this.string(fields['text'], `${path}.text`);
    const textAt = fields['textAt'];
    return new ConfigNode(this.name(fields['type'], `${path}.type`), {
      position,
      attributes: this.attributes(fields['attributes'], `${path}.attributes`, file),
      children: list(fields['children'], `${path}.children`, this.limits.nodes).map((child, index) =>
        this.node(child, `${path}.children[${index}]`, file, depth + 1),
      ),
      text,
      textPosition: textAt === undefined ? position : positionOf(file, textAt, `${path}.textAt`),
    });
  }

  private attributes(data: unknown, path: string, file: string): Map<string, ConfigAttribute> {
    const attributes = new Map<string, ConfigAttribute>();
    for (const [index, entry] of list(data, path, this.limits.attributes).entries()) {
      const at = `${path}[${index}]`;
      const parts = list(entry, at, 4);
      const name = this.name(parts[0], `${at}[0]`);
      if (attributes.has(name)) fail(at, 'named twice');
      const value = this.string(parts[1], `${at}[1]`);
      attributes.set(name, { value, position: positionOf(file, parts.slice(2), at) });
    }
    return attributes;
  }

  private name(data: unknown, path: string): string {
    const text = this.string(data, path);
    return validName(text) ? text : fail(path, 'not a name');
  }

  /**
   * The file name of the outermost node is not counted, so that a text of the largest size can have
   * a name too.
   */
  private file(data: unknown, path: string, depth: number): string {
    if (typeof data !== 'string' || data.length > FILE_LENGTH_MAX)
      return fail(path, 'not the name of a file');
    if (depth > 1) this.size += data.length;
    return data;
  }

  private string(data: unknown, path: string): string {
    if (typeof data !== 'string') return fail(path, 'not a text');
    this.size += data.length;
    if (this.size > this.limits.sizeBytes)
      fail(path, `texts are larger than ${this.limits.sizeBytes} in all`);
    return data;
  }
}

function fail(path: string, text: string): never {
  // A path of a deep tree is long; its end says most.
  throw new ConfigDataError(`${path.length > 200 ? `…${path.slice(-200)}` : path}: ${text}`);
}

function record(data: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return fail(path, 'not an object');
  const fields: Record<string, unknown> = {};
  for (const key of NODE_KEYS) {
    if (Object.hasOwn(data, key)) fields[key] = Reflect.get(data, key);
  }
  for (const key of Object.keys(data)) {
    if (!NODE_KEYS.has(key)) fail(path, `unknown field ${JSON.stringify(key.slice(0, 64))}`);
  }
  return fields;
}

function list(data: unknown, path: string, lengthMax: number): readonly unknown[] {
  if (data === undefined) return [];
  if (!Array.isArray(data)) return fail(path, 'not a list');
  if (data.length > lengthMax) return fail(path, `longer than ${lengthMax}`);
  return data;
}

function positionOf(file: string, data: unknown, path: string): Position {
  const parts = list(data, path, 2);
  return { file, line: count(parts[0], path), column: count(parts[1], path) };
}

function count(data: unknown, path: string): number {
  if (typeof data !== 'number' || !Number.isSafeInteger(data) || data < 1)
    return fail(path, 'not a position');
  return data;
}
