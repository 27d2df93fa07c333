import { ConfigError } from '../error.ts';
import { CONFIG_LIMITS } from '../limits.ts';
import { ConfigNode } from '../node.ts';
import type { DocumentText } from '../document.ts';
import { addAttribute, addText, Draft, type DraftNode, hasText } from './draft.ts';
import { HID_NAME_LENGTH_MAX, namedCharacter } from './grammar.ts';
import { columnAt, failAt, firstInk, type HidLine, linesOf, withoutTail } from './lines.ts';
import { untilEnd } from './read.ts';
import { isWholeRest } from './segments.ts';

/*
 * Reads HID as the runtime of Genode 26.02 does, for content that others have made. What the
 * runtime ignores is ignored here, and what makes a text invalid for it is an error. Its known
 * fault with columns is copied, because the components of a system must agree on what a ROM says:
 * see `isWithin`.
 */

const NAME_AT_START = /^[a-z][a-z0-9_-]*/;
/** A tag that ends the name of a node: a space, or the end, follows its colon. */
const SPACED_TAG_AT_START = /^[a-z][a-z0-9_-]*:(?= |$)/;
const TAG_AT_START = /^[a-z][a-z0-9_-]*:/;
/** A node whose type cannot be read has this one. */
const INVALID_TYPE = 'invalid';
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f]/;
// oxlint-disable-next-line no-control-regex
const CONTROL_IN_TEXT = /[\u0000-\u0008\u000a-\u001f]/;

/**
 * Reads a HID text by the rules of Genode's runtime; `file` is the name for its places. Throws a
 * `ConfigError` if the runtime would find the whole of it invalid, or for a bound of
 * `CONFIG_LIMITS`.
 */
export function readRelaxedHid(source: string | Uint8Array, file: string): ConfigNode {
  let draft: Draft | undefined;
  let last: HidLine | undefined;
  for (const line of linesOf(untilEnd(source, file), file)) {
    last = line;
    if (draft === undefined) {
      const start = line.text.search(/[^ \t]/);
      if (start !== -1) draft = readTop(line, start);
    } else if (line.text.startsWith('-')) return treeOf(draft.top);
    else readLine(draft, line);
  }
  if (draft === undefined) throw new ConfigError('the text is empty', { file, line: 1, column: 1 });
  const end = last ?? draft.top.line;
  return failAt(end, end.text.length, 'the end of the text is missing: a last line that begins with "-"');
}

function readTop(line: HidLine, start: number): Draft {
  const type = NAME_AT_START.exec(line.text.slice(start, start + CONFIG_LIMITS.nameLength * 2))?.[0];
  if (type === undefined) return failAt(line, start, 'the text begins with the type of its top node');
  const draft = new Draft(cut(type), { line, offset: start });
  const bar = line.text.indexOf('|', start);
  const end = bar === -1 ? line.text.length : bar;
  readHead(draft.top, line, start + type.length, end);
  if (bar !== -1) readSegments(draft, line, bar + 1);
  return draft;
}

function readLine(draft: Draft, line: HidLine): void {
  const { text } = line;
  const start = text.search(/[^ |]/);
  if (start === -1) return;
  // A word in column 0 would be a second top node: its line does not count.
  if (start === 0 && !/^(?:[+x:.] |[:.]$)/.test(text) && !TAG_AT_START.test(text)) {
    checkControls(line, 0, text, CONTROL);
    return;
  }
  readSegments(draft, line, start);
}

function readSegments(draft: Draft, line: HidLine, from: number): void {
  const { text } = line;
  for (let offset = firstInk(text, from); offset < text.length; ) {
    if (isWholeRest(text, offset)) {
      const rest = text.slice(offset);
      checkControls(line, offset, rest, CONTROL_IN_TEXT);
      if (rest.startsWith(':')) addText(draft.last, rest.slice(2), { line, offset: offset + 1 });
      return;
    }
    const bar = text.indexOf('|', offset);
    const end = bar === -1 ? text.length : bar;
    readSegment(draft, line, offset, end);
    if (bar === -1) return;
    offset = firstInk(text, bar + 1);
  }
}

function readSegment(draft: Draft, line: HidLine, offset: number, end: number): void {
  const segment = line.text.slice(offset, end);
  checkControls(line, offset, segment, CONTROL);
  if (segment.startsWith('+ ') || segment.startsWith('x ')) {
    const start = firstInk(line.text, offset + 2);
    const type = NAME_AT_START.exec(line.text.slice(start, end))?.[0];
    const spot = { line, offset };
    const depth = depthOf(draft, line, columnAt(line, offset));
    const node = draft.openNode(cut(type ?? INVALID_TYPE), segment.startsWith('x'), spot, depth);
    if (type !== undefined) readHead(node, line, start + type.length, end);
    return;
  }
  readAttribute(draft.last, line, offset, end);
}

/** Reads a name, or an attribute without a bar before it, behind the type of a node. */
function readHead(node: DraftNode, line: HidLine, from: number, end: number): void {
  checkControls(line, from, line.text.slice(from, end), CONTROL);
  // Behind a type that goes on with other characters nothing counts.
  if (line.text.charAt(from) !== ' ') return;
  const start = firstInk(line.text, from);
  const name = withoutTail(line.text.slice(start, end));
  if (SPACED_TAG_AT_START.test(name)) readAttribute(node, line, start, end);
  else if (name !== '') addAttribute(node, 'name', name, { line, offset: start });
}

function readAttribute(node: DraftNode, line: HidLine, offset: number, end: number): void {
  const segment = withoutTail(line.text.slice(offset, end));
  const tag = TAG_AT_START.exec(segment)?.[0].slice(0, -1);
  if (tag === undefined || hasText(node)) return;
  const name = cut(tag);
  // Of an attribute that is given twice the first counts.
  if (node.attributes.has(name)) return;
  const behind = tag.length + 1;
  const value = segment.charAt(behind) === ' ' ? segment.slice(firstInk(segment, behind)) : '';
  addAttribute(node, name, value, { line, offset });
}

function cut(name: string): string {
  return name.slice(0, HID_NAME_LENGTH_MAX);
}

function checkControls(line: HidLine, offset: number, text: string, controls: RegExp): void {
  const wrong = text.search(controls);
  if (wrong !== -1)
    failAt(line, offset + wrong, `${namedCharacter(text, wrong)} makes the whole text invalid`);
}

/** How many of the open nodes the node that begins in this column lies in. */
function depthOf(draft: Draft, line: HidLine, column: number): number {
  const { open } = draft;
  let depth = 1;
  for (; depth < open.length; depth++) {
    const [parent, child] = [open[depth - 1], open[depth]];
    if (!parent || !child || !isWithin(parent, child, line, column)) break;
  }
  return depth;
}

/**
 * Whether a node in this line and column lies in `child`, the last one of `parent` so far. For a
 * line behind that of `parent`, the runtime counts the columns of what follows `parent` in its line
 * from the type of `parent`, not from the start of the line. So it takes a node below a merged one
 * for a part of that, though it stands no further right.
 */
function isWithin(parent: DraftNode, child: DraftNode, line: HidLine, column: number): boolean {
  const isMerged = parent.column >= 0 && child.line.number === parent.line.number;
  if (isMerged && line.number !== child.line.number) return column + 2 > child.column - parent.column;
  return column > child.column;
}

function treeOf(draft: DraftNode): ConfigNode {
  const children = nodesOf(draft).filter(({ disabled }) => !disabled);
  // The runtime sees the text only of a node without enabled sub nodes, that of disabled ones
  // included.
  const lines = children.length > 0 ? [] : textOf(draft);
  const [first] = lines;
  return new ConfigNode(draft.type, {
    position: draft.position,
    attributes: draft.attributes,
    children: children.map(treeOf),
    text: lines.map(({ text }) => text).join('\n'),
    ...(first === undefined ? {} : { textPosition: first.position }),
  });
}

function nodesOf({ content }: DraftNode): DraftNode[] {
  return content.filter((part) => part.kind === 'node');
}

/** The lines of text in a node without enabled sub nodes. */
function textOf({ content }: DraftNode): DocumentText[] {
  return content.flatMap((part) => (part.kind === 'text' ? [part] : textOf(part)));
}
