import type { ConfigNode } from '@ginit/core/config';

/**
 * Whether two nodes say the same. Their places do not count, because a line that is written above a
 * node moves it; nor does the order of attributes.
 */
export function sameNode(one: ConfigNode | undefined, two: ConfigNode | undefined): boolean {
  if (one === two) return true;
  if (one === undefined || two === undefined) return false;
  if (one.type !== two.type || one.text !== two.text) return false;
  if (one.attributes.size !== two.attributes.size || one.children.length !== two.children.length)
    return false;
  for (const [name, { value }] of one.attributes) if (two.value(name) !== value) return false;
  return one.children.every((child, index) => sameNode(child, two.children[index]));
}
