/** A LOG session of core: lines for people, with the label of who wrote them. */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { linesOf, visibleText } from '../log-text.ts';
import type { Platform } from './platform.ts';

/** The operations of the `Log` interface over the platform's output. */
export class LogSession {
  readonly #platform: Pick<Platform, 'writeLog'>;
  readonly #label: string;
  #waitingCharacters = 0;

  constructor(platform: Pick<Platform, 'writeLog'>, label: string) {
    this.#platform = platform;
    this.#label = label;
  }

  /** Every line gets the label: no component can write one that looks like another's. They stay together. */
  async write(text: string): Promise<void> {
    if (this.#waitingCharacters + text.length > LIMITS.logSessionCharacters) {
      throw new RpcError('LimitExceeded', 'too much text waits for the output');
    }
    this.#waitingCharacters += text.length;
    try {
      await Promise.all(linesOf(text).map((line) => this.#platform.writeLog(this.#labelled(line))));
    } finally {
      this.#waitingCharacters -= text.length;
    }
  }

  #labelled(line: string): string {
    return visibleText(`[${this.#label}] ${line}`);
  }
}
