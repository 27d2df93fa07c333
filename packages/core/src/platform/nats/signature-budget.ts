/**
 * How many signatures a node looks at. Anybody on the bus may claim to be somebody, and it takes a
 * tenth of a millisecond to know better. So there is a bound for each name, and one for all names
 * that the node has no business with: those do not keep others out.
 */
import { LIMITS } from '../../limits.ts';

const SECOND_US = 1_000_000;

export class SignatureBudget {
  readonly #byName = new Map<string, number>();
  #strangers = 0;
  #sinceUs = 0;

  /** Whether one more signature in this name may be looked at. It is counted. */
  take(name: string, stranger: boolean, nowUs: number): boolean {
    if (nowUs - this.#sinceUs >= SECOND_US) {
      this.#sinceUs = nowUs;
      this.#strangers = 0;
      this.#byName.clear();
    }
    const used = this.#byName.get(name) ?? 0;
    if (used >= LIMITS.busSignaturesPerName) return false;
    if (stranger && this.#strangers++ >= LIMITS.busSignaturesOfStrangers) return false;
    this.#byName.set(name, used + 1);
    return true;
  }
}
