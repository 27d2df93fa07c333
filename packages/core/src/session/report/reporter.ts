/** The client's side of a Report session: reports of one name, the newest of which counts. */
import { hasCode, RpcError } from '../../errors.ts';
import type { ConfigNode } from '../../config/index.ts';
import { writeXml } from '../../config/syntax/index.ts';
import type { Session } from '../../interface/interface.ts';
import type { SessionOpening } from '../session-opening.ts';
import { Report, REPORT_BUFFER_BYTES_DEFAULT, REPORT_ERRORS } from './declaration.ts';

/** Options of a `Reporter`. */
export interface ReporterOptions {
  /** The size of the largest report in bytes; 4096 unless told. It is donated to the server. */
  readonly bufferBytes?: number;
  /** Whether reports go out from the beginning; they do unless told. */
  readonly enabled?: boolean;
  /** Makes the text of a report: `writeXml` unless told, or `writeHid`. */
  readonly write?: (node: ConfigNode) => string;
}

/**
 * Reports the state of a component under one name.
 *
 *     const reporter = new Reporter(env, 'partitions', { bufferBytes: 8192 });
 *     await reporter.report(ConfigNode.make('partitions', { type: 'gpt' }));
 *
 * The session is opened by the first report. One report is on its way at a time; of those that are
 * made meanwhile only the newest goes out. A report that finds the server gone rejects, and the
 * next one asks for a session again. In a component with `reattach="yes"` a new server is given the
 * last report at once.
 */
export class Reporter {
  readonly label: string;
  readonly bufferBytes: number;
  readonly #env: SessionOpening;
  readonly #write: (node: ConfigNode) => string;
  #enabled: boolean;
  #session: Session<typeof Report> | undefined;
  /**
   * Whether the server of the session was found gone. The session is closed by the next report, not
   * at once: a session that is closed is not healed.
   */
  #dead = false;
  /** The report that goes out next. */
  #newest: Uint8Array | undefined;
  /** The report that went out last. */
  #last: Uint8Array | undefined;
  #sending: Promise<void> | undefined;

  /** Opens nothing yet. `label` names the report. */
  constructor(env: SessionOpening, label: string, options: ReporterOptions = {}) {
    const { bufferBytes = REPORT_BUFFER_BYTES_DEFAULT, enabled = true, write = writeXml } = options;
    this.label = label;
    this.bufferBytes = bufferBytes;
    this.#env = env;
    this.#enabled = enabled;
    this.#write = write;
  }

  /** Whether reports go out. */
  get enabled(): boolean {
    return this.#enabled;
  }

  /** From now on reports go out. */
  enable(): void {
    this.#enabled = true;
  }

  /**
   * From now on reports are dropped. Settles when the session is closed and its donation is back.
   */
  async disable(): Promise<void> {
    this.#enabled = false;
    this.#newest = undefined;
    await this.#sending?.catch(() => {});
    await this.#close();
  }

  /**
   * Reports a tree. Settles when the server has it, or a newer one. Rejects with `Too_large` if it
   * does not fit the buffer (nothing of it goes out then, and the report before it stays), with
   * `SessionError` if no session can be had, and with `PeerGone`. Does nothing while disabled.
   */
  async report(node: ConfigNode): Promise<void> {
    if (this.#enabled) await this.submit(new TextEncoder().encode(this.#write(node)));
  }

  /** Reports a text that is written already, likewise. */
  async submit(content: Uint8Array): Promise<void> {
    if (!this.#enabled) return;
    if (content.byteLength > this.bufferBytes) {
      throw new RpcError(
        'Too_large',
        `report "${this.label}" has ${content.byteLength} bytes, and its buffer only ${this.bufferBytes}`,
      );
    }
    this.#newest = content;
    this.#sending ??= this.#send();
    await this.#sending;
  }

  /**
   * Sends until there is nothing newer. It gives its place away in the step in which it finds that.
   */
  async #send(): Promise<void> {
    // The caller has to have the promise first; and reports of one turn become one.
    await Promise.resolve();
    let used: Session<typeof Report> | undefined;
    try {
      for (let content = this.#take(); content !== undefined; content = this.#take()) {
        if (this.#dead) await this.#close().catch(() => {});
        this.#session ??= await this.#connect();
        used = this.#session;
        this.#last = content;
        await used.submit(content);
      }
    } catch (error) {
      this.#newest = undefined;
      const dead = !REPORT_ERRORS.some((code) => hasCode(error, code));
      // Another session may have taken its place meanwhile.
      if (dead && used === this.#session) this.#dead = true;
      throw error;
    } finally {
      this.#sending = undefined;
    }
  }

  #connect(): Promise<Session<typeof Report>> {
    const { label, bufferBytes } = this;
    const onReattach = async (session: Session<typeof Report>): Promise<void> => {
      this.#session = session;
      this.#dead = false;
      if (this.#last) await this.submit(this.#newest ?? this.#last);
    };
    return this.#env.connect(Report, { label, args: { buffer_size: bufferBytes }, onReattach });
  }

  #take(): Uint8Array | undefined {
    const content = this.#newest;
    this.#newest = undefined;
    return content;
  }

  async #close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    this.#dead = false;
    if (session) await this.#env.close(session);
  }
}
