/**
 * What ginit writes: components' lines to standard output, its own words to standard error. Where standard output can be
 * written no more, that is found out once; the rest is dropped, and whoever runs the system decides what comes of it.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { linesOf, messageLines, visibleLines, visibleText } from '@ginit/core/system';
import type { OutputSink } from '@ginit/core/supervisor';

/** Why standard output can be written no more. */
export type OutputLoss =
  /** Its reader, or its terminal, has gone: somebody has seen enough. */
  | { readonly kind: 'reader-gone' }
  /** The host cannot write it. */
  | { readonly kind: 'failed'; readonly reason: string };

/** How a stream ends whose reader closes it; a terminal that is closed is EIO. */
const READER_GONE: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET', 'ENOTCONN', 'ERR_STREAM_DESTROYED']);
const STDOUT = 1;
const STANDARD_DESCRIPTORS = [0, STDOUT, 2];
/**
 * What one of our streams keeps while nobody reads it. Who waits for room waits then; a line that nobody waits for is
 * dropped, and counted.
 */
const BACKLOG_BYTES = 64 * 1024 * 1024;
/** After a signal a reader that has stopped reading keeps nobody. */
const LAST_WORDS_MS = 2000;

/** Standard output and error of the command. */
export class Output implements OutputSink {
  readonly #out: Writable;
  readonly #err: Writable;
  readonly #terminals: readonly number[];
  #loss: OutputLoss | undefined;
  #onLoss: (loss: OutputLoss) => void = () => {};
  /** Settles when there is room for more lines; all who wait share it. */
  #room: Promise<void> | undefined;
  #settleRoom: () => void = () => {};
  #waits = true;
  #hungUp = false;
  #wrote = false;
  #lost = 0;
  #complaintsLost = 0;

  /** `terminals`: those of the standard descriptors that are terminals. */
  constructor(out: Writable, err: Writable, terminals: readonly number[] = []) {
    this.#out = out;
    this.#err = err;
    this.#terminals = terminals;
    out.on('error', (error: Error) => this.#lose(error));
    err.on('error', () => {});
  }

  /** The output of this process. */
  static ofProcess(): Output {
    return new Output(process.stdout, process.stderr, STANDARD_DESCRIPTORS.filter(isatty));
  }

  /** Why nothing can be written any more, if that is so. */
  get loss(): OutputLoss | undefined {
    return this.#loss;
  }

  /** Called once, at the first write that fails, or now if one has failed. */
  onLoss(handler: (loss: OutputLoss) => void): void {
    this.#onLoss = handler;
    if (this.#loss) handler(this.#loss);
  }

  /** A line of a component's; settles when there is room for more. It is kept by who writes it until it has room. */
  line(text: string): Promise<void> {
    return this.lines(text, '');
  }

  /** The same for several, each behind the prefix. Only when there is room they are made of the text, and written together. */
  async lines(text: string, prefix: string): Promise<void> {
    while (this.#mustWait) await this.#forRoom();
    let hasRoom = true;
    for (const line of visibleLines(text, prefix)) hasRoom = this.#write(line, !this.#waits);
    if (!hasRoom && this.#waits) await this.#forRoom();
  }

  /** A line of a component's that nobody waits for. */
  passingLine(text: string): void {
    this.#write(visibleText(text));
  }

  /** Text of our own on standard output; settles when there is room for more. */
  async text(text: string): Promise<void> {
    while (this.#mustWait) await this.#forRoom();
    if (!this.#write(text) && this.#waits) await this.#forRoom();
  }

  /** Whether whoever can wait has to. */
  get #mustWait(): boolean {
    return this.#waits && this.#isFull && !this.#isLost;
  }

  get #isLost(): boolean {
    return this.#loss !== undefined || this.#out.destroyed;
  }

  get #isFull(): boolean {
    return this.#out.writableLength > BACKLOG_BYTES;
  }

  /** Whether there is room for more. What somebody has waited for is not dropped. */
  #write(text: string, mayDrop = true): boolean {
    if (this.#isLost) return true;
    this.#wrote = true;
    if (mayDrop && this.#isFull) {
      this.#lost++;
      return false;
    }
    if (this.#lost > 0) {
      this.#out.write(`ginit: warning: ${this.#lost} lines lost: nobody has read standard output\n`);
      this.#lost = 0;
    }
    return this.#out.write(`${text}\n`);
  }

  #forRoom(): Promise<void> {
    this.#room ??= this.#untilRoom();
    return this.#room;
  }

  /** The terminal is gone. */
  hangUp(): void {
    this.#hungUp = true;
  }

  /**
   * The process is about to end. Node puts the modes of terminals back that it found at its start, and aborts if one of them
   * is gone; what is closed it leaves alone.
   */
  closeLostTerminal(): void {
    if (this.#hungUp) for (const descriptor of this.#terminals) closeSync(descriptor);
  }

  /** Nobody waits for room any more: what cannot be written now is kept, within bounds. */
  waitNoMore(): void {
    this.#waits = false;
    this.#settleRoom();
  }

  /**
   * Settles when everything written so far has gone out, or is lost. If nobody waits any more that takes a moment at most;
   * false if it was too short.
   */
  async end(): Promise<boolean> {
    if (!this.#wrote || this.#loss || this.#out.destroyed) return true;
    let timer: NodeJS.Timeout | undefined;
    const written = new Promise<boolean>((resolve) => {
      this.#out.write('', () => resolve(true));
      if (!this.#waits) timer = setTimeout(() => resolve(false), LAST_WORDS_MS);
    });
    const done = await written;
    clearTimeout(timer);
    if (!done) this.say(`warning: ${this.#out.writableLength} bytes were not read from standard output`);
    return done;
  }

  #untilRoom(): Promise<void> {
    return new Promise((resolve) => {
      const settle = (): void => {
        this.#out.off('drain', settle);
        this.#out.off('close', settle);
        this.#room = undefined;
        resolve();
      };
      this.#settleRoom = settle;
      this.#out.on('drain', settle);
      this.#out.on('close', settle);
    });
  }

  #lose(error: Error): void {
    if (this.#loss) return;
    const code: unknown = Reflect.get(error, 'code');
    this.#hungUp ||= code === 'EIO' && this.#terminals.includes(STDOUT);
    const gone = this.#hungUp || (typeof code === 'string' && READER_GONE.has(code));
    this.#loss = gone ? { kind: 'reader-gone' } : { kind: 'failed', reason: reasonOf(error) };
    this.#settleRoom();
    if (this.#loss.kind === 'failed') this.say(`standard output cannot be written: ${this.#loss.reason}`);
    this.#onLoss(this.#loss);
  }

  complaint(text: string): void {
    this.say(text);
  }

  /** A message of ginit's own, marked so; its further lines are set in, and look like no other message. */
  say(text: string): void {
    for (const line of messageLines(text, 'ginit: ')) this.#complain(line);
  }

  /** A message as it is: errors of a config begin with their place. */
  plain(text: string): void {
    for (const line of messageLines(text, '')) this.#complain(line);
  }

  /** Nobody waits for these. */
  #complain(line: string): void {
    if (this.#err.destroyed) return;
    if (this.#err.writableLength > BACKLOG_BYTES) {
      this.#complaintsLost++;
      return;
    }
    if (this.#complaintsLost > 0) {
      const lost = `${this.#complaintsLost} lines lost: nobody has read standard error`;
      this.#err.write(`ginit: warning: ${lost}\n`);
      this.#complaintsLost = 0;
    }
    this.#err.write(`${visibleText(line)}\n`);
  }
}

/** What the host says, in its own words. */
function reasonOf(error: Error): string {
  const number: unknown = Reflect.get(error, 'errno');
  switch (typeof number === 'number' ? -number : undefined) {
    case constants.errno.ENOSPC:
      return 'no space left on the device (ENOSPC)';
    case constants.errno.EIO:
      return 'input/output error (EIO)';
    case constants.errno.EDQUOT:
      return 'disk quota exceeded (EDQUOT)';
    case constants.errno.EFBIG:
      return 'the file is too large (EFBIG)';
    default:
      return linesOf(error.message)[0] ?? '';
  }
}
