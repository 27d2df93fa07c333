/**
 * Accounts: who may use how much RAM and how many capabilities. Quota is conserved: it is only ever
 * moved, between an account and its reference account, and what an account had goes to its
 * reference account when it ends.
 *
 * The reference of a live account is alive: accounts that hung on one that ends hang on its
 * reference from then on. So whatever the order of ends, everything arrives at the nearest ancestor
 * that lives.
 */
import { assert, RpcError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import type { AccountState, Resources } from '../session/pd.ts';
import type { NodeLedger } from './node-ledger.ts';

function checkAmount(amount: Resources): void {
  const { ram, caps } = amount;
  assert(
    Number.isSafeInteger(ram) && ram >= 0 && Number.isSafeInteger(caps) && caps >= 0,
    'amounts are whole',
  );
}

/** The quota of one component: how much it has, and how much of that is in use. */
export class Account {
  readonly label: string;
  #ramQuota: number;
  #capQuota: number;
  #ramUsed = 0;
  #capUsed = 0;
  #ramPeak = 0;
  /** The number of the component's objects that others hold and that this account pays for. */
  #objects = 0;
  #reference: Account | undefined;
  /**
   * The ledger of the node whose memory the quota is, where there is more than one node. Accounts
   * that hang on this one begin with it.
   */
  #ledger: NodeLedger | undefined;
  /** Live accounts that have this one as their reference account. */
  readonly #dependents = new Set<Account>();
  #nextAllocation = 1;
  /** The quota that went to the reference account when this account ended. */
  #handedOver: Resources | undefined;
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

  /** The part of the quota that is not in use. */
  get free(): Resources {
    return { ram: this.#ramQuota - this.#ramUsed, caps: this.#capQuota - this.#capUsed };
  }

  /**
   * The quota of this account and of all that hang on it: moving quota among them changes nothing.
   */
  get total(): Resources {
    let [ram, caps] = [this.#ramQuota, this.#capQuota];
    for (const { total } of this.#dependents) {
      ram += total.ram;
      caps += total.caps;
    }
    return { ram, caps };
  }

  /** Live accounts that have this one as their reference. */
  get dependents(): Iterable<Account> {
    return this.#dependents;
  }

  get ended(): boolean {
    return this.#handedOver !== undefined;
  }

  /**
   * Takes resources into use. Throws `OUT_OF_RAM` or `OUT_OF_CAPS`, and `DENIED` once the account
   * has ended.
   */
  allocate(amount: Resources): number {
    this.#mustLive();
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
   * For tests of what becomes of a refusal: the next allocation of this resource is refused as if
   * nothing were left. `taken` is called when that has happened, or cannot happen any more.
   */
  denyNext(of: 'ram' | 'caps', taken: () => void): void {
    this.#denied?.taken();
    this.#denied = { of, taken };
    if (this.ended) this.#takeDenial();
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

  /**
   * Ends an allocation. An unknown number is ignored, because the account may have ended meanwhile.
   */
  release(allocation: number): void {
    const amount = this.#allocations.get(allocation);
    if (!amount) return;
    this.#allocations.delete(allocation);
    this.#ramUsed -= amount.ram;
    this.#capUsed -= amount.caps;
    assert(this.#ramUsed >= 0 && this.#capUsed >= 0, 'no more is freed than was used');
  }

  /**
   * Pays for `held` objects that others hold, or for as many of them as it can. The result is how
   * many that would be.
   */
  holdObjects(held: number): number {
    const payable = this.#objects + Math.max(0, this.free.caps);
    const paid = Math.min(held, payable);
    this.#capUsed += paid - this.#objects;
    this.#objects = paid;
    return payable;
  }

  /** The ledger of the node that its quota is memory of. */
  get ledger(): NodeLedger | undefined {
    return this.#ledger;
  }

  /** The quota of the whole system is memory of this node, until some of it moves. */
  endow(ledger: NodeLedger): void {
    assert(this.#ledger === undefined && this.#dependents.size === 0, 'an account is endowed at its birth');
    this.#ledger = ledger;
    ledger.use(this.#ramQuota);
    ledger.book(this.#ramQuota);
  }

  /**
   * The component of this account runs on another node from now on. False if that node lends too
   * little for its quota.
   */
  settleOn(ledger: NodeLedger): boolean {
    const before = this.#ledger;
    if (this.ended || before === undefined || !this.#reference || this.#dependents.size > 0) return false;
    const bytes = this.#ramQuota;
    const isNew = !this.#reference.#comesThrough(ledger);
    if (before !== ledger && isNew && ledger.prepaidBytes < bytes) return false;
    before.book(-bytes);
    if (!this.#reference.#comesThrough(before)) before.use(-bytes);
    if (isNew) ledger.use(bytes);
    ledger.book(bytes);
    this.#ledger = ledger;
    return true;
  }

  /** Whether its quota is on the node, or comes through it on its way from the root. */
  #comesThrough(ledger: NodeLedger): boolean {
    return this.#way().includes(ledger);
  }

  /** Counts its quota, and all that hangs on it, on each node of their ways; or takes that back. */
  #countWays(sign: 1 | -1): void {
    for (const ledger of new Set(this.#way())) ledger.use(sign * this.#ramQuota);
    for (const dependent of this.#dependents) dependent.#countWays(sign);
  }

  /** The nodes from its own up to the root. */
  #way(): NodeLedger[] {
    const way = this.#ledger === undefined ? [] : [this.#ledger];
    for (let account = this.#reference; account; account = account.#reference) {
      if (account.#ledger) way.push(account.#ledger);
    }
    return way;
  }

  /** Sets the reference account. That is possible only once, and never in a circle. */
  setReference(reference: Account): void {
    if (this.#reference) throw new RpcError('DENIED', 'the account has a reference account');
    this.#mustLive();
    reference.#mustLive();
    for (let account: Account | undefined = reference; account; account = account.#reference) {
      if (account === this) throw new RpcError('DENIED', 'an account cannot be its own reference account');
    }
    this.#hangOn(reference);
  }

  /**
   * Moves free quota to the reference account, or to an account that has this one as its reference.
   */
  transfer(to: Account, amount: Resources): void {
    this.#mustReach(to);
    this.#require(amount);
    if (to !== this.#reference) this.#requireRoom(to, amount.ram);
    this.#move(to, amount);
  }

  /**
   * Moves what is free, up to `amount`, in one step. The result is how much that was. Otherwise as
   * `transfer`.
   */
  transferUpTo(to: Account, amount: Resources): Resources {
    checkAmount(amount);
    this.#mustReach(to);
    const { ram, caps } = this.free;
    const room = to === this.#reference ? ram : this.#roomOf(to);
    const moved = { ram: Math.min(amount.ram, ram, room), caps: Math.min(amount.caps, caps) };
    this.#move(to, moved);
    return moved;
  }

  /**
   * Ends the account: all its quota, in use or not, goes to its reference account, and the accounts
   * that hang on it hang on that one from then on. The result is how much quota went there. Ending
   * it again gives the same answer.
   */
  end(): Resources {
    if (this.#handedOver) return this.#handedOver;
    const reference = this.#reference;
    const all = { ram: this.#ramQuota, caps: this.#capQuota };
    this.#handedOver = reference ? all : { ram: 0, caps: 0 };
    this.#takeDenial();
    this.#allocations.clear();
    this.#ramUsed = 0;
    this.#capUsed = 0;
    this.#objects = 0;
    for (const dependent of this.#dependents) {
      if (reference) {
        dependent.#countWays(-1);
        dependent.#hangOn(reference);
        dependent.#countWays(1);
      } else dependent.#reference = undefined;
    }
    this.#dependents.clear();
    if (reference) {
      this.#move(reference, all);
      reference.#dependents.delete(this);
    }
    return this.#handedOver;
  }

  #hangOn(reference: Account): void {
    this.#reference = reference;
    reference.#dependents.add(this);
    if (this.#ledger !== undefined || reference.#ledger === undefined) return;
    assert(this.#ramQuota === 0, 'an account has its quota from its reference');
    this.#ledger = reference.#ledger;
  }

  #mustLive(): void {
    if (this.ended) throw new RpcError('DENIED', `${this.label}: the account has ended`);
  }

  #mustReach(to: Account): void {
    if (to !== this.#reference && to.#reference !== this) {
      throw new RpcError('DENIED', 'quota moves only between an account and its reference account');
    }
    this.#mustLive();
    to.#mustLive();
  }

  /** How much an account that hangs on this one can be given, as far as its node is concerned. */
  #roomOf(to: Account): number {
    if (to.#ledger === undefined || this.#comesThrough(to.#ledger)) return Number.MAX_SAFE_INTEGER;
    return to.#ledger.prepaidBytes;
  }

  #requireRoom(to: Account, ram: number): void {
    const room = this.#roomOf(to);
    if (ram <= room) return;
    const where = to.#ledger?.name ?? '';
    throw new RpcError('OUT_OF_RAM', `${to.label}: ${ram} bytes wanted, ${room} free on the node "${where}"`);
  }

  /** Books between the nodes of the two accounts what moves between these. */
  #moveMemory(to: Account, bytes: number): void {
    const [from, upwards] = [this.#ledger, to === this.#reference];
    if (from === undefined || to.#ledger === undefined) return;
    from.book(-bytes);
    to.#ledger.book(bytes);
    if (upwards && !to.#comesThrough(from)) from.use(-bytes);
    if (!upwards && !this.#comesThrough(to.#ledger)) to.#ledger.use(bytes);
  }

  #move(to: Account, amount: Resources): void {
    this.#moveMemory(to, amount.ram);
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
