/**
 * When the state report goes out (reference: Genode's init). What a manager must react to goes out
 * at once; everything else after a delay, in which many changes become one report. Where the report
 * shows the quota of children, it is looked at once a second, and goes out if it is another one.
 *
 * A report is state: however many changes there are, one report is on its way, and one more
 * follows.
 */
import { type CancelTimeout, hasCode } from '@ginit/core';
import { ConfigNode } from '@ginit/core/config';
import type { ReportOptions } from '../model/index.ts';
import { type SandboxReport, stateNode } from '../report/index.ts';

/** The least time between two looks at the quota of children. */
const SAMPLING_MS_MIN = 1000;
/** The error of a report that does not fit its buffer, as Genode has it. */
const BUFFER_EXCEEDED = 'report buffer exceeded';

/** Where reports go. */
export interface ReportSink {
  report(node: ConfigNode): Promise<void>;
  /** Settles when the session is closed. */
  disable(): Promise<void>;
}

/** The services of the sandbox that the reports need. */
export interface StateReporterHost {
  after(ms: number, handler: () => void): CancelTimeout;
  every(ms: number, handler: () => void): CancelTimeout;
  /** The state at this moment, with the accounts that `options` asks for. */
  state(options: ReportOptions): Promise<SandboxReport>;
  /** A sink for reports of up to this size. */
  open(bufferBytes: number): ReportSink;
  warning(text: string): Promise<void>;
}

/** Sends the state reports of one sandbox. */
export class StateReporter {
  readonly #host: StateReporterHost;
  #options: ReportOptions | undefined;
  #sink: ReportSink | undefined;
  #delay: CancelTimeout | undefined;
  #sampling: CancelTimeout | undefined;
  /** The quotas in the newest report, as a text to compare with. */
  #sampled = '';
  #producing = false;
  #again = false;
  /** The last reason why there was no report. It is said once. */
  #failure: string | undefined;

  constructor(host: StateReporterHost) {
    this.#host = host;
  }

  /** Takes the `<report>` of a config; `undefined` ends the reports. Sends none by itself. */
  apply(options: ReportOptions | undefined): void {
    const before = this.#options;
    this.#options = options;
    if (before?.bufferBytes !== options?.bufferBytes) {
      void this.#sink?.disable().catch(() => {});
      this.#sink = options && this.#host.open(options.bufferBytes);
    }
    if (samplingMs(before) !== samplingMs(options)) {
      this.#sampling?.();
      const ms = samplingMs(options);
      this.#sampling = ms === undefined ? undefined : this.#host.every(ms, () => void this.#sample());
    }
    if (!options) this.#cancelDelay();
  }

  /** Something has changed: a report follows after the delay of the config. */
  changed(): void {
    if (!this.#options || this.#delay) return;
    const { delayMs } = this.#options;
    if (delayMs === 0) this.changedNow();
    else this.#delay = this.#host.after(delayMs, () => this.changedNow());
  }

  /** Something has changed that a manager waits for. */
  changedNow(): void {
    this.#cancelDelay();
    if (!this.#options) return;
    this.#again = true;
    if (!this.#producing) void this.#produce();
  }

  /** No more reports. */
  end(): void {
    this.apply(undefined);
  }

  #cancelDelay(): void {
    this.#delay?.();
    this.#delay = undefined;
  }

  async #produce(): Promise<void> {
    this.#producing = true;
    // Changes of one turn become one report.
    await Promise.resolve();
    while (this.#again && this.#options) {
      this.#again = false;
      await this.#send(this.#options);
    }
    this.#producing = false;
  }

  async #send(options: ReportOptions): Promise<void> {
    try {
      const state = await this.#host.state(options);
      this.#sampled = quotasOf(state);
      await this.#sink?.report(stateNode(state, options)).catch(async (error: unknown) => {
        if (!hasCode(error, 'Too_large')) throw error;
        const { version } = state;
        await this.#sink?.report(ConfigNode.make('state', { version, error: BUFFER_EXCEEDED }));
        this.#fails(`${BUFFER_EXCEEDED} (buffer="${options.bufferBytes}")`);
      });
    } catch (error) {
      this.#fails(error instanceof Error ? error.message : String(error));
    }
  }

  #fails(reason: string): void {
    if (this.#failure === reason) return;
    this.#failure = reason;
    void this.#host.warning(`state report: ${reason}`);
  }

  async #sample(): Promise<void> {
    const options = this.#options;
    if (!options || this.#producing) return;
    const state = await this.#host.state(options).catch(() => undefined);
    if (state && quotasOf(state) !== this.#sampled) this.changedNow();
  }
}

function samplingMs(options: ReportOptions | undefined): number | undefined {
  if (!options?.childRam && !options?.childCaps) return undefined;
  return Math.max(SAMPLING_MS_MIN, options.delayMs);
}

function quotasOf({ children }: SandboxReport): string {
  return JSON.stringify(
    children.map(({ name, account, assigned, wanted }) => [name, account, assigned, wanted]),
  );
}
