/**
 * Accounts of the supervisor as init sees them, in one thread: the operations of `Pd` over real
 * accounts.
 */
import type { Capability } from '@ginit/core';
import type { Pd } from '@ginit/core/system';
import { Account } from '../../core/src/supervisor/account.ts';

type PdCapability = Capability<typeof Pd>;

/** Accounts below one of init's, which has the given quota. */
export class Accounts {
  readonly init: Account;
  readonly pd: PdCapability;
  readonly #behind = new Map<object, Account>();

  constructor(ram: number, caps: number) {
    this.init = new Account('init', { ram, caps });
    this.pd = this.#capabilityOf(this.init);
  }

  /** A child's account with the given part of init's quota. */
  child(label: string, ram: number, caps: number): { readonly account: Account; readonly pd: PdCapability } {
    const account = new Account(label);
    account.setReference(this.init);
    this.init.transfer(account, { ram, caps });
    return { account, pd: this.#capabilityOf(account) };
  }

  #capabilityOf(account: Account): PdCapability {
    const to = (pd: object): Account => {
      const found = this.#behind.get(pd);
      if (!found) throw new Error('no account of this test');
      return found;
    };
    const capability: PdCapability = {
      allocate: async (amount) => account.allocate(amount),
      free: async (allocation) => account.release(allocation),
      objects: async (held) => account.holdObjects(held),
      state: async () => account.state,
      transfer: async (pd, amount) => account.transfer(to(pd), amount),
      transferUpTo: async (pd, amount) => account.transferUpTo(to(pd), amount),
      end: async () => account.end(),
      setReferenceAccount: async (pd) => account.setReference(to(pd)),
      [Symbol.dispose]: () => {},
    };
    this.#behind.set(capability, account);
    return capability;
  }
}
