/** The report about a component when its test is over. */
import type { AccountState } from '../session/pd.ts';
import type { OpenedSession } from './child.ts';

/** How a component crashed. */
export interface Crash {
  /** In the words that its parent gets. */
  readonly reason: string;
  /** The error that its main function threw; `undefined` if the test has made it crash. */
  readonly error: unknown;
}

/** Capabilities that a component holds, besides the sessions that it has open. */
export interface UnreleasedCapabilities {
  /** The name of their owner, a peer or a client. */
  readonly owner: string;
  readonly count: number;
}

/**
 * How a component stood when it was ended: after its stop handlers, before anything of it was taken
 * down.
 */
export interface ComponentReport {
  /** The code that it gave to `env.exit`, if it has called that. */
  readonly exitCode: number | undefined;
  readonly crash: Crash | undefined;
  readonly log: readonly string[];
  /** Sessions with scripted peers that it has not closed. They are closed for it. */
  readonly openSessions: readonly OpenedSession[];
  /** Capabilities of others that it has not released; none of one that has crashed. */
  readonly unreleased: readonly UnreleasedCapabilities[];
  /** Its account; `undefined` if it has crashed. */
  readonly account: AccountState | undefined;
  /** Session requests that the test scripts no answer for, each in words. */
  readonly refused: readonly string[];
  /**
   * Further failures: errors in the functions of the test, a stop that did not come to its
   * end.
   */
  readonly problems: readonly string[];
}
