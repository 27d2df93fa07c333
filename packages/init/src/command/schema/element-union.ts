/**
 * Elements that may be one of several, because a schema of XML cannot see which component a config
 * is for.
 */
import type { AttributeSchema, ElementSchema } from '@ginit/core/config';

/** An element in the schema of one component. */
export interface PlacedElement {
  /** The component whose schema it is. */
  readonly component: string;
  readonly schema: ElementSchema;
  /** The elements around it, the outermost first. */
  readonly around: readonly PlacedElement[];
}

/** An attribute, with all that the components say of it. */
export interface AttributeUnion {
  readonly name: string;
  readonly kinds: readonly AttributeSchema[];
  /** Whether none of the elements can do without it. */
  readonly required: boolean;
}

/**
 * Keeps each element of each schema as one object, so that elements that hold each other come to an
 * end.
 */
export class ElementUnions {
  readonly #children = new Map<PlacedElement, readonly PlacedElement[]>();
  readonly #numbers = new Map<PlacedElement, number>();

  /** The elements in an element, by their types, in the order of the schemas. */
  childrenOf(union: readonly PlacedElement[]): ReadonlyMap<string, readonly PlacedElement[]> {
    const found = new Map<string, PlacedElement[]>();
    for (const child of union.flatMap((element) => this.#childrenOf(element))) {
      const { type } = child.schema;
      const same = found.get(type) ?? [];
      if (!same.includes(child)) same.push(child);
      found.set(type, same);
    }
    return found;
  }

  /** A text that is the same for the same elements only. */
  keyOf(union: readonly PlacedElement[]): string {
    return union
      .map((element) => this.#numberOf(element))
      .toSorted((a, b) => a - b)
      .join(' ');
  }

  #numberOf(element: PlacedElement): number {
    const number = this.#numbers.get(element) ?? this.#numbers.size;
    this.#numbers.set(element, number);
    return number;
  }

  #childrenOf(element: PlacedElement): readonly PlacedElement[] {
    const known = this.#children.get(element);
    if (known) return known;
    const { component, schema, around } = element;
    const path = [...around, element];
    const children = (schema.children ?? []).flatMap((child): PlacedElement[] => {
      if (!('enclosing' in child)) return child.max === 0 ? [] : [{ component, schema: child, around: path }];
      const found = path.findLast((each) => each.schema.type === child.enclosing);
      return found === undefined ? [] : [found];
    });
    this.#children.set(element, children);
    return children;
  }
}

/** The attributes of the elements, each once. */
export function attributesOf(union: readonly PlacedElement[]): AttributeUnion[] {
  const names = new Set(union.flatMap(({ schema }) => Object.keys(schema.attributes ?? {})));
  return [...names].map((name) => {
    const kinds = union.flatMap(({ schema }) => schema.attributes?.[name] ?? []);
    const required = kinds.length === union.length && kinds.every((kind) => kind.required === true);
    return { name, kinds, required };
  });
}

/**
 * What is said of the elements, or of an attribute of theirs: each text once, with the components
 * that say it if they differ.
 */
export function docOf(says: readonly { readonly component: string; readonly doc: string }[]): string {
  const by = new Map<string, Set<string>>();
  for (const { component, doc } of says) by.set(doc, (by.get(doc) ?? new Set()).add(component));
  if (by.size <= 1) return says[0]?.doc ?? '';
  return [...by].map(([doc, components]) => `${[...components].join(', ')}: ${doc}`).join('\n');
}
