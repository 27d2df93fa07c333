import type { ChildSchema, ElementSchema } from './schema.ts';

/** The children of an element by their type. */
export type ChildSchemas = ReadonlyMap<string, ElementSchema>;

/** Those of the schemas whose children are the same wherever they stand. */
const known = new WeakMap<ElementSchema, ChildSchemas>();
const selfContained = new WeakMap<ElementSchema, boolean>();

/**
 * The children of an element by their type, with `enclosing` resolved against the path down to the
 * element.
 */
export function childSchemas(schema: ElementSchema, path: readonly ElementSchema[]): ChildSchemas {
  const found = known.get(schema);
  if (found) return found;
  const children = new Map<string, ElementSchema>();
  for (const child of schema.children ?? []) {
    const resolved = resolveChild(child, path);
    children.set(resolved.type, resolved);
  }
  if (!schema.children?.some((child) => 'enclosing' in child)) known.set(schema, children);
  return children;
}

/** Whether a schema means the same wherever it stands: nothing in it is an enclosing element. */
export function isSelfContained(schema: ElementSchema): boolean {
  let found = selfContained.get(schema);
  if (found === undefined) {
    found = (schema.children ?? []).every((child) => !('enclosing' in child) && isSelfContained(child));
    selfContained.set(schema, found);
  }
  return found;
}

function resolveChild(child: ChildSchema, path: readonly ElementSchema[]): ElementSchema {
  if (!('enclosing' in child)) return child;
  const found = path.findLast((schema) => schema.type === child.enclosing);
  if (found === undefined) throw new Error(`schema: no enclosing <${child.enclosing}>`);
  return found;
}
