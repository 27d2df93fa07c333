/**
 * A LOG session of core: lines for people, with the label of who wrote them. What waits for the output is
 * kept as it came, and bounded: a few characters can be as many lines, each of which gets a label.
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

  /** Every line gets the label: no component can write one that looks like another's. They stay together. */
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

  /** Lines may have been lost, and none has come since. */
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
