/**
 * The ledger of one node: how much RAM its owner lends to the system, and who has it. The accounts
 * of components are the system's; a node's ledger says which part of them is memory of that node.
 *
 * Quota that a reference account on the node X gives to an account on Y is memory of X before and
 * of Y after. X's *proxy account* for Y holds it from then on, so that nobody on X uses it
 * meanwhile; Y takes as much out of what it has *prepaid*: its own memory that nobody has. When
 * quota comes back, the proxy account gives it up, and Y has it prepaid again. So coming back needs
 * no room that somebody else could have taken meanwhile. For each pair of nodes the proxy account
 * is exactly what hangs on accounts of the one and is on the other, and on each node accounts and
 * proxy accounts together never exceed what is lent.
 *
 * If the link to a node breaks for longer than the lease, its components have ended, and their
 * accounts give back what they had as at any other end; the ledger stays until they have. A node
 * that comes back has a new ledger.
 */
import { assert } from '../errors.ts';

/** The ledger of one node. Amounts are bytes. */
export class NodeLedger {
  readonly name: string;
  readonly lentBytes: number;
  #accountsBytes = 0;
  readonly #proxies = new Map<NodeLedger, number>();
  readonly #changed: (usedBytes: number) => void;

  /** `changed` is called when another amount is in use. */
  constructor(name: string, lentBytes: number, changed: (usedBytes: number) => void = () => {}) {
    this.name = name;
    this.lentBytes = lentBytes;
    this.#changed = changed;
  }

  /** What accounts on the node have. */
  get accountsBytes(): number {
    return this.#accountsBytes;
  }

  /** What proxy accounts hold for other nodes. */
  get proxyBytes(): number {
    return [...this.#proxies.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** What accounts and proxy accounts have together. */
  get usedBytes(): number {
    return this.#accountsBytes + this.proxyBytes;
  }

  /** What is prepaid for quota that comes from other nodes. */
  get prepaidBytes(): number {
    return this.lentBytes - this.usedBytes;
  }

  /** The proxy account for another node. */
  proxyFor(other: NodeLedger): number {
    return this.#proxies.get(other) ?? 0;
  }

  /** How much a reference account on `from` can give to an account here at this moment. */
  roomFrom(from: NodeLedger): number {
    return from === this ? Number.MAX_SAFE_INTEGER : this.prepaidBytes;
  }

  /** Quota that was on no node yet comes into being here: that of root init, once. */
  endow(bytes: number): void {
    assert(bytes <= this.prepaidBytes, 'no more is given out than is lent');
    this.#accountsBytes += bytes;
  }

  /** A reference account here gives quota to an account on `to`, where there must be room. */
  give(to: NodeLedger, bytes: number): void {
    if (to === this) return;
    assert(bytes <= this.#accountsBytes && bytes <= to.prepaidBytes, 'no more is given than there is');
    this.#accountsBytes -= bytes;
    this.#addProxy(to, bytes);
    to.#accountsBytes += bytes;
    to.#changed(to.usedBytes);
  }

  /** An account here gives quota back to its reference account on `to`. */
  giveBack(to: NodeLedger, bytes: number): void {
    if (to === this) return;
    assert(bytes <= this.#accountsBytes, 'no more comes back than there is');
    this.#accountsBytes -= bytes;
    to.#addProxy(this, -bytes);
    to.#accountsBytes += bytes;
    this.#changed(this.usedBytes);
  }

  /**
   * An account here with all that hangs on it, `bytes` in all, hung on one on `before`, which hung
   * on one on `after`: from now on it hangs on that one itself.
   */
  hangsOn(before: NodeLedger, after: NodeLedger, bytes: number): void {
    if (before !== this) before.#addProxy(this, -bytes);
    if (after !== before) after.#addProxy(before, -bytes);
    if (after !== this) after.#addProxy(this, bytes);
    for (const ledger of new Set([before, after])) ledger.#changed(ledger.usedBytes);
  }

  #addProxy(other: NodeLedger, bytes: number): void {
    const now = this.proxyFor(other) + bytes;
    assert(now >= 0, 'no more comes back to a proxy account than it holds');
    if (now === 0) this.#proxies.delete(other);
    else this.#proxies.set(other, now);
  }
}
