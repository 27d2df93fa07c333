/**
 * Cuts what is written to a stream into lines, which end as `log-text.ts` says. A line may never
 * end, so one that is too long to print is cut into several, and none of it is lost.
 */
import { StringDecoder } from 'node:string_decoder';
import { LIMITS } from '../../limits.ts';
import { linesOf } from '../../log-text.ts';

const MAX = LIMITS.logLineCharacters;

/**
 * Takes one or several lines, without the end of the last one. None is longer than
 * `LIMITS.logLineCharacters`.
 */
export type TakeLines = (text: string) => unknown;

/** Cuts text that is written piece by piece into whole lines. */
export class LineCutter {
  readonly #take: TakeLines;
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  constructor(take: TakeLines) {
    this.#take = take;
  }

  write(chunk: Uint8Array | string): void {
    const text = this.#rest + (typeof chunk === 'string' ? chunk : this.#decoder.write(Buffer.from(chunk)));
    // A carriage return at the very end may be the first half of a line's end.
    const end = text.endsWith('\r') ? text.slice(0, -1) : text;
    const cut = Math.max(end.lastIndexOf('\n'), end.lastIndexOf('\r'));
    this.#rest = text.slice(cut + 1);
    if (cut >= 0) this.#pass(text.slice(0, text.startsWith('\r\n', cut - 1) ? cut - 1 : cut));
    // A carriage return that may be half of a line's end does not count.
    const unended = this.#rest.endsWith('\r') ? this.#rest.slice(0, -1) : this.#rest;
    if (unended.length <= MAX) return;
    const pieces = piecesOf(unended);
    const last = pieces.pop() ?? '';
    this.#rest = last + this.#rest.slice(unended.length);
    this.#take(pieces.join('\n'));
  }

  /** Takes the text that has no line end yet as a line. */
  end(): void {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (rest !== '') this.#pass(rest.replace(/\r$/, ''));
  }

  #pass(text: string): void {
    this.#take(text.length <= MAX ? text : linesOf(text).flatMap(piecesOf).join('\n'));
  }
}

/** Cuts a line into pieces that can be printed. No character is cut in two. */
function piecesOf(line: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  while (line.length - start > MAX) {
    const code = line.charCodeAt(start + MAX - 1);
    const end = start + (isHighSurrogate(code) ? MAX - 1 : MAX);
    pieces.push(line.slice(start, end));
    start = end;
  }
  pieces.push(line.slice(start));
  return pieces;
}

function isHighSurrogate(code: number): boolean {
  return code >= 0xd800 && code <= 0xdbff;
}
