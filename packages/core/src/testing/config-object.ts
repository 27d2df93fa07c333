/** A component's config as a plain object, for tests: what the XML of a start node would say. */
import { type ConfigAttribute, ConfigNode, GENERATED_POSITION } from '../config/index.ts';

/**
 * The value of an attribute: numbers are written in decimal, booleans as `yes` and `no`;
 * `undefined` leaves it out.
 */
export type ConfigScalar = string | number | boolean | undefined;

/**
 * An element: an attribute for each property with a plain value, child elements for each with an
 * object or a list of objects, text for `$text`. `{ greeting: 'Hi', policy: [{ label_prefix: 'a' },
 * { label_prefix: 'b' }] }` is `<config greeting="Hi"> <policy label_prefix="a"/> <policy
 * label_prefix="b"/> </config>`. A config in which the order of elements of different types counts
 * is made of `ConfigNode`s.
 */
export interface ConfigObject {
  readonly [name: string]: ConfigScalar | ConfigObject | readonly ConfigObject[];
}

/** The element of type `type` that `content` describes. */
export function configNode(type: string, content: ConfigObject): ConfigNode {
  const attributes: [string, ConfigAttribute][] = [];
  const children: ConfigNode[] = [];
  let text = '';
  for (const [name, value] of Object.entries(content)) {
    if (value === undefined) continue;
    if (isList(value)) children.push(...value.map((child) => configNode(name, child)));
    else if (typeof value === 'object') children.push(configNode(name, value));
    else if (name === '$text') text = scalarText(value);
    else attributes.push([name, { value: scalarText(value), position: GENERATED_POSITION }]);
  }
  return new ConfigNode(type, { attributes, children, text });
}

function isList(value: ConfigObject[string]): value is readonly ConfigObject[] {
  return Array.isArray(value);
}

function scalarText(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 'yes' : 'no') : `${value}`;
}
