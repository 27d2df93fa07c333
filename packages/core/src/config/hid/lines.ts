import { ConfigError } from '../error.ts';

/** A line of a HID text. */
export interface HidLine {
  readonly file: string;
  /** Counted from 1. */
  readonly number: number;
  /** Without its end, which is LF or CR LF. */
  readonly text: string;
}

/** The lines of a text. A CR that ends no line stays in its line, where it is an error. */
export function* linesOf(text: string, file: string): Generator<HidLine> {
  let number = 1;
  for (let start = 0; start <= text.length; number++) {
    const lineFeed = text.indexOf('\n', start);
    const end = lineFeed === -1 ? text.length : lineFeed;
    const isCrLf = lineFeed !== -1 && end > start && text.charAt(end - 1) === '\r';
    yield { file, number, text: text.slice(start, isCrLf ? end - 1 : end) };
    start = end + 1;
  }
}

/** Throws a `ConfigError` about the character at `offset` of the line. */
export function failAt({ file, number }: HidLine, offset: number, text: string): never {
  throw new ConfigError(text, { file, line: number, column: offset + 1 });
}

/**
 * The column of an offset, in characters: a character outside of the basic plane is one, though it
 * takes two units of a string. So nodes stand below each other as they do on the screen.
 */
export function columnAt({ text }: HidLine, offset: number): number {
  const before = text.slice(0, offset);
  return offset - (before.match(/[\ud800-\udbff][\udc00-\udfff]/g)?.length ?? 0);
}

/** The offset of the first character from `from` on that is no space. */
export function firstInk(text: string, from: number): number {
  let offset = from;
  while (text.charAt(offset) === ' ') offset++;
  return offset;
}

/** The text without the spaces at its end. Spaces only: no other character is trimmed in HID. */
export function withoutTail(text: string): string {
  let end = text.length;
  while (end > 0 && text.charAt(end - 1) === ' ') end--;
  return text.slice(0, end);
}
