/** Values of attributes as simple types of XML Schema. */
import { type AttributeSchema, ConfigNode } from '@ginit/core/config';

/** The simple type of an attribute that has one of these kinds. */
export function simpleType(kinds: readonly AttributeSchema[]): ConfigNode {
  const types = new Map(kinds.map((kind) => [JSON.stringify(valueForm(kind)), kind]));
  const [first] = types.values();
  if (first === undefined) throw new Error('an attribute of no kind');
  if (types.size === 1) return ofKind(first);
  return ConfigNode.make('xs:simpleType', {}, [
    ConfigNode.make('xs:union', {}, [...types.values()].map(ofKind)),
  ]);
}

/** The part of the schema of an attribute that decides which values it may have. */
function valueForm(schema: AttributeSchema): unknown {
  const { doc: _doc, required: _required, otherwise: _otherwise, fallback: _fallback, ...form } = schema;
  return form;
}

function ofKind(schema: AttributeSchema): ConfigNode {
  switch (schema.kind) {
    case 'text':
    case 'label':
      return restriction('xs:string', []);
    case 'name':
      return restriction('xs:string', [facet('pattern', '[A-Za-z_][A-Za-z0-9_.:\\-]*')]);
    case 'boolean':
      return restriction(
        'xs:string',
        ['yes', 'no', 'true', 'false', 'on', 'off'].map((word) => facet('enumeration', word)),
      );
    case 'bytes':
      return restriction('xs:string', [facet('pattern', '[0-9]{1,19}[KMG]?')]);
    case 'integer':
      return integer(schema);
    case 'one-of':
      return restriction(
        'xs:string',
        schema.values.map((word) =>
          schema.ignoreCase === true ? facet('pattern', anyCase(word)) : facet('enumeration', word),
        ),
      );
  }
}

/** A decimal number within its range, or any hexadecimal one: XML Schema does not know those. */
function integer({
  min,
  max,
}: {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}): ConfigNode {
  const decimal = restriction('xs:integer', [
    facet('pattern', '-?[0-9]{1,19}'),
    ...(min === undefined ? [] : [facet('minInclusive', String(min))]),
    ...(max === undefined ? [] : [facet('maxInclusive', String(max))]),
  ]);
  const hexadecimal = restriction('xs:string', [facet('pattern', '-?0x[0-9A-Fa-f]{1,16}')]);
  return ConfigNode.make('xs:simpleType', {}, [ConfigNode.make('xs:union', {}, [decimal, hexadecimal])]);
}

function anyCase(word: string): string {
  return [...word]
    .map((character) => {
      const [lower, upper] = [character.toLowerCase(), character.toUpperCase()];
      return lower === upper ? character.replace(/[^\w-]/, '\\$&') : `[${lower}${upper}]`;
    })
    .join('');
}

function restriction(base: string, facets: readonly ConfigNode[]): ConfigNode {
  return ConfigNode.make('xs:simpleType', {}, [ConfigNode.make('xs:restriction', { base }, facets)]);
}

function facet(name: string, value: string): ConfigNode {
  return ConfigNode.make(`xs:${name}`, { value });
}
