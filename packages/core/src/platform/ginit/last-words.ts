/**
 * The text that a domain process writes to its standard output and error. Before it aborts, V8 and
 * Node say why at length. That text is kept back and told to nobody, except for the reason. But
 * component code in the process can write the same words, so they count only if the process really
 * aborts. If it does not, they are lines like any other, told late.
 */
import { ABORTS, type FatalReport, parseFatalReport, saysNoMemory } from '../wire/crash-reason.ts';

/**
 * First lines of what V8 prints before it aborts; the rest is of no use to anybody but V8's
 * developers.
 */
const ABORT_NOISE = /^(<--- Last few GCs --->|FATAL ERROR|#|\d*: 0x[0-9a-f]+ )/;
/** The longest text of an abort. A process that writes more than this is alive. */
const KEPT_BACK_CHARACTERS = 1024 * 1024;
/**
 * How long lines are kept back. A process that aborts is gone by then; if it is only slow, its
 * words are worth showing.
 */
const PATIENCE_MS = 10_000;
/** The exit code of a process that aborts on a system without signals. */
const ABORT_CODE = 134;

/** The lines of one process. */
export class LastWords {
  readonly #tell: (line: string) => void;
  #report: FatalReport | undefined;
  #saidNoMemory = false;
  #keptBack: string[] | undefined;
  #characters = 0;
  #patience: NodeJS.Timeout | undefined;

  /** `tell` takes the lines that are for people. */
  constructor(tell: (line: string) => void) {
    this.#tell = tell;
  }

  /** Whether a line said that the process gets no memory. */
  get saidNoMemory(): boolean {
    return this.#saidNoMemory;
  }

  /** Takes a line. */
  line(line: string): void {
    // The last report counts, because Node writes its own when no other code of the process can
    // write any more.
    const report = parseFatalReport(line);
    this.#report = report ?? this.#report;
    this.#saidNoMemory ||= saysNoMemory(line);
    if (!this.#keptBack && (report || ABORT_NOISE.test(line))) this.#begin();
    if (!this.#keptBack) return this.#say(line);
    this.#keptBack.push(line);
    this.#characters += line.length + 1;
    if (this.#characters > KEPT_BACK_CHARACTERS) this.#release();
  }

  /**
   * The process has ended with this code or signal. The result is its report, if it has written one
   * that can be believed.
   */
  end(code: number | null, signal: NodeJS.Signals | null): FatalReport | undefined {
    const aborted = code === ABORT_CODE || (signal !== null && ABORTS.has(signal));
    if (aborted) this.#keptBack = undefined;
    this.#release();
    return aborted ? this.#report : undefined;
  }

  #begin(): void {
    this.#keptBack = [];
    this.#characters = 0;
    this.#patience = setTimeout(() => this.#release(), PATIENCE_MS).unref();
  }

  #release(): void {
    clearTimeout(this.#patience);
    const lines = this.#keptBack ?? [];
    this.#keptBack = undefined;
    for (const line of lines) this.#say(line);
  }

  #say(line: string): void {
    if (line.trim() !== '') this.#tell(line);
  }
}
