import type { Position } from './error.ts';

/**
 * Turns offsets into a text into lines and columns, both from 1. LF, CR LF and a lone CR end a
 * line, as XML says.
 */
export class Places {
  private readonly file: string;
  private readonly lineStarts: number[] = [0];

  constructor(source: string, file: string) {
    this.file = file;
    for (const match of source.matchAll(/\r\n|\r|\n/g)) this.lineStarts.push(match.index + match[0].length);
  }

  at(offset: number): Position {
    let low = 0;
    let high = this.lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.lineStarts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.file, line: low + 1, column: offset - (this.lineStarts[low] ?? 0) + 1 };
  }
}
