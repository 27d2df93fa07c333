import { formatValue, parseValue, type Range, valueProblem } from './values.ts';

/*
 * A schema says what a configuration may hold. It checks a tree (`validate`), explains itself
 * (`describe`, `attributeTable`) and is plain data, so that a component's manifest can carry it to
 * whoever checks configs. It is also what the configuration is read by (`readConfig`,
 * `env.config.read`): a value that holds when an attribute is missing stands in the schema and
 * nowhere else. Recursion is by name: a child `enclosing('repeat')` stands for the enclosing
 * element of that type, however many levels up it is.
 *
 *     const REPEAT = element('repeat', 'Runs its children again and again', {
 *       attributes: { count: attribute.integer('How often', { fallback: 1, min: 1 }) },
 *       children: [...OPERATIONS, enclosing('repeat')],
 *     });
 *
 * The makers keep the literal types of what they are given: TypeScript infers the type of a reading
 * from them (`ConfigOf`). A schema that is annotated as `ElementSchema` loses that.
 */

/** The common part of all attribute schemas. */
interface AttributeCommon {
  /** One line for people. */
  readonly doc: string;
  readonly required?: boolean;
  /** Says in words what happens without the attribute, if that is no constant. For people only. */
  readonly otherwise?: string;
}

/** The values that an attribute may have. `fallback` is its value when it is missing. */
export type AttributeSchema = AttributeCommon &
  (
    | { readonly kind: 'text' | 'label' | 'name'; readonly fallback?: string }
    | ({ readonly kind: 'integer' | 'bytes'; readonly fallback?: number } & Range)
    | { readonly kind: 'boolean'; readonly fallback?: boolean }
    | {
        readonly kind: 'one-of';
        readonly values: readonly string[];
        readonly ignoreCase?: boolean;
        readonly fallback?: string;
      }
  );

/** Whether an element may hold text. Blank text is never counted. */
export type TextSchema = 'none' | 'allowed' | 'required';

/** The content that an element may have, and how often it may stand in its parent. */
export interface ElementSchema {
  readonly type: string;
  readonly doc: string;
  readonly attributes?: Readonly<Record<string, AttributeSchema>>;
  /** Children in any order. */
  readonly children?: readonly ChildSchema[];
  readonly text?: TextSchema;
  /** Opaque: attributes, children and text beyond the declared ones are not looked at. */
  readonly anyContent?: boolean;
  /**
   * Least and most occurrences in the parent; none and any number unless told. With `max: 0` the
   * element is known but refused, and `doc` says what to write instead.
   */
  readonly min?: number;
  readonly max?: number;
}

/** Stands for the nearest enclosing element of that type. */
export interface EnclosingSchema {
  readonly enclosing: string;
}

/** A child of an element: its schema, or a reference to an enclosing element. */
export type ChildSchema = ElementSchema | EnclosingSchema;

type ElementParts = Omit<ElementSchema, 'type' | 'doc'>;

/** The options of an attribute besides its kind: it is required, or has a fallback, or neither. */
interface AttributeParts<Value> {
  readonly required?: boolean;
  readonly fallback?: Value;
  readonly otherwise?: string;
}

/*
 * Without parts each maker has a signature of its own: TypeScript would take the type of those that
 * are left out from the place where the result goes, and that knows nothing of them.
 */

/** Makes the schema of an element. */
export function element<const Type extends string>(
  type: Type,
  doc: string,
): { readonly type: Type; readonly doc: string };
export function element<const Type extends string, const Parts extends ElementParts>(
  type: Type,
  doc: string,
  parts: Parts,
): { readonly type: Type; readonly doc: string } & Parts;
export function element(type: string, doc: string, parts?: ElementParts): ElementSchema {
  return Object.assign({ type, doc }, parts);
}

/** A child that is the nearest enclosing element of that type again. */
export function enclosing<const Type extends string>(type: Type): { readonly enclosing: Type } {
  return { enclosing: type };
}

/** Throws `TypeError` for a fallback that could not stand in a config. */
function sound<Schema extends AttributeSchema>(schema: Schema): Schema {
  const problem = fallbackProblem(schema);
  if (problem !== undefined) throw new TypeError(`schema: the fallback ${schema.fallback}, ${problem}`);
  return schema;
}

/**
 * Why the fallback of an attribute could not stand in a config; `undefined` if it could, or there
 * is none.
 */
export function fallbackProblem(schema: AttributeSchema): string | undefined {
  const { fallback, kind } = schema;
  if (fallback === undefined) return undefined;
  const text = formatValue(fallback, kind);
  // Code that no compiler has checked may write the text of a number instead of the number.
  const isOfKind = (): boolean => parseValue(text, schema) === fallback;
  return valueProblem(text, schema) ?? (isOfKind() ? undefined : `which is no value of the kind "${kind}"`);
}

type NumberParts = AttributeParts<number> & Range;

type Kind<Name extends AttributeSchema['kind']> = { readonly kind: Name; readonly doc: string };

function text(doc: string): Kind<'text'>;
function text<const Parts extends AttributeParts<string>>(doc: string, parts: Parts): Kind<'text'> & Parts;
function text(doc: string, parts?: AttributeParts<string>): AttributeSchema {
  return sound(Object.assign({ kind: 'text' as const, doc }, parts));
}

function label(doc: string): Kind<'label'>;
function label<const Parts extends AttributeParts<string>>(doc: string, parts: Parts): Kind<'label'> & Parts;
function label(doc: string, parts?: AttributeParts<string>): AttributeSchema {
  return sound(Object.assign({ kind: 'label' as const, doc }, parts));
}

function name(doc: string): Kind<'name'>;
function name<const Parts extends AttributeParts<string>>(doc: string, parts: Parts): Kind<'name'> & Parts;
function name(doc: string, parts?: AttributeParts<string>): AttributeSchema {
  return sound(Object.assign({ kind: 'name' as const, doc }, parts));
}

function integer(doc: string): Kind<'integer'>;
function integer<const Parts extends NumberParts>(doc: string, parts: Parts): Kind<'integer'> & Parts;
function integer(doc: string, parts?: NumberParts): AttributeSchema {
  return sound(Object.assign({ kind: 'integer' as const, doc }, parts));
}

function bytes(doc: string): Kind<'bytes'>;
function bytes<const Parts extends NumberParts>(doc: string, parts: Parts): Kind<'bytes'> & Parts;
function bytes(doc: string, parts?: NumberParts): AttributeSchema {
  return sound(Object.assign({ kind: 'bytes' as const, doc }, parts));
}

function boolean(doc: string): Kind<'boolean'>;
function boolean<const Parts extends AttributeParts<boolean>>(
  doc: string,
  parts: Parts,
): Kind<'boolean'> & Parts;
function boolean(doc: string, parts?: AttributeParts<boolean>): AttributeSchema {
  return sound(Object.assign({ kind: 'boolean' as const, doc }, parts));
}

type WordParts<Word extends string> = AttributeParts<Word> & { readonly ignoreCase?: boolean };

function oneOf<const Word extends string>(
  doc: string,
  values: readonly Word[],
): Kind<'one-of'> & { readonly values: readonly Word[] };
function oneOf<const Word extends string, const Parts extends WordParts<NoInfer<Word>>>(
  doc: string,
  values: readonly Word[],
  parts: Parts,
): Kind<'one-of'> & { readonly values: readonly Word[] } & Parts;
function oneOf(doc: string, values: readonly string[], parts?: WordParts<string>): AttributeSchema {
  return sound(Object.assign({ kind: 'one-of' as const, values, doc }, parts));
}

/** Makers of attribute schemas. */
export const attribute = { text, label, name, integer, bytes, boolean, oneOf } as const;

/** The attributes by which a `<policy>` selects sessions. See `policy.ts`. */
const POLICY_ATTRIBUTES = {
  label: attribute.label('Sessions with exactly this label'),
  label_prefix: attribute.label('Sessions whose label begins so'),
  label_suffix: attribute.label('Sessions whose label ends so'),
};

/** The children `<policy>` and `<default-policy>` of a server, with what it adds to them. */
export function policyElements<
  const Attributes extends Readonly<Record<string, AttributeSchema>>,
  const Children extends readonly ChildSchema[],
>(attributes: Attributes, ...children: Children) {
  return [
    element('policy', 'What the sessions with a matching label may do', {
      attributes: { ...POLICY_ATTRIBUTES, ...attributes },
      children,
    }),
    element('default-policy', 'What the sessions that no policy matches may do', {
      attributes,
      children,
      max: 1,
    }),
  ] as const;
}
