/**
 * The assertions of a component about itself: that something always holds, or will have come about
 * by its end. An assertion that fails makes a simulated run fail. Elsewhere the component says so
 * in its log, and one that must always hold crashes it.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/**
 * Thrown by `env.assertAlways` for an assertion that does not hold. The component ends even if the
 * error is caught.
 */
export class AssertionFailed extends Error {
  constructor(what: string, above: (...args: never[]) => unknown) {
    super(what);
    this.name = 'AssertionFailed';
    // The stack shows the caller's place first, because that is what people want to see.
    Error.captureStackTrace(this, above);
  }
}

/** Something that a component must bring about before it ends; see `env.assertEventually`. */
export interface Obligation {
  readonly what: string;
  /** Says that it has come about. */
  met(): void;
}

/** The platform's handling of assertions that fail. */
export interface AssertionHost {
  /** Takes a failure of one that must always hold, and ends the component. */
  readonly failed: (error: AssertionFailed) => void;
}

/** How many unmet obligations one line of the log names. */
const NAMED_MAX = 8;
const WHAT_CHARACTERS_MAX = 200;

const shortened = (what: string): string =>
  what.length > WHAT_CHARACTERS_MAX ? `${what.slice(0, WHAT_CHARACTERS_MAX - 1)}…` : what;

/** The assertions of one component. */
export class Assertions {
  readonly #host: AssertionHost;
  readonly #unmet = new Set<Obligation>();

  constructor(host: AssertionHost) {
    this.#host = host;
  }

  /** Obligations that are not met yet, the oldest first. */
  get unmet(): Iterable<Obligation> {
    return this.#unmet;
  }

  /**
   * Throws `AssertionFailed` unless `holds`. `above` is the function whose caller the error names.
   */
  always(holds: boolean, what: string, above: (...args: never[]) => unknown): void {
    if (holds) return;
    const error = new AssertionFailed(shortened(what), above);
    this.#host.failed(error);
    throw error;
  }

  /** A new obligation; `by` meets it when it is fulfilled. Throws `LimitExceeded`. */
  eventually(what: string, by?: Promise<unknown>): Obligation {
    if (this.#unmet.size >= LIMITS.obligations) {
      throw new RpcError('LimitExceeded', `more than ${LIMITS.obligations} unmet obligations`);
    }
    const obligation: Obligation = {
      what: shortened(what),
      met: () => void this.#unmet.delete(obligation),
    };
    this.#unmet.add(obligation);
    // If the promise rejects, the obligation is not met. Whoever made the promise hears of the
    // error.
    by?.then(obligation.met, () => {});
    return obligation;
  }
}

/** The names of obligations, for one line of the log. */
export function nameObligations(obligations: readonly Obligation[]): string {
  const names = obligations.slice(0, NAMED_MAX).map(({ what }) => what);
  const more = obligations.length - names.length;
  return names.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
