/**
 * Replacements that have failed and are tried again: as often as the `<restart>` of their start
 * node allows, with the pauses between restarts. The count is that of one start node, so a changed
 * one begins anew.
 */
import type { Env } from '@ginit/core';
import type { StartNode } from '../model/index.ts';
import { type RestartRecord, RestartRecords } from './restart-record.ts';

/** How a replacement came to its end before it was complete. */
export interface ReplacementFailure {
  readonly why: string;
  /** Whether it was its own doing, and not that of another child in its process. */
  readonly culprit?: boolean | undefined;
  /** The exit code, if it has exited: 0 is no crash. */
  readonly code?: number;
}

/** The services of the sandbox that this needs. */
export interface ReplacementRetriesHost {
  readonly env: { readonly timer: Pick<Env['timer'], 'elapsedUs' | 'after'> };
  /** It is time to try again. */
  again(name: string): void;
}

interface Waiting {
  /** The reason, if somebody has asked for the replacement: the config does not say it. */
  readonly forced: string | undefined;
  cancel: () => void;
}

/** The attempts that are still to come. */
export class ReplacementRetries {
  readonly #host: ReplacementRetriesHost;
  readonly #records = new RestartRecords();
  readonly #waiting = new Map<string, Waiting>();

  constructor(host: ReplacementRetriesHost) {
    this.#host = host;
  }

  /** Those that somebody has asked for, with the reasons. */
  get forced(): [string, string][] {
    return [...this.#waiting].flatMap(([name, { forced }]): [string, string][] =>
      forced === undefined ? [] : [[name, forced]],
    );
  }

  /**
   * A replacement has failed. Settles as what is said about what follows: `undefined` if it is not
   * tried again at all.
   */
  async failed(
    start: StartNode,
    forced: string | undefined,
    { culprit = true, code }: ReplacementFailure,
  ): Promise<string | undefined> {
    const { name, restart } = start;
    if (!restart || (code === 0 && restart.on !== 'always')) return undefined;
    const waiting: Waiting = { forced, cancel: () => {} };
    this.#waiting.set(name, waiting);
    const record = this.#records.update(start);
    const granted = await this.#grants(record, culprit);
    if (this.#waiting.get(name) !== waiting) return undefined;
    const { max, periodS } = restart;
    if (!granted) {
      this.#waiting.delete(name);
      return `gave up: ${max} failures in ${periodS} s`;
    }
    waiting.cancel = this.#host.env.timer.after(record.pauseMs, () => {
      if (this.#waiting.get(name) === waiting) this.#host.again(name);
    });
    return `it is tried again (${record.count} of ${max} in ${periodS} s)`;
  }

  /** Another attempt begins, or none is wanted any more. */
  cancel(name: string): void {
    this.#waiting.get(name)?.cancel();
    this.#waiting.delete(name);
  }

  /** Only these children are still to be replaced. */
  keep(names: ReadonlySet<string>): void {
    for (const name of this.#waiting.keys()) if (!names.has(name)) this.cancel(name);
    this.#records.keep(names);
  }

  /** Without a Timer session nothing can be counted, and nothing is tried again. */
  async #grants(record: RestartRecord, culprit: boolean): Promise<boolean> {
    try {
      return record.grant(culprit, await this.#host.env.timer.elapsedUs());
    } catch {
      return false;
    }
  }
}
