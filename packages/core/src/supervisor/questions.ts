/**
 * Questions to components that may hang. Whoever asks does not wait longer than `TIMEOUT_US`, and a
 * component that has not answered yet is not asked a second time.
 */
import { RpcError } from '../errors.ts';
import type { Platform } from './platform.ts';

const TIMEOUT_US = 500_000;

/** One kind of question. `answered` is called with each answer, however late it comes. */
export class Questions<Subject extends object, Answer> {
  readonly #platform: Pick<Platform, 'after'>;
  readonly #warn: (text: string) => void;
  readonly #put: (subject: Subject) => Promise<Answer>;
  /** Questions that are not answered yet. */
  readonly #asked = new Map<Subject, Promise<Answer | undefined>>();

  constructor(
    platform: Pick<Platform, 'after'>,
    warn: (text: string) => void,
    put: (subject: Subject) => Promise<Answer>,
  ) {
    this.#platform = platform;
    this.#warn = warn;
    this.#put = put;
  }

  /** The answer; `undefined` if there is none in time, or if the component is gone. */
  async ask(subject: Subject): Promise<Answer | undefined> {
    const answer = this.#asked.get(subject) ?? this.#question(subject);
    return new Promise((resolve) => {
      const cancel = this.#platform.after(TIMEOUT_US, () => resolve(undefined));
      void answer.then((value) => {
        cancel();
        resolve(value);
      });
    });
  }

  #question(subject: Subject): Promise<Answer | undefined> {
    const answer = this.#put(subject)
      .catch((error: unknown) => {
        if (!(error instanceof RpcError)) this.#warn(String(error));
        return undefined;
      })
      .finally(() => this.#asked.delete(subject));
    this.#asked.set(subject, answer);
    return answer;
  }
}
