import type { DocumentNode } from '../document.ts';
import { ConfigError } from '../error.ts';
import { decodedText } from '../text.ts';
import { shown } from '../values.ts';
import { addAttribute, addText, Draft, type DraftNode, hasText, positionOf } from './draft.ts';
import {
  HID_NAME_LENGTH_MAX,
  isHidName,
  namedCharacter,
  tagAtStart,
  unprintableAt,
  unprintableInTextAt,
} from './grammar.ts';
import { columnAt, failAt, firstInk, type HidLine, linesOf } from './lines.ts';
import { type Segment, segmentsOf } from './segments.ts';

/*
 * Reads HID strictly: whatever Genode's own tool or runtime drops without a word, and whatever the
 * two read differently, is an error with its place, wherever the grammar leaves a choice. The first
 * fault ends the reading. `read-relaxed.ts` reads as Genode's runtime does.
 */

/**
 * Reads a HID text, given as a string or as UTF-8 bytes, with its comments and disabled nodes;
 * `file` is the name for its places. Throws a `ConfigError` for the first thing that is not HID or
 * goes over a bound of `CONFIG_LIMITS`.
 */
export function readHidDocument(source: string | Uint8Array, file: string): DocumentNode {
  const reader = new StrictReader();
  let last: HidLine | undefined;
  for (const line of linesOf(untilEnd(source, file), file)) {
    if (reader.takes(line)) return reader.document(line);
    last = line;
  }
  if (reader.isEmpty) throw new ConfigError('the text is empty', { file, line: 1, column: 1 });
  const end = last ?? { file, number: 1, text: '' };
  return failAt(end, end.text.length, 'the end of the text is missing: a last line with nothing but "-"');
}

/** The text up to its end mark, so that what stands behind it need not even be UTF-8. */
export function untilEnd(source: string | Uint8Array, file: string): string {
  if (typeof source === 'string') return decodedText(source, file);
  const LINE_FEED = 10;
  const DASH = 45;
  for (let start = 0; start < source.length; ) {
    const lineFeed = source.indexOf(LINE_FEED, start);
    if (source[start] === DASH && lineFeed !== -1) return decodedText(source.subarray(0, lineFeed + 1), file);
    if (lineFeed === -1) break;
    start = lineFeed + 1;
  }
  return decodedText(source, file);
}

class StrictReader {
  #draft: Draft | undefined;

  get isEmpty(): boolean {
    return this.#draft === undefined;
  }

  /** The document that has been read up to its end in this line. */
  document(line: HidLine): DocumentNode {
    return this.#draft?.top ?? failAt(line, 0, 'there is no node in this text');
  }

  /** Reads a line; true if it is the end of the text. */
  takes(line: HidLine): boolean {
    const { text } = line;
    if (firstInk(text, 0) === text.length) return false;
    if (text.startsWith('-')) {
      if (firstInk(text, 1) < text.length)
        failAt(line, 0, '"-" ends the text, and stands alone in its line then');
      return true;
    }
    let segments: Iterable<Segment> = segmentsOf(line);
    if (this.#draft === undefined) {
      const [first, ...others] = segments;
      if (first !== undefined) this.#draft = this.#top(line, first);
      segments = others;
    }
    for (const segment of segments) this.#segment(line, segment);
    return false;
  }

  #top(line: HidLine, segment: Segment): Draft {
    const { text, offset } = segment;
    if (text.startsWith('\ufeff')) failAt(line, offset, 'a byte order mark cannot stand before the top node');
    if (offset > 0) failAt(line, 0, 'the top node begins at the start of its line');
    if (/^[+:.|]/.test(text))
      failAt(line, offset, 'the text begins with its top node: a type, without "+" before it');
    checkPrintable(line, segment);
    const type = text.split(' ', 1)[0] ?? '';
    checkType(line, offset, type);
    const draft = new Draft(type, { line, offset });
    this.#name(line, draft.top, { text, offset }, type.length);
    return draft;
  }

  #segment(line: HidLine, segment: Segment): void {
    const { text } = segment;
    const space = text.charAt(1);
    switch (text.charAt(0)) {
      case ':':
        return this.#quote(line, segment);
      case '.':
        return this.#comment(line, segment);
      case '+':
        return this.#node(line, segment, false);
      case 'x':
        if (space === '' || space === ' ') return this.#node(line, segment, true);
        break;
      case '-':
        return failAt(line, segment.offset, '"-" ends the text only at the start of a line');
    }
    checkPrintable(line, segment);
    const tag = tagAtStart(text);
    if (tag === undefined) return unknownSegment(line, segment);
    return this.#attribute(line, segment, tag);
  }

  #node(line: HidLine, segment: Segment, disabled: boolean): void {
    const { text, offset } = segment;
    checkPrintable(line, segment);
    const mark = shown(text.charAt(0));
    if (text.length === 1) failAt(line, offset, `a node needs a type: ${mark} stands before it`);
    if (text.charAt(1) !== ' ') failAt(line, offset, `a space is missing behind ${mark}`);
    if (text.charAt(2) === ' ') failAt(line, offset + 2, `one space stands between ${mark} and the type`);
    checkNotDropped(line, segment, 'node');
    const type = text.slice(2).split(' ', 1)[0] ?? '';
    checkType(line, offset + 2, type);
    const draft = this.#current;
    const column = columnAt(line, offset);
    const parent = draft.deepest((each) => each < column);
    const depth = draft.open.indexOf(parent) + 1;
    const node = draft.openNode(type, disabled, { line, offset }, depth);
    this.#name(line, node, segment, 2 + type.length);
  }

  /** Reads the name behind the type, which is the attribute `name`. */
  #name(
    line: HidLine,
    node: DraftNode,
    { text, offset }: Pick<Segment, 'text' | 'offset'>,
    from: number,
  ): void {
    const start = firstInk(text, from);
    const name = text.slice(start);
    if (name === '') return;
    const tag = tagAtStart(name);
    if (tag !== undefined)
      failAt(line, offset + start, `a "|" is missing before "${tag}:" (a name like that: | name: ${tag}:…)`);
    addAttribute(node, 'name', name, { line, offset: offset + start });
  }

  #attribute(line: HidLine, { text, offset }: Segment, tag: string): void {
    const { last } = this.#current;
    const behind = tag.length + 1;
    if (tag.length > HID_NAME_LENGTH_MAX)
      failAt(line, offset, `the name of an attribute has at most ${HID_NAME_LENGTH_MAX} characters`);
    if (behind < text.length && text.charAt(behind) !== ' ')
      failAt(line, offset + behind, `a space is missing behind "${tag}:"`);
    if (columnAt(line, offset) < last.column)
      failAt(line, offset, `attribute "${tag}" stands left of <${last.type}>, to which it would belong`);
    if (hasText(last))
      failAt(line, offset, `attribute "${tag}" stands behind the text of <${last.type}>: it would be lost`);
    if (last.attributes.has(tag)) failAt(line, offset, `attribute "${tag}" of <${last.type}> is given twice`);
    addAttribute(last, tag, text.slice(firstInk(text, behind)), { line, offset });
  }

  #quote(line: HidLine, segment: Segment): void {
    const { text, offset } = segment;
    checkWholeRest(line, segment, 'a line of text');
    checkNotDropped(line, segment, 'text');
    const column = columnAt(line, offset);
    addText(
      this.#current.deepest((each) => each < column),
      text.slice(2),
      { line, offset: offset + 1 },
    );
  }

  /**
   * A comment below a node describes it, also where Genode's tool sees it in a wrong column: then
   * the nearest node above it that begins no further right is meant.
   */
  #comment(line: HidLine, segment: Segment): void {
    const { text, offset, isFirst } = segment;
    checkWholeRest(line, segment, 'a comment');
    const draft = this.#current;
    const column = columnAt(line, offset);
    const node = isFirst ? draft.deepest((each) => each <= column) : draft.last;
    const position = positionOf({ line, offset });
    node.comments.push({ text: text.slice(2), position, trailing: !isFirst });
  }

  get #current(): Draft {
    if (this.#draft === undefined) throw new Error('a segment before the top node');
    return this.#draft;
  }
}

function checkPrintable(line: HidLine, { text, offset }: Segment): void {
  const wrong = unprintableAt(text);
  if (wrong !== -1) failAt(line, offset + wrong, `${namedCharacter(text, wrong)} cannot stand here`);
}

function checkWholeRest(line: HidLine, { text, offset }: Segment, what: string): void {
  if (text.length > 1 && text.charAt(1) !== ' ')
    failAt(line, offset, `a space is missing behind "${text.charAt(0)}", which begins ${what}`);
  const wrong = unprintableInTextAt(text);
  if (wrong !== -1) failAt(line, offset + wrong, `${namedCharacter(text, wrong)} cannot stand here`);
}

function checkNotDropped(line: HidLine, { offset, isFirst, isDropped }: Segment, what: string): void {
  if (!isDropped) return;
  const rule = isFirst ? 'it is indented by a multiple of 2' : 'one space stands between "|" and it';
  failAt(line, offset, `Genode's tool drops a ${what} in this column: ${rule}`);
}

function checkType(line: HidLine, offset: number, type: string): void {
  if (isHidName(type)) return;
  const rule = `a lower-case letter, then such letters, digits, "_", "-", at most ${HID_NAME_LENGTH_MAX}`;
  failAt(line, offset, `${shown(type)} cannot be the type of a node (${rule})`);
}

function unknownSegment(line: HidLine, { text, offset }: Segment): never {
  if (offset === 0 && isHidName(text.split(' ', 1)[0] ?? ''))
    failAt(line, 0, `a second top node: there can be only one (a node within it begins with "+ ")`);
  const kinds = 'a node (+ type), an attribute (tag: value), text (: text) or a comment (. text)';
  return failAt(line, offset, `${shown(text)} is none of ${kinds}`);
}
