import type { DocumentContent, DocumentNode } from '../document.ts';
import { ConfigError, type Position } from '../error.ts';
import { CONFIG_LIMITS } from '../limits.ts';
import { shown } from '../values.ts';
import {
  HID_NAME_LENGTH_MAX,
  isHidName,
  namedCharacter,
  unprintableAt,
  unprintableInTextAt,
} from './grammar.ts';

/*
 * HID has no quoting, so there are documents that it cannot hold. The writer refuses them: what
 * Genode's own tool writes then is another document, or none.
 */

const NAME_RULE = `a lower-case letter, then such letters, digits, "_", "-", at most ${HID_NAME_LENGTH_MAX}`;

/**
 * What HID cannot hold of a document, with the places that the document names, in its order. At
 * most `CONFIG_LIMITS.errors` are listed.
 */
export function hidProblems(document: DocumentNode): ConfigError[] {
  const errors: ConfigError[] = [];
  checkNode(document, errors);
  return errors.slice(0, CONFIG_LIMITS.errors);
}

function checkNode(node: DocumentNode, errors: ConfigError[]): void {
  const add = (text: string, position: Position): void => {
    if (errors.length < CONFIG_LIMITS.errors) errors.push(new ConfigError(text, position));
  };
  if (!isHidName(node.type)) add(`HID cannot hold <${node.type}>: a type is ${NAME_RULE}`, node.position);
  for (const [name, { value, position }] of node.attributes) {
    const whose = `attribute "${name}" of <${node.type}>`;
    if (!isHidName(name)) add(`HID cannot hold ${whose}: its name is ${NAME_RULE}`, position);
    const problem = valueProblem(value);
    if (problem !== undefined)
      add(`HID cannot hold ${whose}, which is ${shown(value)}: ${problem}`, position);
  }
  for (const { text, position } of node.comments) checkText('comment', text, position, add);
  for (const part of node.content) checkContent(part, errors, add);
}

function checkContent(
  part: DocumentContent,
  errors: ConfigError[],
  add: (text: string, position: Position) => void,
): void {
  if (part.kind === 'node') checkNode(part, errors);
  else checkText('text', part.text, part.position, add);
}

function checkText(
  what: string,
  text: string,
  position: Position,
  add: (text: string, position: Position) => void,
): void {
  const wrong = unprintableInTextAt(text);
  if (wrong !== -1) add(`HID cannot hold ${namedCharacter(text, wrong)} in this ${what}`, position);
}

function valueProblem(value: string): string | undefined {
  if (value.includes('|')) return 'a "|" ends a value';
  if (value.startsWith(' ') || value.endsWith(' ')) return 'spaces around a value are lost';
  const wrong = unprintableAt(value);
  return wrong === -1 ? undefined : `${namedCharacter(value, wrong)} cannot be in a value`;
}
