/**
 * What a parent believes of its children: which quota it has given to whom, and which sessions they have with whom for which
 * donation. A component that has children keeps a ledger, so that whoever can see core's accounts as well (the simulator) can
 * compare the two. Nobody else reads it.
 */
import type { Env } from './env.ts';
import type { Resources } from '../session/pd.ts';

/** A session that a child has opened. */
export interface LedgerSession {
  /** Chosen by the child. */
  readonly id: number;
  readonly service: string;
  /** Name of the child that serves it; nothing if it is served by somebody above. */
  readonly server: string | undefined;
  /** What the child has paid for it, all upgrades included. */
  readonly donation: Resources;
  /** It is being closed: what comes back of its donation may be the child's again already. */
  readonly closing: boolean;
}

/** A child. */
export interface LedgerChild {
  readonly name: string;
  /** Whether it is being taken down: what is its own goes to its parent bit by bit. */
  readonly ending: boolean;
  /** What its account was given when it was started. */
  readonly given: Resources;
  /** In the order in which they were opened. */
  readonly sessions: readonly LedgerSession[];
}

/** All children that a parent has at this moment. */
export type Ledger = () => readonly LedgerChild[];

const ledgers = new WeakMap<Env, Ledger>();

/** From now on `ledger` says what the component with this environment believes of its children. */
export function keepLedger(env: Env, ledger: Ledger): void {
  ledgers.set(env, ledger);
}

/** The ledger of a component, if it keeps one. */
export function ledgerOf(env: Env): readonly LedgerChild[] | undefined {
  return ledgers.get(env)?.();
}
