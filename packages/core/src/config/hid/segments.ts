import { failAt, firstInk, type HidLine, withoutTail } from './lines.ts';

/** A part of a line between bars. */
export interface Segment {
  /** Offset of its first character in the line. */
  readonly offset: number;
  /** Without spaces around it; the spaces at the end of a quote or a comment are part of it. */
  readonly text: string;
  /** Whether it is the first of its line. */
  readonly isFirst: boolean;
  /** Whether Genode's own tool silently drops a node or a quote that stands here. */
  readonly isDropped: boolean;
}

/**
 * Where the segments of a line begin, and whether its indentation is one that Genode's tool takes.
 */
interface Head {
  readonly end: number;
  readonly isEven: boolean;
}

/**
 * The segments of a line, by the strict rules: bars have a space on each side. Empty ones are left
 * out.
 */
export function* segmentsOf(line: HidLine): Generator<Segment> {
  const { text } = line;
  const { end, isEven } = headOf(line);
  let offset = end;
  let isFirst = true;
  let isDropped = !isEven;
  while (offset < text.length) {
    if (isWholeRest(text, offset)) {
      yield { offset, text: text.slice(offset), isFirst, isDropped };
      return;
    }
    const bar = text.indexOf('|', offset);
    const segment = withoutTail(text.slice(offset, bar === -1 ? text.length : bar));
    if (segment !== '') yield { offset, text: segment, isFirst, isDropped };
    if (bar === -1) return;
    if (text.charAt(bar - 1) !== ' ' || text.charAt(bar + 1) !== ' ')
      failAt(line, bar, 'a stray "|": it stands between spaces, and cannot be in a name or a value');
    offset = firstInk(text, bar + 2);
    isFirst = false;
    isDropped = offset > bar + 2;
  }
}

/** Whether a quote or a comment begins here: it takes the rest of the line, bars included. */
export function isWholeRest(text: string, offset: number): boolean {
  const mark = text.charAt(offset);
  return (mark === ':' || mark === '.') && (offset + 1 === text.length || text.charAt(offset + 1) === ' ');
}

/**
 * The spaces and bars at the start of a line. Genode's tool takes them in pairs, so it sees a node
 * or a quote only in an even column, or right behind a bar (a table that is continued).
 */
function headOf(line: HidLine): Head {
  const { text } = line;
  let end = 0;
  for (; text.charAt(end) === ' ' || text.charAt(end) === '|'; end++) {
    if (text.charAt(end) === '|' && end + 1 < text.length && text.charAt(end + 1) !== ' ')
      failAt(line, end, 'a space is missing behind this "|"');
  }
  let pairs = 0;
  while (pairs + 2 <= end && text.charAt(pairs + 1) === ' ') pairs += 2;
  const rest = text.slice(pairs, end);
  return { end, isEven: rest === '' || rest === ' | ' };
}
