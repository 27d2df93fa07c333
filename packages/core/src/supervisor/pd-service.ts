/** The PD service of the supervisor: accounts, and who may use them. */
import { implementationOf } from '../capability/capability.ts';
import { RpcError } from '../errors.ts';
import { type AccountState, Pd, type Resources } from '../session/pd.ts';
import type { Account } from './account.ts';
import type { ThreadsByAccount } from './threads-by-account.ts';

/** A PD session: the operations of the `Pd` interface over one account. */
export class PdSession {
  readonly account: Account;
  readonly #threads: ThreadsByAccount;

  constructor(account: Account, threads: ThreadsByAccount) {
    this.account = account;
    this.#threads = threads;
  }

  allocate(amount: Resources): number {
    // Every allocation has a number that the supervisor must keep, so it costs a capability at
    // least.
    if (amount.caps < 1) throw new RpcError('InvalidArgument', 'an allocation takes at least one capability');
    return this.account.allocate(amount);
  }

  free(allocation: number): void {
    this.account.release(allocation);
  }

  objects(held: number): number {
    return this.account.holdObjects(held);
  }

  state(): AccountState {
    return this.account.state;
  }

  transfer(to: object, amount: Resources): void {
    this.account.transfer(accountOf(to), amount);
  }

  transferUpTo(to: object, amount: Resources): Resources {
    return this.account.transferUpTo(accountOf(to), amount);
  }

  /**
   * First ends the components that run on the account. Components that they have started meanwhile
   * end after it.
   */
  async end(): Promise<Resources> {
    await this.#threads.endOn(this.account);
    const handedOver = this.account.end();
    await this.#threads.endOn(this.account);
    return handedOver;
  }

  setReferenceAccount(reference: object): void {
    this.account.setReference(accountOf(reference));
  }
}

/** The account behind a PD capability that a component has passed. */
export function accountOf(pd: object): Account {
  const implementation = implementationOf(Pd, pd);
  if (!(implementation instanceof PdSession)) throw new RpcError('DENIED', 'not a PD of this core');
  return implementation.account;
}
