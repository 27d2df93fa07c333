import { CONFIG_LIMITS, validName } from './limits.ts';
import {
  type AttributeSchema,
  type ChildSchema,
  type ElementSchema,
  fallbackProblem,
  type TextSchema,
} from './schema.ts';

/*
 * Reads a schema that came with a component's manifest. A component may be anybody's code, so its
 * schema is checked and copied like any other input before a config is checked against it.
 */

/** Bounds of a schema that came from outside. */
export const SCHEMA_LIMITS = {
  depth: 16,
  elements: 2000,
  attributes: 100,
  values: 100,
  docLength: 2000,
} as const;

/** Data that is no schema; `message` names the part. */
export class SchemaDataError extends Error {
  override readonly name = 'SchemaDataError';
}

/**
 * Makes a schema of plain data; throws `SchemaDataError` for anything that is not one within the
 * limits.
 */
export function schemaFromData(data: unknown): ElementSchema {
  return new SchemaReader().element(data, 'schema', []);
}

class SchemaReader {
  private elements = 0;

  element(data: unknown, path: string, around: readonly string[]): ElementSchema {
    this.elements++;
    if (this.elements > SCHEMA_LIMITS.elements) fail(path, `more than ${SCHEMA_LIMITS.elements} elements`);
    if (around.length >= SCHEMA_LIMITS.depth) fail(path, `nested deeper than ${SCHEMA_LIMITS.depth}`);
    const fields = object(data, path);
    const type = name(fields['type'], `${path}.type`);
    const inside = [...around, type];
    const children = optional(fields['children'], (value) =>
      this.children(value, `${path}.children`, inside),
    );
    return {
      type,
      doc: text(fields['doc'], `${path}.doc`),
      ...defined(
        'attributes',
        optional(fields['attributes'], (value) => attributes(value, `${path}.attributes`)),
      ),
      ...defined('children', children),
      ...defined(
        'text',
        optional(fields['text'], (value) => textSchema(value, `${path}.text`)),
      ),
      ...defined(
        'anyContent',
        optional(fields['anyContent'], (value) => flag(value, `${path}.anyContent`)),
      ),
      ...defined(
        'min',
        optional(fields['min'], (value) => count(value, `${path}.min`)),
      ),
      ...defined(
        'max',
        optional(fields['max'], (value) => count(value, `${path}.max`)),
      ),
    };
  }

  private children(data: unknown, path: string, around: readonly string[]): ChildSchema[] {
    return list(data, path, SCHEMA_LIMITS.elements).map((child, index) => {
      const at = `${path}[${index}]`;
      const fields = object(child, at);
      if (fields['enclosing'] === undefined) return this.element(child, at, around);
      const type = name(fields['enclosing'], `${at}.enclosing`);
      return around.includes(type) ? { enclosing: type } : fail(at, `no enclosing <${type}>`);
    });
  }
}

function attributes(data: unknown, path: string): Record<string, AttributeSchema> {
  const entries = Object.entries(object(data, path));
  if (entries.length > SCHEMA_LIMITS.attributes) fail(path, `more than ${SCHEMA_LIMITS.attributes}`);
  return Object.fromEntries(
    entries.map(([key, value]) => [name(key, path), attributeSchema(value, `${path}.${key.slice(0, 64)}`)]),
  );
}

function attributeSchema(data: unknown, path: string): AttributeSchema {
  const fields = object(data, path);
  const part = <K extends string, T>(key: K, read: (value: unknown, path: string) => T): { [P in K]?: T } =>
    defined(
      key,
      optional(fields[key], (value) => read(value, `${path}.${key}`)),
    );
  const common = {
    doc: text(fields['doc'], `${path}.doc`),
    ...part('required', flag),
    ...part('otherwise', text),
  };
  const make = (): AttributeSchema => {
    const { kind } = fields;
    switch (kind) {
      case 'text':
      case 'label':
      case 'name':
        return { kind, ...common, ...part('fallback', text) };
      case 'boolean':
        return { kind, ...common, ...part('fallback', flag) };
      case 'integer':
      case 'bytes':
        return {
          kind,
          ...common,
          ...part('min', integer),
          ...part('max', integer),
          ...part('fallback', integer),
        };
      case 'one-of': {
        const values = list(fields['values'], `${path}.values`, SCHEMA_LIMITS.values);
        return {
          kind,
          ...common,
          values: values.map((value) => text(value, `${path}.values`)),
          ...part('ignoreCase', flag),
          ...part('fallback', text),
        };
      }
      default:
        return fail(path, 'unknown kind');
    }
  };
  const schema = make();
  const problem = fallbackProblem(schema);
  return problem === undefined ? schema : fail(`${path}.fallback`, problem);
}

function fail(path: string, problem: string): never {
  throw new SchemaDataError(`${path.slice(-200)}: ${problem}`);
}

function optional<T>(data: unknown, read: (data: unknown) => T): T | undefined {
  return data === undefined ? undefined : read(data);
}

/** An optional field: left out rather than `undefined`. */
function defined<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  const part: { [P in K]?: T } = {};
  if (value !== undefined) part[key] = value;
  return part;
}

function object(data: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return fail(path, 'not an object');
  return Object.fromEntries(Object.entries(data));
}

function list(data: unknown, path: string, lengthMax: number): readonly unknown[] {
  if (!Array.isArray(data)) return fail(path, 'not a list');
  return data.length > lengthMax ? fail(path, `longer than ${lengthMax}`) : data;
}

function text(data: unknown, path: string): string {
  if (typeof data !== 'string' || data.length > SCHEMA_LIMITS.docLength)
    return fail(path, 'not a short text');
  return data;
}

function name(data: unknown, path: string): string {
  return typeof data === 'string' && validName(data) ? data : fail(path, 'not a name');
}

function flag(data: unknown, path: string): boolean {
  return typeof data === 'boolean' ? data : fail(path, 'not a boolean');
}

function integer(data: unknown, path: string): number {
  return typeof data === 'number' && Number.isSafeInteger(data) ? data : fail(path, 'not a whole number');
}

function count(data: unknown, path: string): number {
  const value = integer(data, path);
  return value >= 0 && value <= CONFIG_LIMITS.nodes ? value : fail(path, 'not a count');
}

function textSchema(data: unknown, path: string): TextSchema {
  return data === 'none' || data === 'allowed' || data === 'required'
    ? data
    : fail(path, 'not none, allowed or required');
}
