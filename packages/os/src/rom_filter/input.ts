/** What an input finds in the content of its ROM module. */
import type { ConfigNode } from '@ginit/core/config';
import type { InputConfig } from './schema.ts';

/** What an input has: a value, and the node in which it was found. */
export interface Found {
  readonly value: string | undefined;
  readonly node: ConfigNode | undefined;
}

/** The name of the ROM session of an input, and the type that the root of the module must have. */
export function sourceOf({ name, rom = name, node = name }: InputConfig): {
  readonly label: string;
  readonly type: string;
} {
  return { label: rom, type: node };
}

/** What an input has if this is the content of its module; `undefined` if there is none. */
export function findInput(input: InputConfig, content: ConfigNode | undefined): Found {
  const root = content?.type === sourceOf(input).type ? content : undefined;
  return root ? walk(input.$node, root, input.default) : { value: input.default, node: undefined };
}

/** `path` has what leads on: a `<node>`, or an `<attribute>`, or nothing. */
function walk(path: ConfigNode, at: ConfigNode, fallback: string | undefined): Found {
  const attribute = path.child('attribute')?.value('name');
  if (attribute !== undefined) return { value: at.value(attribute) ?? fallback, node: at };
  const step = path.child('node');
  if (!step) return { value: at.text.trim() === '' ? fallback : at.text.trim(), node: at };
  const next = at.children.find((child) => matches(step, child));
  return next ? walk(step, next, fallback) : { value: fallback, node: undefined };
}

function matches(step: ConfigNode, child: ConfigNode): boolean {
  if (child.type !== step.value('type')) return false;
  const attribute = step.value('attribute');
  if (attribute === undefined) return true;
  const wanted = step.value('value');
  const found = child.value(attribute);
  return wanted === undefined ? found !== undefined : found === wanted;
}
