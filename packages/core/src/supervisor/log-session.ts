/**
 * A LOG session of the supervisor: lines for people, each with the label of the component that
 * wrote it. Text that waits for the output is kept as it came and bounded in that form: cut into
 * lines, a few characters can become many lines with a label each.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { linesOf } from '../log-text.ts';
import type { Platform } from './platform.ts';

/** The operations of the `Log` interface over the platform's output. */
export class LogSession {
  readonly #platform: Pick<Platform, 'writeLog'>;
  readonly #prefix: string;
  #waitingCharacters = 0;
  #lost = 0;

  constructor(platform: Pick<Platform, 'writeLog'>, label: string) {
    this.#platform = platform;
    this.#prefix = `[${label}] `;
  }

  /**
   * Writes lines of the component together, each behind its label, so that no component can write a
   * line that looks like another's.
   */
  async write(text: string): Promise<void> {
    const characters = text.length + LIMITS.logCallCharacters;
    if (this.#waitingCharacters + characters > LIMITS.logSessionCharacters) {
      this.#lost += linesOf(text).length;
      throw new RpcError('LimitExceeded', 'too much text waits for the output');
    }
    this.#waitingCharacters += characters;
    try {
      const told = this.#sayLost();
      await Promise.all([told, this.#platform.writeLog(text, this.#prefix)]);
    } finally {
      this.#waitingCharacters -= characters;
    }
  }

  /** Says how many lines were lost, if no line has come since that could have said so. */
  [Symbol.dispose](): void {
    void this.#sayLost().catch(() => {});
  }

  async #sayLost(): Promise<void> {
    if (this.#lost === 0) return;
    const text = `Warning: ${this.#lost} log lines lost: they came faster than the output took them`;
    this.#lost = 0;
    await this.#platform.writeLog(text, this.#prefix);
  }
}
