/**
 * Everything that a component writes to `console`, `process.stdout` and `process.stderr` becomes
 * lines of its log, in the order in which they are written. Node would send it to the process's
 * main thread, where it arrives late, or not at all if the thread parks or ends.
 */
import type { Writable } from 'node:stream';
import { LIMITS } from '../../limits.ts';
import { linesOf } from '../../log-text.ts';
import { LineCutter, type TakeLines } from '../host/line-cutter.ts';

/** The standard output and error of a component's thread. */
export class ComponentOutput {
  readonly #early: string[] = [];
  #earlyCharacters = 0;
  #earlyLost = 0;
  #take: TakeLines | undefined;
  readonly #cutters = [this.#cutter(), this.#cutter()] as const;

  /**
   * Redirects Node's streams of this thread. The stream objects stay, because Node itself holds on
   * to them.
   */
  install(): void {
    for (const [index, stream] of [process.stdout, process.stderr].entries()) {
      const cutter = this.#cutters[index];
      const write: Writable['_write'] = (chunk: Uint8Array | string, encoding, done) => {
        const isText = typeof chunk === 'string' && (encoding === 'utf8' || encoding === 'utf-8');
        cutter?.write(isText || typeof chunk !== 'string' ? chunk : Buffer.from(chunk, encoding));
        done();
      };
      Object.defineProperties(stream, { _write: { value: write }, _writev: { value: undefined } });
    }
  }

  /** The log is open: everything that was written so far goes to it. */
  attach(take: TakeLines): void {
    this.#take = take;
    for (const text of this.#takeEarly()) take(text);
  }

  /** Ends unfinished lines. The result is the lines that no log has got. */
  end(): string[] {
    for (const cutter of this.#cutters) cutter.end();
    return this.#takeEarly().flatMap(linesOf);
  }

  #cutter(): LineCutter {
    return new LineCutter((text) => {
      if (this.#take) this.#take(text);
      else this.#keep(text);
    });
  }

  #keep(text: string): void {
    if (this.#earlyCharacters + text.length > LIMITS.logBacklogCharacters) {
      this.#earlyLost += linesOf(text).length;
      return;
    }
    this.#earlyCharacters += text.length;
    this.#early.push(text);
  }

  #takeEarly(): string[] {
    if (this.#earlyLost > 0) this.#early.push(`Warning: ${this.#earlyLost} log lines lost`);
    this.#earlyLost = 0;
    this.#earlyCharacters = 0;
    return this.#early.splice(0);
  }
}
