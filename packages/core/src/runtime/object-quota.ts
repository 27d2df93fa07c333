/**
 * Objects of a component that others hold are paid for by its capability quota: one each, however many hold it, from the
 * first time it is passed until the last holder has given it back. Passing a capability does not wait for anybody, the
 * account is core's; so core is told the number once a turn, and says how many the account can pay for. A component that has
 * spent that on something else in the meantime may be a few objects ahead. Session objects are not counted: their clients
 * have donated for them.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/** Tells core how many objects others hold; the result is how many the account can pay for in all. */
export type ReportObjects = (held: number) => Promise<number>;

/** The held objects of one component. */
export class ObjectQuota {
  readonly #schedule: (turn: () => void) => void;
  #report: ReportObjects | undefined;
  #held = 0;
  /** How many core could pay for when it was last told, and whether that was less than others held. */
  #payable = 0;
  #short = false;
  #reporting = false;

  constructor(schedule: (turn: () => void) => void) {
    this.#schedule = schedule;
  }

  /** Objects that others hold. */
  get held(): number {
    return this.#held;
  }

  /** The component's account is there: from now on objects are paid for. */
  open(report: ReportObjects): void {
    this.#report = report;
    this.#changed();
  }

  /** One more object is to be passed. Throws `OUT_OF_CAPS` if the account cannot pay for it. */
  take(): void {
    const ahead = this.#report ? this.#held - this.#payable : 0;
    const short = this.#short;
    if (short || ahead >= LIMITS.objectsOverdrawn) {
      // The account may have been upgraded in the meantime: the next one may be in luck.
      this.#changed();
      const what = short
        ? 'the capability quota is used up (raise caps= in the start node)'
        : 'too many at once';
      throw new RpcError('OUT_OF_CAPS', `${what}: others hold ${this.#held} objects of this component`);
    }
    this.#held++;
    this.#changed();
  }

  /** Nobody holds one of them any more. */
  giveBack(): void {
    this.#held--;
    this.#changed();
  }

  #changed(): void {
    if (this.#reporting || !this.#report) return;
    this.#reporting = true;
    this.#schedule(() => void this.#tell());
  }

  async #tell(): Promise<void> {
    try {
      let told: number;
      do {
        told = this.#held;
        this.#payable = (await this.#report?.(told)) ?? told;
        this.#short = this.#payable < told;
      } while (told !== this.#held);
    } catch {
      // Core is gone: so will be everything else.
    } finally {
      this.#reporting = false;
    }
  }
}
