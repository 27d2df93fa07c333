/**
 * Objects of a component that others hold are paid from its capability quota: one capability for
 * each, however many hold it, from the first time it is passed until the last holder has given it
 * back. Passing a capability must not wait, but the account is with the supervisor. So the
 * supervisor is told the number once a turn, and answers how many the account can pay for. A
 * component that has spent its quota on something else meanwhile may be a few objects ahead.
 * Session objects are not counted, because their clients have donated for them.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/**
 * Tells the supervisor how many objects others hold. Resolves to how many the account can pay for.
 */
export type ReportObjects = (held: number) => Promise<number>;

/** Counts the objects of one component that others hold. */
export class ObjectQuota {
  readonly #schedule: (turn: () => void) => void;
  #report: ReportObjects | undefined;
  #held = 0;
  /**
   * How many the account could pay for when the supervisor was last told, and whether that was too
   * few.
   */
  #payable = 0;
  #short = false;
  #reporting = false;

  constructor(schedule: (turn: () => void) => void) {
    this.#schedule = schedule;
  }

  /** The number of objects that others hold. */
  get held(): number {
    return this.#held;
  }

  /** The component has its account: from now on objects are paid for. */
  open(report: ReportObjects): void {
    this.#report = report;
    this.#changed();
  }

  /**
   * Counts one more object that is about to be passed. Throws `OUT_OF_CAPS` if the account cannot
   * pay.
   */
  take(): void {
    const ahead = this.#report ? this.#held - this.#payable : 0;
    const short = this.#short;
    if (short || ahead >= LIMITS.objectsOverdrawn) {
      // The account may have been upgraded meanwhile, so the next attempt may succeed.
      this.#changed();
      const what = short
        ? 'the capability quota is used up (raise caps= in the start node)'
        : 'too many at once';
      throw new RpcError('OUT_OF_CAPS', `${what}: others hold ${this.#held} objects of this component`);
    }
    this.#held++;
    this.#changed();
  }

  /** Counts one object less: its last holder has given it back. */
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
      // The supervisor is gone, and the component will be soon.
    } finally {
      this.#reporting = false;
    }
  }
}
