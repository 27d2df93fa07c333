import { ConfigError, GENERATED_POSITION, type Position } from './error.ts';

/** The text of an attribute and the place of its name. */
export interface ConfigAttribute {
  readonly value: string;
  readonly position: Position;
}

/** The parts of a node. All but the type may be left out. */
export interface ConfigNodeParts {
  readonly position?: Position;
  readonly attributes?: Iterable<readonly [string, ConfigAttribute]>;
  readonly children?: readonly ConfigNode[];
  readonly text?: string;
  readonly textPosition?: Position;
}

/**
 * A node of a configuration: a type, attributes, children and text, each with its place. Nothing
 * behind this class knows what syntax it was written in.
 *
 * A node gives texts as they were written; `readConfig` gives what they mean by a schema. Blank
 * text beside children is layout, not content, and is dropped.
 */
export class ConfigNode {
  readonly type: string;
  readonly position: Position;
  readonly attributes: ReadonlyMap<string, ConfigAttribute>;
  readonly children: readonly ConfigNode[];
  readonly text: string;
  /** Where the text begins; where the node begins if it has none. */
  readonly textPosition: Position;

  constructor(type: string, parts: ConfigNodeParts = {}) {
    const { children = [], text = '' } = parts;
    this.type = type;
    this.position = parts.position ?? GENERATED_POSITION;
    this.attributes = new Map(parts.attributes ?? []);
    this.children = children;
    this.text = children.length > 0 && text.trim() === '' ? '' : text;
    this.textPosition = parts.textPosition ?? this.position;
  }

  /** A node without content, what a component sees that was given no configuration. */
  static empty(type: string): ConfigNode {
    return new ConfigNode(type);
  }

  /**
   * A node made by a program, for example a report: numbers are written in decimal, booleans as yes
   * or no, and attributes that are `undefined` are left out.
   */
  static make(
    type: string,
    attributes: Readonly<Record<string, string | number | boolean | undefined>> = {},
    content: readonly ConfigNode[] | string = [],
  ): ConfigNode {
    const entries: [string, ConfigAttribute][] = [];
    for (const [name, value] of Object.entries(attributes)) {
      if (value === undefined) continue;
      const text = typeof value === 'boolean' ? (value ? 'yes' : 'no') : `${value}`;
      entries.push([name, { value: text, position: GENERATED_POSITION }]);
    }
    if (typeof content === 'string') return new ConfigNode(type, { attributes: entries, text: content });
    return new ConfigNode(type, { attributes: entries, children: content });
  }

  /** The same node with other children. */
  withChildren(children: readonly ConfigNode[]): ConfigNode {
    const { position, attributes, text, textPosition } = this;
    return new ConfigNode(this.type, { position, attributes, children, text, textPosition });
  }

  /** Tells whether the attribute is there. */
  has(name: string): boolean {
    return this.attributes.has(name);
  }

  /** The attribute's text, `undefined` if it is missing. */
  value(name: string): string | undefined {
    return this.attributes.get(name)?.value;
  }

  /** The first child of that type. */
  child(type: string): ConfigNode | undefined {
    return this.children.find((child) => child.type === type);
  }

  /** All children of that type, in the order of the document. */
  childrenOf(type: string): ConfigNode[] {
    return this.children.filter((child) => child.type === type);
  }

  /** An error at the node, or at one of its attributes if it has that. */
  errorAt(text: string, attribute?: string): ConfigError {
    return new ConfigError(text, this.positionOf(attribute));
  }

  /** The place of an attribute, or of the node itself. */
  positionOf(attribute?: string): Position {
    if (attribute === undefined) return this.position;
    return this.attributes.get(attribute)?.position ?? this.position;
  }
}
