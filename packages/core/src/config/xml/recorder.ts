import type { DocumentComment, DocumentContent, DocumentNode } from '../document.ts';
import type { ConfigAttribute } from '../node.ts';
import type { Places } from '../places.ts';
import { firstInk } from './faults.ts';

/*
 * Records an XML text as a document, while the reader reads it. In XML a comment stands above the
 * element that it describes, or behind it on its line; what stands above nothing describes the
 * element around it. A text that begins and ends with a line break is laid out for people: those
 * line breaks and the common indentation of its lines are no part of it. Any other text is kept as
 * it is.
 */

interface RecordedNode extends DocumentNode {
  readonly comments: DocumentComment[];
  readonly content: DocumentContent[];
}

/** Text that is still being read: the pieces between comments and CDATA sections are one. */
interface Run {
  text: string;
  /** The same as it stands in the source. */
  raw: string;
  /** Where its first character stands that is not blank. */
  ink: number | undefined;
  /** Whether a part of it is a CDATA section: then nothing of it is layout. */
  isExact: boolean;
}

/** Makes the document of an XML text. */
export class Recorder {
  readonly #source: string;
  readonly #places: Pick<Places, 'at'>;
  readonly #disabledNodes: (comment: string, offset: number) => readonly DocumentNode[];
  readonly #open: RecordedNode[] = [];
  #root: RecordedNode | undefined;
  /** The node whose tag was read last. */
  #last: RecordedNode | undefined;
  /** Up to this offset it is known whether a line has ended since that tag. */
  #seen = 0;
  #isNewLine = false;
  /** Comments that describe the next element. */
  #pending: DocumentComment[] = [];
  #run: Run | undefined;

  /** `disabledNodes` gives the elements in a comment that begins at `offset`. */
  constructor(
    source: string,
    places: Pick<Places, 'at'>,
    disabledNodes: (comment: string, offset: number) => readonly DocumentNode[],
  ) {
    this.#source = source;
    this.#places = places;
    this.#disabledNodes = disabledNodes;
  }

  /** What was recorded. The text must have been read to its end. */
  get document(): DocumentNode {
    const root = this.#root;
    if (root === undefined) throw new Error('nothing was recorded');
    this.#describe(root);
    return root;
  }

  /** An opening tag that ends at `end`. */
  open(
    element: {
      readonly type: string;
      readonly start: number;
      readonly attributes: ReadonlyMap<string, ConfigAttribute>;
    },
    end: number,
  ): void {
    this.#endRun(false);
    const node: RecordedNode = {
      kind: 'node',
      type: element.type,
      position: this.#places.at(element.start),
      disabled: false,
      attributes: element.attributes,
      comments: this.#pending,
      content: [],
    };
    this.#pending = [];
    this.#open.at(-1)?.content.push(node);
    this.#root ??= node;
    this.#open.push(node);
    this.#tag(node, end);
  }

  /** The end, at `end`, of the innermost open element. */
  close(end: number): void {
    this.#endRun(true);
    const node = this.#open.pop();
    if (node === undefined) throw new Error('the end of no element');
    this.#describe(node);
    this.#tag(node, end);
  }

  /** The comments that describe no element behind them describe the one around them. */
  #describe(node: RecordedNode): void {
    for (const comment of this.#pending) node.comments.push(comment);
    this.#pending = [];
  }

  /** A piece of the text of the innermost open element, which begins at `start`. */
  text(text: string, start: number, isExact: boolean): void {
    const markup = this.#source.indexOf('<', start);
    const run = (this.#run ??= { text: '', raw: '', ink: undefined, isExact: false });
    if (text.trim() !== '') run.ink ??= firstInk(this.#source, start);
    run.text += text;
    run.raw += this.#source.slice(start, markup === -1 ? undefined : markup);
    run.isExact ||= isExact;
  }

  /** A comment that ends at `end`. */
  comment(comment: string, end: number): void {
    const start = end - comment.length - '<!---->'.length;
    const isTrailing = this.#last !== undefined && !this.#hasLineEndedBefore(start);
    const offset = start + '<!--'.length;
    const parent = this.#open.at(-1);
    const disabled = parent === undefined ? [] : this.#disabledNodes(comment, offset);
    if (parent !== undefined && disabled.length > 0) {
      this.#endRun(false);
      const [first, ...others] = disabled;
      if (first !== undefined) parent.content.push({ ...first, comments: this.#pending }, ...others);
      this.#pending = [];
      return;
    }
    const position = this.#places.at(firstInk(this.#source, offset));
    const lines = linesOfComment(comment).map((text) => ({ text, position, trailing: isTrailing }));
    const comments = isTrailing ? this.#last?.comments : this.#pending;
    for (const line of lines) comments?.push(line);
  }

  #tag(node: RecordedNode, end: number): void {
    this.#last = node;
    this.#seen = end;
    this.#isNewLine = false;
  }

  #hasLineEndedBefore(offset: number): boolean {
    this.#isNewLine ||= /[\r\n]/.test(this.#source.slice(this.#seen, offset));
    this.#seen = Math.max(this.#seen, offset);
    return this.#isNewLine;
  }

  /** The text read so far ends here, before a tag. */
  #endRun(isElementEnd: boolean): void {
    const run = this.#run;
    const node = this.#open.at(-1);
    this.#run = undefined;
    if (run === undefined || node === undefined) return;
    const isWhole = isElementEnd && node.content.length === 0;
    const position = run.ink === undefined ? node.position : this.#places.at(run.ink);
    for (const text of linesOfRun(run, isWhole)) node.content.push({ kind: 'text', text, position });
  }
}

/** The lines of a text; `isWhole` tells whether there is nothing else in its element. */
function linesOfRun({ text, raw, isExact }: Run, isWhole: boolean): readonly string[] {
  const lines = text.split('\n');
  if (isExact) return lines;
  if (raw.trim() === '' && (!isWhole || /[\r\n]/.test(raw))) return [];
  const beginsWithBreak = /^[ \t]*[\r\n]/.test(raw);
  const endsWithBreak = /[\r\n]$/.test(raw.slice(raw.trimEnd().length).replaceAll(/[ \t]/g, ''));
  if (isWhole && !(beginsWithBreak && endsWithBreak)) return lines;
  const kept = lines.slice(beginsWithBreak ? 1 : 0, endsWithBreak ? -1 : undefined);
  return beginsWithBreak ? withoutIndentation(kept) : kept;
}

/** The lines of a comment, without the layout around them. */
function linesOfComment(comment: string): readonly string[] {
  const lines = comment.split(/\r\n|\r|\n/).map((line) => line.trimEnd());
  const from = lines.findIndex((line) => line !== '');
  if (from === -1) return [''];
  const [first = '', ...others] = lines.slice(from, lines.findLastIndex((line) => line !== '') + 1);
  return [first.trimStart(), ...withoutIndentation(others)];
}

/** Lines without the white space that all of them begin with; blank ones become empty. */
function withoutIndentation(lines: readonly string[]): readonly string[] {
  let indentation = Number.POSITIVE_INFINITY;
  for (const line of lines) {
    if (line.trim() !== '') indentation = Math.min(indentation, line.length - line.trimStart().length);
  }
  return lines.map((line) => (line.trim() === '' ? '' : line.slice(indentation)));
}
