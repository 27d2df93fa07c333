/** Cuts what is written to a stream into lines, which end as `log-text.ts` says. */
import { StringDecoder } from 'node:string_decoder';
import { LIMITS } from '../../limits.ts';

/** Takes one or several lines, without the last line's end. */
export type TakeLines = (text: string) => unknown;

/** Cuts what is written into whole lines. */
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
    if (cut >= 0) this.#take(text.slice(0, text.startsWith('\r\n', cut - 1) ? cut - 1 : cut));
    if (this.#rest.length > LIMITS.logLineCharacters) this.end();
  }

  /** What has no line end yet is a line. */
  end(): void {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    if (rest !== '') this.#take(rest.replace(/\r$/, ''));
  }
}
