import type { ConfigNode } from './node.ts';
import type { Position } from './error.ts';

/**
 * The tree `now`, made of the elements of `before` wherever the two are the same, with their
 * places. Whoever remembers things by element has to look at the other ones only. A tree of the
 * same content at the same places is `before` itself.
 */
export function sharing(before: ConfigNode | undefined, now: ConfigNode): ConfigNode {
  if (before === undefined || before === now) return now;
  const children = now.children.map((child, index) => sharing(before.children[index], child));
  if (isSame(before, now, children)) return before;
  const isNew = children.every((child, index) => child === now.children[index]);
  return isNew ? now : now.withChildren(children);
}

function isSame(before: ConfigNode, now: ConfigNode, children: readonly ConfigNode[]): boolean {
  return (
    before.type === now.type &&
    before.text === now.text &&
    samePlace(before.position, now.position) &&
    samePlace(before.textPosition, now.textPosition) &&
    before.children.length === children.length &&
    children.every((child, index) => child === before.children[index]) &&
    sameAttributes(before, now)
  );
}

function sameAttributes({ attributes: before }: ConfigNode, { attributes: now }: ConfigNode): boolean {
  if (before.size !== now.size) return false;
  // Their order counts, too: errors are listed in it.
  const others = before.entries();
  for (const [name, { value, position }] of now) {
    const other = others.next().value;
    if (other === undefined || other[0] !== name || other[1].value !== value) return false;
    if (!samePlace(other[1].position, position)) return false;
  }
  return true;
}

function samePlace(one: Position, other: Position): boolean {
  return one.line === other.line && one.column === other.column && one.file === other.file;
}
