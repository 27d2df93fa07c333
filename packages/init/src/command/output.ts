/**
 * Everything that ginit writes: lines of components go to standard output, its own words to
 * standard error. When standard output can be written no more, that is found out once; the rest is
 * dropped, and the running system decides whether to stop.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import type { Writable } from 'node:stream';
import { isatty } from 'node:tty';
import { linesOf, messageLines, visibleLines, visibleText } from '@ginit/core/system';
import type { OutputSink } from '@ginit/core/supervisor';

/** The reason why standard output can be written no more. */
export type OutputLoss =
  /** The reader, or the terminal, has gone: somebody has seen enough. */
  | { readonly kind: 'reader-gone' }
  /** The host failed to write, for example because a disk is full. */
  | { readonly kind: 'failed'; readonly reason: string };

/**
 * The error codes of a stream whose reader has closed it; a terminal that was closed reports EIO.
 */
const READER_GONE: ReadonlySet<string> = new Set(['EPIPE', 'ECONNRESET', 'ENOTCONN', 'ERR_STREAM_DESTROYED']);
const STDOUT = 1;
const STANDARD_DESCRIPTORS = [0, STDOUT, 2];
/**
 * The bytes that one of our streams keeps while nobody reads it. Above that a writer who can wait
 * has to wait; a line that nobody waits for is dropped, and counted.
 */
const BACKLOG_BYTES = 64 * 1024 * 1024;
/**
 * The time that a reader has after a signal to read the rest. A reader that has stopped reading
 * must not keep ginit from ending.
 */
const LAST_WORDS_MS = 2000;

/** Standard output and error of the command. */
export class Output implements OutputSink {
  readonly #out: Writable;
  readonly #err: Writable;
  readonly #terminals: readonly number[];
  #loss: OutputLoss | undefined;
  #onLoss: (loss: OutputLoss) => void = () => {};
  /** Settles when there is room for more lines. All waiting writers share it. */
  #room: Promise<void> | undefined;
  #settleRoom: () => void = () => {};
  #waits = true;
  #hungUp = false;
  #wrote = false;
  #lost = 0;
  #complaintsLost = 0;

  /** `terminals` lists those of the standard descriptors that are terminals. */
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

  /** The reason why nothing can be written any more; `undefined` while it can. */
  get loss(): OutputLoss | undefined {
    return this.#loss;
  }

  /**
   * Sets the handler that is called once: at the first write that fails, or now if one has failed
   * already.
   */
  onLoss(handler: (loss: OutputLoss) => void): void {
    this.#onLoss = handler;
    if (this.#loss) handler(this.#loss);
  }

  /**
   * Writes a line of a component. Settles when there is room for more; until then the component
   * keeps its further lines.
   */
  line(text: string): Promise<void> {
    return this.lines(text, '');
  }

  /**
   * Writes several lines, each behind the prefix. The lines are made of the text only when there is
   * room, and are written together.
   */
  async lines(text: string, prefix: string): Promise<void> {
    while (this.#mustWait) await this.#forRoom();
    let hasRoom = true;
    for (const line of visibleLines(text, prefix)) hasRoom = this.#write(line, !this.#waits);
    if (!hasRoom && this.#waits) await this.#forRoom();
  }

  /** Writes a line of a component, behind the prefix, without anybody waiting for it. */
  passingLine(text: string, prefix = ''): void {
    this.#write(visibleText(prefix + text));
  }

  /** Writes text of our own to standard output. Settles when there is room for more. */
  async text(text: string): Promise<void> {
    while (this.#mustWait) await this.#forRoom();
    if (!this.#write(text) && this.#waits) await this.#forRoom();
  }

  /** Whether writers that can wait must wait now. */
  get #mustWait(): boolean {
    return this.#waits && this.#isFull && !this.#isLost;
  }

  get #isLost(): boolean {
    return this.#loss !== undefined || this.#out.destroyed;
  }

  get #isFull(): boolean {
    return this.#out.writableLength > BACKLOG_BYTES;
  }

  /**
   * Writes a line and returns whether there is room for more. A line that somebody has waited for
   * is not dropped.
   */
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

  /** Notes that the terminal is gone. */
  hangUp(): void {
    this.#hungUp = true;
  }

  /**
   * Call this when the process is about to end. Node restores the modes that it found terminals in
   * at its start, and aborts if one of them is gone; descriptors that are closed it leaves alone.
   */
  closeLostTerminal(): void {
    if (this.#hungUp) for (const descriptor of this.#terminals) closeSync(descriptor);
  }

  /**
   * From now on nobody waits for room: lines that cannot be written at once are kept, within
   * bounds.
   */
  waitNoMore(): void {
    this.#waits = false;
    this.#settleRoom();
  }

  /**
   * Settles when everything written so far has gone out or is lost, with true. After `waitNoMore`
   * it waits for `LAST_WORDS_MS` at most, and settles with false if that was too short.
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

  /**
   * Writes a message of ginit's own behind `ginit:`. Further lines of it are indented, so that none
   * looks like another message.
   */
  say(text: string): void {
    for (const line of messageLines(text, 'ginit: ')) this.#complain(line);
  }

  /** Writes a message without a prefix: errors of a config begin with their place. */
  plain(text: string): void {
    for (const line of messageLines(text, '')) this.#complain(line);
  }

  /** Writes to standard error; nobody waits for these lines. */
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

/** The reason in the host's own words. */
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
