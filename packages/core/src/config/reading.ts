import { ConfigError } from './error.ts';
import type { ConfigNode } from './node.ts';
import type { AttributeSchema, ChildSchema, ElementSchema } from './schema.ts';
import { childSchemas, isSelfContained } from './schema-children.ts';
import { validate } from './validate.ts';
import { parseValue, type Value } from './values.ts';

/*
 * Reads a configuration by its schema. The type of the result is inferred from the schema: an
 * attribute is a property of its own name, with the type of its kind. It is there if it is required
 * or has a fallback; otherwise it may be `undefined`. All else is below names that begin with `$`,
 * which no attribute can have.
 *
 *     const CONFIG = element('config', 'Says hello', {
 *       attributes: { greeting: attribute.text('What to say', { fallback: 'Hello' }) },
 *       children: [element('friend', 'Somebody', { attributes: { name: attribute.text('…', { required: true }) } })],
 *     });
 *     const config = readConfig(node, CONFIG);
 *     config.greeting;                                            // string
 *     config.$children.friend.map(({ name }) => name);            // string[]
 *     throw config.$node.errorAt('too loud', 'greeting');         // with the place of the attribute
 */

/** Strict readings are of sound configs; in tolerant ones whatever is required may be missing. */
type Mode = 'strict' | 'tolerant';

/** The result of `readConfig` for a config with this schema. */
export type ConfigOf<Schema extends ElementSchema> = Reading<Schema, Schema, 'strict'>;

/** The result of `inspectConfig` for a config with this schema that may have errors. */
export type TolerantConfigOf<Schema extends ElementSchema> = Reading<Schema, Schema, 'tolerant'>;

/** `Path` is the union of the schemas of the enclosing elements, this one included. */
type Reading<Schema extends ElementSchema, Path, M extends Mode> = AttributesOf<Schema, M> & {
  /** The type of the element. */
  readonly $type: Schema['type'];
  /**
   * The element itself: its place, the places of its attributes, its text, and what the schema does
   * not know.
   */
  readonly $node: ConfigNode;
  /** Its children by their type: one or `undefined` of those that may stand once, else a list. */
  readonly $children: ChildrenOf<Schema, Path, M>;
  /** Its children in the order of the document; `$type` tells them apart. */
  readonly $content: readonly ContentOf<Schema, Path, M>[];
};

type AttributesOf<Schema extends ElementSchema, M extends Mode> = Schema extends {
  readonly attributes: infer Attributes extends Readonly<Record<string, AttributeSchema>>;
}
  ? { readonly [Name in keyof Attributes]: AttributeOf<Attributes[Name], M> }
  : unknown;

type AttributeOf<Schema extends AttributeSchema, M extends Mode> = Schema extends {
  readonly fallback: Value;
}
  ? ValueOf<Schema>
  : M extends 'tolerant'
    ? ValueOf<Schema> | undefined
    : Schema extends { readonly required: true }
      ? ValueOf<Schema>
      : ValueOf<Schema> | undefined;

type ValueOf<Schema extends AttributeSchema> = Schema extends { readonly kind: 'integer' | 'bytes' }
  ? number
  : Schema extends { readonly kind: 'boolean' }
    ? boolean
    : Schema extends { readonly kind: 'one-of'; readonly values: readonly (infer Word)[] }
      ? Word
      : string;

/** The schemas of the children, `enclosing` resolved, without those that are refused. */
type ElementsOf<Schema extends ElementSchema, Path> = Schema extends {
  readonly children: readonly (infer Child extends ChildSchema)[];
}
  ? Exclude<Resolved<Child, Path>, { readonly max: 0 }>
  : 'children' extends keyof Schema
    ? ElementSchema
    : never;

type Resolved<Child extends ChildSchema, Path> = Child extends ElementSchema
  ? Child
  : Child extends { readonly enclosing: infer Type }
    ? Extract<Path, ElementSchema & { readonly type: Type }>
    : never;

type ChildrenOf<Schema extends ElementSchema, Path, M extends Mode> = {
  readonly [Child in ElementsOf<Schema, Path> as Child['type']]: Occurring<
    Child,
    Reading<Child, Path | Child, M>,
    M
  >;
};

type Occurring<Child extends ElementSchema, Read, M extends Mode> = Child extends { readonly max: 1 }
  ? Child extends { readonly min: 1 }
    ? M extends 'tolerant'
      ? Read | undefined
      : Read
    : Read | undefined
  : Child extends { readonly max: infer Max }
    ? ManyOrAny<Max, Read>
    : 'max' extends keyof Child
      ? AnyOccurring<Read>
      : readonly Read[];

/** A bound whose value the compiler does not know may be 1 or more. */
type ManyOrAny<Max, Read> = number extends Max ? AnyOccurring<Read> : readonly Read[];
type AnyOccurring<Read> = Read | readonly Read[] | undefined;

type ContentOf<Schema extends ElementSchema, Path, M extends Mode> =
  ElementsOf<Schema, Path> extends infer Child
    ? Child extends ElementSchema
      ? Reading<Child, Path | Child, M>
      : never
    : never;

/** The same without types from a schema: the object that is made at run time. */
interface AnyReading {
  readonly $type: string;
  readonly $node: ConfigNode;
  readonly $children: Readonly<Record<string, AnyReading | readonly AnyReading[] | undefined>>;
  readonly $content: readonly AnyReading[];
  readonly [attribute: string]: unknown;
}

/**
 * Reads a tree that fits its schema. Throws a `ConfigError` with the place of the first thing, in
 * the order of the document, that is wrong anywhere in it.
 */
export function readConfig<Schema extends ElementSchema>(node: ConfigNode, schema: Schema): ConfigOf<Schema>;
export function readConfig(node: ConfigNode, schema: ElementSchema): AnyReading {
  const [error] = validate(node, schema);
  if (error !== undefined) throw error;
  return read(node, schema, []);
}

/** Everything that is wrong with a tree, and what can be read of it all the same. */
export interface Inspection<Schema extends ElementSchema> {
  /** In the order of the document. */
  readonly errors: ConfigError[];
  /** A malformed value counts as a missing one, and of what may stand once the first counts. */
  readonly config: TolerantConfigOf<Schema>;
}

/**
 * Reads as much of a tree as there is to be read, for a checker that wants to list all that is
 * wrong.
 */
export function inspectConfig<Schema extends ElementSchema>(
  node: ConfigNode,
  schema: Schema,
): Inspection<Schema>;
export function inspectConfig(
  node: ConfigNode,
  schema: ElementSchema,
): { readonly errors: ConfigError[]; readonly config: AnyReading } {
  return { errors: validate(node, schema), config: read(node, schema, []) };
}

/**
 * What was read of elements, with the schema by which it was read. A new version of a config shares
 * most of its elements with the one before (`sharing`).
 */
const KNOWN = new WeakMap<ConfigNode, { readonly schema: ElementSchema; readonly reading: AnyReading }>();

function read(node: ConfigNode, schema: ElementSchema, around: readonly ElementSchema[]): AnyReading {
  const known = KNOWN.get(node);
  if (known?.schema === schema) return known.reading;
  const reading = readAnew(node, schema, [...around, schema]);
  if (isSelfContained(schema)) KNOWN.set(node, { schema, reading });
  return reading;
}

function readAnew(node: ConfigNode, schema: ElementSchema, path: readonly ElementSchema[]): AnyReading {
  const known = childSchemas(schema, path);
  const content: AnyReading[] = [];
  const lists = new Map<string, AnyReading[]>();
  for (const child of node.children) {
    const found = known.get(child.type);
    if (found === undefined || found.max === 0) continue;
    const reading = read(child, found, path);
    content.push(reading);
    const list = lists.get(child.type);
    if (list) list.push(reading);
    else lists.set(child.type, [reading]);
  }
  const children: [string, AnyReading | readonly AnyReading[] | undefined][] = [];
  for (const { type, max } of known.values()) {
    if (max === 0) continue;
    const all = lists.get(type) ?? [];
    children.push([type, max === 1 ? all[0] : all]);
  }
  const attributes = Object.entries(schema.attributes ?? {}).map(
    ([name, expected]) => [name, attributeOf(node, name, expected)] as const,
  );
  return {
    ...Object.fromEntries(attributes),
    $type: node.type,
    $node: node,
    $children: Object.fromEntries(children),
    $content: content,
  };
}

function attributeOf(node: ConfigNode, name: string, schema: AttributeSchema): Value | undefined {
  const text = node.value(name);
  return (text === undefined ? undefined : parseValue(text, schema)) ?? schema.fallback;
}
