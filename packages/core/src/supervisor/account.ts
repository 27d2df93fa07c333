/**
 * Accounts: who may use how much RAM and how many capabilities. Quota is conserved: it is only ever moved, between
 * an account and its reference account, and what an account had goes to its reference account when it ends.
 */
import { assert, RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { AccountState, Resources } from '../session/pd.ts';

function checkAmount(amount: Resources): void {
  const { ram, caps } = amount;
  assert(
    Number.isSafeInteger(ram) && ram >= 0 && Number.isSafeInteger(caps) && caps >= 0,
    'amounts are whole',
  );
}

/** One account. */
export class Account {
  readonly label: string;
  #ramQuota: number;
  #capQuota: number;
  #ramUsed = 0;
  #capUsed = 0;
  #ramPeak = 0;
  /** Objects that others hold of the component, as far as they are paid for. */
  #objects = 0;
  #reference: Account | undefined;
  /** Live accounts whose reference this one is. */
  readonly #dependents = new Set<Account>();
  #nextAllocation = 1;
  #ended = false;
  #denied: { readonly of: 'ram' | 'caps'; readonly taken: () => void } | undefined;
  readonly #allocations = new Map<number, Resources>();

  constructor(label: string, quota: Resources = { ram: 0, caps: 0 }) {
    checkAmount(quota);
    this.label = label;
    this.#ramQuota = quota.ram;
    this.#capQuota = quota.caps;
  }

  get state(): AccountState {
    return {
      ramQuota: this.#ramQuota,
      ramUsed: this.#ramUsed,
      capQuota: this.#capQuota,
      capUsed: this.#capUsed,
    };
  }

  /** The most RAM that was in use at a time, in bytes. */
  get ramPeak(): number {
    return this.#ramPeak;
  }

  /** What is neither used nor given away. */
  get free(): Resources {
    return { ram: this.#ramQuota - this.#ramUsed, caps: this.#capQuota - this.#capUsed };
  }

  /** The quota of this account and of all that hang on it: moving quota among them changes nothing. */
  get total(): Resources {
    let [ram, caps] = [this.#ramQuota, this.#capQuota];
    for (const { total } of this.#dependents) {
      ram += total.ram;
      caps += total.caps;
    }
    return { ram, caps };
  }

  /** Takes resources into use. Throws `OUT_OF_RAM` or `OUT_OF_CAPS`. */
  allocate(amount: Resources): number {
    this.#require(amount);
    this.#denyOnce(amount);
    if (this.#allocations.size >= LIMITS.allocationsPerAccount) {
      throw new RpcError('OUT_OF_CAPS', `${this.label}: too many allocations`);
    }
    this.#ramUsed += amount.ram;
    this.#capUsed += amount.caps;
    this.#ramPeak = Math.max(this.#ramPeak, this.#ramUsed);
    const allocation = this.#nextAllocation++;
    this.#allocations.set(allocation, amount);
    return allocation;
  }

  /**
   * For tests of what becomes of that: the next allocation is refused as if nothing were left. `taken` is called then, or
   * when it cannot happen any more.
   */
  denyNext(of: 'ram' | 'caps', taken: () => void): void {
    this.#denied?.taken();
    this.#denied = { of, taken };
    if (this.#ended) this.#takeDenial();
  }

  #denyOnce(amount: Resources): void {
    if (!this.#denied || amount[this.#denied.of] === 0) return;
    const { of } = this.#denied;
    this.#takeDenial();
    throw new RpcError(
      of === 'ram' ? 'OUT_OF_RAM' : 'OUT_OF_CAPS',
      `${this.label}: refused by the fault plan`,
    );
  }

  #takeDenial(): void {
    const denied = this.#denied;
    this.#denied = undefined;
    denied?.taken();
  }

  /** Ends an allocation. Unknown ones are ignored: their account may have ended in between. */
  release(allocation: number): void {
    const amount = this.#allocations.get(allocation);
    if (!amount) return;
    this.#allocations.delete(allocation);
    this.#ramUsed -= amount.ram;
    this.#capUsed -= amount.caps;
    assert(this.#ramUsed >= 0 && this.#capUsed >= 0, 'no more is freed than was used');
  }

  /** Pays for so many objects in all that others hold, or for as many as it can; the result is how many that would be. */
  holdObjects(held: number): number {
    const payable = this.#objects + Math.max(0, this.free.caps);
    const paid = Math.min(held, payable);
    this.#capUsed += paid - this.#objects;
    this.#objects = paid;
    return payable;
  }

  /** Sets the reference account; only once, and never in a circle. */
  setReference(reference: Account): void {
    if (this.#reference) throw new RpcError('DENIED', 'the account has a reference account');
    for (let account: Account | undefined = reference; account; account = account.#reference) {
      if (account === this) throw new RpcError('DENIED', 'an account cannot be its own reference account');
    }
    this.#reference = reference;
    reference.#dependents.add(this);
  }

  /** Moves free quota to the reference account, or to an account that has this one as its reference. */
  transfer(to: Account, amount: Resources): void {
    if (to !== this.#reference && to.#reference !== this) {
      throw new RpcError('DENIED', 'quota moves only between an account and its reference account');
    }
    if (to.#ended || this.#ended) throw new RpcError('DENIED', 'the account has ended');
    this.#require(amount);
    this.#move(to, amount);
  }

  /** Ends the account: all its quota, used or not, goes back to its reference account. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#takeDenial();
    this.#allocations.clear();
    this.#ramUsed = 0;
    this.#capUsed = 0;
    this.#objects = 0;
    if (!this.#reference) return;
    this.#move(this.#reference, { ram: this.#ramQuota, caps: this.#capQuota });
    this.#reference.#dependents.delete(this);
  }

  #move(to: Account, amount: Resources): void {
    this.#ramQuota -= amount.ram;
    this.#capQuota -= amount.caps;
    to.#ramQuota += amount.ram;
    to.#capQuota += amount.caps;
  }

  #require(amount: Resources): void {
    checkAmount(amount);
    const { ram, caps } = this.free;
    if (amount.ram > ram) {
      throw new RpcError(
        'OUT_OF_RAM',
        `${this.label}: ${amount.ram} bytes wanted, ${ram} of ${this.#ramQuota} free`,
      );
    }
    if (amount.caps > caps) {
      throw new RpcError(
        'OUT_OF_CAPS',
        `${this.label}: ${amount.caps} caps wanted, ${caps} of ${this.#capQuota} free`,
      );
    }
  }
}
