/**
 * The schemas that configs are checked by, as an XML Schema (XSD 1.0) for editors.
 *
 * XSD cannot choose the type of `<config>` by the `<binary>` beside it. So the content of
 * `<config>` in a start node is anything; but the elements that some stock component has in its
 * config are declared at the top, and a validator that finds one of them there
 * (`processContents="lax"`) looks into it. Such an element may have what it may have in any of the
 * components. The attributes of `<config>` itself are those of all stock components, and any
 * others.
 *
 * Elements may stand in any order and number: XSD cannot say "any order, at most one of this".
 * `ginit check` says it.
 */
import { type AttributeSchema, ConfigNode, defaultOf, type ElementSchema } from '@ginit/core/config';
import {
  attributesOf,
  type AttributeUnion,
  docOf,
  ElementUnions,
  type PlacedElement,
} from './element-union.ts';
import { simpleType } from './values.ts';

/** The schema of the config of a component. */
export interface ComponentSchema {
  readonly component: string;
  readonly schema: ElementSchema;
}

/**
 * The XML Schema of `root`, the config of a whole system, with the configs of the components in it.
 */
export function xsdOf(
  root: ElementSchema,
  components: readonly ComponentSchema[],
  version: string,
): ConfigNode {
  return new XsdWriter(components).schema(root, version);
}

/** Where a start node has the config of its component. */
const CONFIG_OF_START = ['start', 'config'] as const;

class XsdWriter {
  readonly #unions = new ElementUnions();
  readonly #configs: readonly PlacedElement[];
  readonly #types = new Map<string, { readonly name: string; node: ConfigNode | undefined }>();
  readonly #names = new Set<string>();

  constructor(components: readonly ComponentSchema[]) {
    this.#configs = components.map(({ component, schema }) => ({ component, schema, around: [] }));
  }

  schema(root: ElementSchema, version: string): ConfigNode {
    const top: PlacedElement = { component: 'init', schema: root, around: [] };
    // The outermost element keeps its own type, also if a component has one of that name in its
    // config.
    const globals = [...this.#unions.childrenOf(this.#configs)].filter(([type]) => type !== root.type);
    const elements = [
      this.#element(root.type, [top]),
      ...globals.map(([type, union]) => this.#element(type, union)),
    ];
    const types = [...this.#types.values()].flatMap(({ node }) => node ?? []);
    const about = `The config of a system, and the configs of the stock components of ginit ${version}. Made by "ginit schema".`;
    const parts = [annotation(about), ...elements, ...types];
    return ConfigNode.make('xs:schema', { 'xmlns:xs': 'http://www.w3.org/2001/XMLSchema', version }, parts);
  }

  #element(type: string, union: readonly PlacedElement[]): ConfigNode {
    const doc = docOf(union.map(({ component, schema }) => ({ component, doc: schema.doc })));
    return ConfigNode.make('xs:element', { name: type, type: this.#typeOf(type, union) }, [annotation(doc)]);
  }

  /** The name of the type of an element that is one of these. */
  #typeOf(type: string, union: readonly PlacedElement[]): string {
    const key = this.#unions.keyOf(union);
    const known = this.#types.get(key);
    if (known) return known.name;
    const made: { readonly name: string; node: ConfigNode | undefined } = {
      name: this.#fresh(type),
      node: undefined,
    };
    this.#types.set(key, made);
    made.node = this.#complexType(made.name, union);
    return made.name;
  }

  #fresh(type: string): string {
    let name = type;
    for (let number = 2; this.#names.has(name); number++) name = `${type}.${number}`;
    this.#names.add(name);
    return name;
  }

  #complexType(name: string, union: readonly PlacedElement[]): ConfigNode {
    if (union.some(isConfigOfStart)) return this.#configOfStart(name, union);
    const hasText = union.some(({ schema }) => (schema.text ?? 'none') !== 'none');
    const isOpen = union.some(({ schema }) => schema.anyContent === true);
    const children = isOpen
      ? []
      : [...this.#unions.childrenOf(union)].map(([type, each]) => this.#element(type, each));
    const content = isOpen ? [any('skip')] : children;
    return ConfigNode.make('xs:complexType', { name, mixed: hasText || isOpen ? 'true' : undefined }, [
      ...(content.length > 0 ? [choice(content)] : []),
      ...attributesOf(union).map((attribute) => attributeNode(attribute, union)),
      ...(isOpen ? [anyAttribute()] : []),
    ]);
  }

  #configOfStart(name: string, union: readonly PlacedElement[]): ConfigNode {
    const own = new Set(union.flatMap(({ schema }) => Object.keys(schema.attributes ?? {})));
    const stock = attributesOf(this.#configs).filter((attribute) => !own.has(attribute.name));
    return ConfigNode.make('xs:complexType', { name, mixed: 'true' }, [
      choice([any('lax')]),
      ...attributesOf(union).map((attribute) => attributeNode(attribute, union)),
      ...stock.map((attribute) => attributeNode({ ...attribute, required: false }, this.#configs)),
      anyAttribute(),
    ]);
  }
}

function isConfigOfStart({ schema, around }: PlacedElement): boolean {
  const [start, config] = CONFIG_OF_START;
  return schema.type === config && schema.anyContent === true && around.at(-1)?.schema.type === start;
}

function attributeNode(
  { name, kinds, required }: AttributeUnion,
  union: readonly PlacedElement[],
): ConfigNode {
  const says = union.flatMap(({ component, schema }) => {
    const attribute = schema.attributes?.[name];
    return attribute === undefined ? [] : [{ component, doc: attributeDoc(attribute) }];
  });
  return ConfigNode.make('xs:attribute', { name, use: required ? 'required' : undefined }, [
    annotation(docOf(says)),
    simpleType(kinds),
  ]);
}

function attributeDoc(schema: AttributeSchema): string {
  const holds = defaultOf(schema);
  return holds === undefined ? schema.doc : `${schema.doc} (default: ${holds})`;
}

function annotation(doc: string): ConfigNode {
  return ConfigNode.make('xs:annotation', {}, [ConfigNode.make('xs:documentation', {}, doc)]);
}

function choice(content: readonly ConfigNode[]): ConfigNode {
  return ConfigNode.make('xs:choice', { minOccurs: 0, maxOccurs: 'unbounded' }, content);
}

function any(processContents: 'lax' | 'skip'): ConfigNode {
  return ConfigNode.make('xs:any', { processContents });
}

function anyAttribute(): ConfigNode {
  return ConfigNode.make('xs:anyAttribute', { processContents: 'lax' });
}
