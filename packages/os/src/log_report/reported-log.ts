/** Collects what is logged, and reports it. */
import type { CancelTimeout, Env, Implementation, Log, SessionContext } from '@ginit/core';
import { attribute, element } from '@ginit/core/config';
import { Reporter } from '@ginit/core/report';
import { NewestLines } from './newest-lines.ts';

/** The label of the report. */
const REPORT_LABEL = 'log';

/** The config of `log_report`. */
export const LOG_REPORT_CONFIG = element('config', 'How much is reported, and how often', {
  attributes: {
    lines: attribute.integer('The most lines in a report', { fallback: 100, min: 1, max: 10_000 }),
    buffer: attribute.bytes('Size of the report', {
      fallback: 16 * 1024,
      min: 16 * 1024,
      max: 4 * 1024 * 1024,
    }),
    delay_ms: attribute.integer('Least time between two reports', { fallback: 100, min: 0, max: 3_600_000 }),
    forward: attribute.boolean('Whether the lines also go to the log of this component', { fallback: false }),
  },
});

/** The newest lines of all clients, in one report. */
export class ReportedLog {
  readonly #env: Env;
  readonly #lines: NewestLines;
  #reporter: Reporter;
  #delay: CancelTimeout | undefined;
  /** The last reason why there was no report. It is said once. */
  #failure: string | undefined;

  constructor(env: Env) {
    this.#env = env;
    const { lines, buffer } = env.config.read(LOG_REPORT_CONFIG);
    this.#lines = new NewestLines({ lines, bytes: buffer });
    this.#reporter = new Reporter(env, REPORT_LABEL, { bufferBytes: buffer });
  }

  /** Takes the newest config. */
  async configure(): Promise<void> {
    const { lines, buffer } = this.#env.config.read(LOG_REPORT_CONFIG);
    this.#lines.bounds = { lines, bytes: buffer };
    if (buffer === this.#reporter.bufferBytes) return;
    const before = this.#reporter;
    this.#reporter = new Reporter(this.#env, REPORT_LABEL, { bufferBytes: buffer });
    await before.disable().catch(() => {});
    await this.#report();
  }

  /** Answers a client. It waits for its lines only where they go on to another log. */
  open({ label }: SessionContext<typeof Log>): Implementation<typeof Log> {
    return {
      write: async (text) => {
        this.#lines.add(label.text, text);
        this.#changed();
        const { forward } = this.#env.config.read(LOG_REPORT_CONFIG);
        if (forward) await this.#env.log(text.replaceAll(/^/gm, `[${label.text}] `));
      },
    };
  }

  /** Reports what waits for the end of a delay. */
  async flush(): Promise<void> {
    if (this.#delay) await this.#report();
  }

  #changed(): void {
    if (this.#delay) return;
    const { delay_ms: delayMs } = this.#env.config.read(LOG_REPORT_CONFIG);
    this.#delay = this.#env.timer.after(delayMs, () => this.#report());
  }

  async #report(): Promise<void> {
    this.#delay?.();
    this.#delay = undefined;
    try {
      await this.#reporter.report(this.#lines.report);
      this.#failure = undefined;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (reason !== this.#failure) void this.#env.warning(`the log is not reported: ${reason}`);
      this.#failure = reason;
    }
  }
}
