/**
 * The state of a sandbox as plain data: what the state report, the overview and the *why* of a
 * child are made of.
 */
import type { AccountState, Resources, SessionArguments } from '@ginit/core/system';

/**
 * How far a session has come, at its client as at its server (reference: the session states of
 * Genode's init; both its vocabularies are in `vocabulary.ts`).
 */
export type SessionPhase =
  | 'requested'
  | 'denied'
  | 'short-of-ram'
  | 'short-of-caps'
  | 'available'
  | 'open'
  | 'upgrading'
  | 'closing'
  | 'closed';

/** A session of a child. The label is the one that this child sees, as client or as server. */
export interface SessionStanding {
  readonly service: string;
  readonly label: string;
  readonly phase: SessionPhase;
  /** Everything that was donated for it. */
  readonly donation: Resources;
  readonly args: SessionArguments;
}

/** A child. */
export interface ChildReport {
  readonly name: string;
  readonly binary: string;
  readonly version: string | undefined;
  /** Counts the instances that this init has ever made: a restarted child has a new one. */
  readonly id: number;
  /** Whether its environment is not complete: it does not run yet, or is stuck. */
  readonly incomplete: boolean;
  readonly exited: number | undefined;
  /** 0 for a child without a heartbeat. */
  readonly skippedHeartbeats: number;
  /** What it waits for, in one phrase. */
  readonly why: string | undefined;
  /** The quota that its start node assigns to it, and what init has granted on top. */
  readonly assigned: Resources;
  /** Its account; `undefined` while it has none, or if nobody has asked for it. */
  readonly account: AccountState | undefined;
  /** What it has asked for and not been given. */
  readonly wanted: Resources;
  readonly requested: readonly SessionStanding[];
  readonly provided: readonly SessionStanding[];
}

/** All of a sandbox. */
export interface SandboxReport {
  /** The version of the config that is in force. */
  readonly version: string | undefined;
  /** Init's own account; `undefined` if nobody has asked for it. */
  readonly account: AccountState | undefined;
  /** In the order of the config. */
  readonly children: readonly ChildReport[];
}
