/**
 * The record that a parent keeps of its children: the quota that it has given to each, and which
 * sessions they have with which servers for which donation. A component with children keeps such a
 * ledger so that the simulator, which sees the supervisor's accounts as well, can compare the two.
 * Nobody else reads it.
 */
import type { Env } from './env.ts';
import type { Resources } from '../session/pd.ts';

/** A session that a child has opened. */
export interface LedgerSession {
  /** The number of the session, chosen by the child. */
  readonly id: number;
  readonly service: string;
  /** The name of the child that serves it; `undefined` if its server is above the parent. */
  readonly server: string | undefined;
  /** Everything that the child has donated for it, upgrades included. */
  readonly donation: Resources;
  /** Whether it is being closed: then a part of its donation may be the child's again already. */
  readonly closing: boolean;
}

/** A child. */
export interface LedgerChild {
  readonly name: string;
  /** Whether the child is being taken down: then its quota returns to its parent bit by bit. */
  readonly ending: boolean;
  /** The quota that its account was given when it was started. */
  readonly given: Resources;
  /** In the order in which they were opened. */
  readonly sessions: readonly LedgerSession[];
}

/** Gives all children that a parent has at this moment. */
export type Ledger = () => readonly LedgerChild[];

const ledgers = new WeakMap<Env, Ledger>();

/**
 * Makes `ledger` the source of what the component with this environment believes of its children.
 */
export function keepLedger(env: Env, ledger: Ledger): void {
  ledgers.set(env, ledger);
}

/** The ledger of a component, if it keeps one. */
export function ledgerOf(env: Env): readonly LedgerChild[] | undefined {
  return ledgers.get(env)?.();
}
