/** Accounts as they hang on each other, copied at one moment. */
import type { AccountState, Resources } from '../session/pd.ts';
import type { Account } from './account.ts';

/** An account, with all accounts that hang on it. */
export interface AccountTree {
  readonly label: string;
  readonly state: AccountState;
  /** The quota of this account and of all that hang on it. */
  readonly total: Resources;
  readonly dependents: readonly AccountTree[];
}

/** A copy of the tree of accounts below `account`, itself included. */
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
