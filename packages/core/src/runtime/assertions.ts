/**
 * What a component says of itself that must hold: always, or by its end. In the simulator an assertion that does not
 * hold is the run's failure; elsewhere the component says so in its log, and one that must always hold crashes it.
 */
import { RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

/** Thrown where `env.assertAlways` was called with what does not hold. The component ends whether it is caught or not. */
export class AssertionFailed extends Error {
  constructor(what: string, above: (...args: never[]) => unknown) {
    super(what);
    this.name = 'AssertionFailed';
    // The place that people want to see is the caller's.
    Error.captureStackTrace(this, above);
  }
}

/** Something that a component must bring about before it ends. */
export interface Obligation {
  readonly what: string;
  /** It has come about. */
  met(): void;
}

/** What becomes of assertions that do not hold. */
export interface AssertionHost {
  /** One that must always hold; the component is to end. */
  readonly failed: (error: AssertionFailed) => void;
}

/** Unmet obligations that are named one by one in a line of the log. */
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

  /** Fails unless `holds`. `above` is the function whose caller is named. */
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
    // A promise that rejects meets nothing; whose it is will hear of it.
    by?.then(obligation.met, () => {});
    return obligation;
  }
}

/** Names of obligations, for a line of the log. */
export function nameObligations(obligations: readonly Obligation[]): string {
  const names = obligations.slice(0, NAMED_MAX).map(({ what }) => what);
  const more = obligations.length - names.length;
  return names.join('; ') + (more > 0 ? `; and ${more} more` : '');
}
