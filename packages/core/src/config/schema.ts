import type { Range, ValueKind } from './values.ts';

/*
 * A schema says what a configuration may hold: it checks a tree (`validate`), explains itself (`describe`)
 * and is plain data, so that a component's manifest can carry it to whoever checks configs. Recursion is by
 * name: a child `enclosing('repeat')` stands for the enclosing element of that type, however many levels up
 * it is.
 *
 *     const repeat = element('repeat', 'Runs its children again and again', {
 *       attributes: { count: attribute.integer('How often', { required: true, min: 1 }) },
 *       children: [...operations, enclosing('repeat')],
 *     });
 */

/** What one attribute may hold. */
export type AttributeSchema = ValueKind & {
  /** One line for people. */
  readonly doc: string;
  readonly required?: boolean;
  /** What holds when the attribute is missing, for the help text only. */
  readonly fallback?: string;
};

/** Whether an element may hold text. Blank text is never counted. */
export type TextSchema = 'none' | 'allowed' | 'required';

/** What one element may hold, and how often it may stand in its parent. */
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
   * Least and most occurrences in the parent; none and any number unless told. With `max: 0` the element is
   * known but refused, and `doc` says what to write instead.
   */
  readonly min?: number;
  readonly max?: number;
}

/** Stands for the nearest enclosing element of that type. */
export interface EnclosingSchema {
  readonly enclosing: string;
}

export type ChildSchema = ElementSchema | EnclosingSchema;

type ElementParts = Omit<ElementSchema, 'type' | 'doc'>;
type AttributeParts = { readonly required?: boolean; readonly fallback?: string };

/** Makes the schema of an element. */
export function element(type: string, doc: string, parts: ElementParts = {}): ElementSchema {
  return { type, doc, ...parts };
}

/** A child that is the nearest enclosing element of that type again. */
export function enclosing(type: string): EnclosingSchema {
  return { enclosing: type };
}

/** Makers of attribute schemas. */
export const attribute = {
  text: (doc: string, parts: AttributeParts = {}): AttributeSchema => ({ kind: 'text', doc, ...parts }),
  integer: (doc: string, parts: AttributeParts & Range = {}): AttributeSchema => ({
    kind: 'integer',
    doc,
    ...parts,
  }),
  bytes: (doc: string, parts: AttributeParts & Range = {}): AttributeSchema => ({
    kind: 'bytes',
    doc,
    ...parts,
  }),
  boolean: (doc: string, parts: AttributeParts = {}): AttributeSchema => ({ kind: 'boolean', doc, ...parts }),
  label: (doc: string, parts: AttributeParts = {}): AttributeSchema => ({ kind: 'label', doc, ...parts }),
  name: (doc: string, parts: AttributeParts = {}): AttributeSchema => ({ kind: 'name', doc, ...parts }),
  oneOf: (
    doc: string,
    values: readonly string[],
    parts: AttributeParts & { readonly ignoreCase?: boolean } = {},
  ): AttributeSchema => ({
    kind: 'one-of',
    values,
    doc,
    ...parts,
  }),
} as const;

/**
 * The attributes by which a `<policy>` selects sessions; to be spread into a policy's own. See `policy.ts`.
 */
export const policyAttributes: Readonly<Record<string, AttributeSchema>> = {
  label: attribute.label('Sessions with exactly this label'),
  label_prefix: attribute.label('Sessions whose label begins so'),
  label_suffix: attribute.label('Sessions whose label ends so'),
};

/** The children `<policy>` and `<default-policy>` of a server, with what it adds to them. */
export function policyElements(
  attributes: Readonly<Record<string, AttributeSchema>>,
  children: readonly ChildSchema[] = [],
): ElementSchema[] {
  return [
    element('policy', 'What the sessions with a matching label may do', {
      attributes: { ...policyAttributes, ...attributes },
      children,
    }),
    element('default-policy', 'What the sessions that no policy matches may do', {
      attributes,
      children,
      max: 1,
    }),
  ];
}
