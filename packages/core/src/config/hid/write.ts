import { type DocumentComment, type DocumentNode, nodesIn } from '../document.ts';
import { tagAtStart } from './grammar.ts';
import { hidProblems } from './holds.ts';
import { withoutTail } from './lines.ts';

/*
 * Writes HID as `hid format` of Genode's own tool does, but for that tool's faults:
 *
 * - Every sub node is in a line of its own, indented by two spaces a level.
 * - Attributes follow in the line of their node if that is shorter than 80 characters, or if there is only
 *   one; else each has a line, with the values below each other. Sub nodes without content of their own are
 *   alike: if the attributes of one do not fit, those of all have lines.
 * - Bars lead from a node to its next sibling, and from its type down to its sub nodes.
 * - Comments stand below the node that they describe. On its line only where it has no attributes:
 *   elsewhere Genode's tool would make a comment of the next attribute.
 */

/** At this length, in characters, attributes are no longer written in the line of their node. */
const LINE_LENGTH = 80;

/**
 * The HID text of a document, its end mark included. Throws a `ConfigError` for the first thing, in
 * the order of the document, that HID cannot hold (`hidProblems` lists all).
 */
export function writeHidDocument(document: DocumentNode): string {
  const [problem] = hidProblems(document);
  if (problem !== undefined) throw problem;
  const lines: string[] = [];
  const head = document.type + nameOf(document);
  const isOneLine = fits(head.length, attributesOf(document));
  const indent = ' '.repeat(document.type.length + 1);
  const length = writeHead({ head, indent, below: '', isOneLine }, document, lines);
  writeContent(document, '', length, lines);
  return `${[...lines, '-'].join('\n')}\n`;
}

interface Head {
  /** The line up to the name of the node. */
  readonly head: string;
  /** What stands before an attribute that has a line of its own. */
  readonly indent: string;
  /** What begins the other lines below it. */
  readonly below: string;
  /** Whether the attributes stand in the line of the node. */
  readonly isOneLine: boolean;
}

type Attributes = readonly (readonly [tag: string, value: string])[];

/** The attributes without a name that stands behind the type. */
function attributesOf(node: DocumentNode): Attributes {
  const all = [...node.attributes].map(([tag, { value }]) => [tag, value] as const);
  const names = all.filter(([tag]) => tag === 'name');
  const others = all.filter(([tag]) => tag !== 'name');
  return nameOf(node) === '' ? [...names, ...others] : others;
}

/**
 * The name as it stands behind the type, after a space; empty if it must be written as an
 * attribute.
 */
function nameOf(node: DocumentNode): string {
  const name = node.attributes.get('name')?.value ?? '';
  return name === '' || tagAtStart(name) !== undefined ? '' : ` ${name}`;
}

function written([tag, value]: Attributes[number]): string {
  return value === '' ? `${tag}:` : `${tag}: ${value}`;
}

function inLine(attributes: Attributes): string {
  return attributes.map((each) => ` | ${written(each)}`).join('');
}

function fits(before: number, attributes: Attributes): boolean {
  return attributes.length <= 1 || before + inLine(attributes).length < LINE_LENGTH;
}

/** Writes a node without its content. The result is the length of its last line, comments aside. */
function writeHead({ head, indent, below, isOneLine }: Head, node: DocumentNode, lines: string[]): number {
  const attributes = attributesOf(node);
  const own = isOneLine ? [head + inLine(attributes)] : [head, ...inLines(attributes, indent)];
  const last = own.at(-1) ?? head;
  const [first, ...others] = node.comments;
  if (attributes.length === 0 && first?.trailing === true) {
    lines.push(`${head} | ${comment(first)}`);
    for (const each of others) lines.push(below + comment(each));
  } else {
    lines.push(...own);
    for (const each of node.comments) lines.push(below + comment(each));
  }
  return last.length;
}

function inLines(attributes: Attributes, indent: string): string[] {
  const width = Math.max(...attributes.map(([tag]) => tag.length)) + 2;
  return attributes.map(([tag, value]) => withoutTail(`${indent}${`${tag}:`.padEnd(width)}${value}`));
}

function comment({ text }: DocumentComment): string {
  return text === '' ? '.' : `. ${text}`;
}

/**
 * Writes the text and the sub nodes of a node, in lines that begin with `below`. The line of the
 * node itself has `length` characters.
 */
function writeContent(node: DocumentNode, below: string, length: number, lines: string[]): void {
  const { content } = node;
  const nodes = nodesIn(node);
  const isLeafList = nodes.every((each) => each.content.length === 0);
  const before = length + (attributesOf(node).length === 0 ? 1 : 0);
  const allFit = nodes.every((each) => fits(before, attributesOf(each)));
  content.forEach((part, index) => {
    if (part.kind === 'text') {
      lines.push(below + (part.text === '' ? ':' : `: ${part.text}`));
      return;
    }
    const head = `${below}${part.disabled ? 'x' : '+'} ${part.type}${nameOf(part)}`;
    // No bar stands in column 0.
    const inner = `${below}${index < content.length - 1 && below !== '' ? '|' : ' '} `;
    const indent = `${inner}${part.content.length > 0 ? '|' : ' '}`.padEnd(
      inner.length + part.type.length + 1,
    );
    const isOneLine = isLeafList ? allFit : fits(head.length, attributesOf(part));
    const partLength = writeHead({ head, indent, below: inner, isOneLine }, part, lines);
    writeContent(part, inner, partLength, lines);
  });
}
