/** Accounts as they hang on each other, at one moment. */
import type { AccountState, Resources } from '../session/pd.ts';
import type { Account } from './account.ts';

/** An account with all that hang on it. */
export interface AccountTree {
  readonly label: string;
  readonly state: AccountState;
  /** The quota of all of them together. */
  readonly total: Resources;
  readonly dependents: readonly AccountTree[];
}

/** The accounts from this one on. */
export function accountTree(account: Account): AccountTree {
  const { label, state } = account;
  const dependents = Array.from(account.dependents, accountTree);
  let [ram, caps] = [state.ramQuota, state.capQuota];
  for (const { total } of dependents) {
    ram += total.ram;
    caps += total.caps;
  }
  return { label, state, total: { ram, caps }, dependents };
}
