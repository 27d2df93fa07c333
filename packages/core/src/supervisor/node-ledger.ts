/**
 * The ledger of one node: how much RAM its owner lends to the system, and who has it. The accounts
 * of components are the system's; a node's ledger says which part of them is memory of that node.
 *
 * Quota that an account on the node X gives to one that hangs on it and is on Y (a child's quota, a
 * donation) is memory of X before and of Y after. It is taken out of what Y has *prepaid*: its own
 * memory that nobody has. On X a *proxy account* has as much from then on, so that nobody uses it
 * meanwhile: it comes back through each account that it came through. So a byte of quota counts
 * once on each node that is on its way, from the account that has it up to the root; accounts and
 * proxy account together never exceed what is lent; and coming back needs no room that somebody
 * else could have taken.
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
  #usedBytes = 0;
  readonly #changed: () => void;

  /** `changed` is called when another amount is in use. */
  constructor(name: string, lentBytes: number, changed: () => void = () => {}) {
    this.name = name;
    this.lentBytes = lentBytes;
    this.#changed = changed;
  }

  /** What accounts on the node have. */
  get accountsBytes(): number {
    return this.#accountsBytes;
  }

  /** What the proxy account has for quota that is on other nodes. */
  get proxyBytes(): number {
    return this.#usedBytes - this.#accountsBytes;
  }

  /** What accounts and the proxy account have together. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** What is prepaid for quota that comes from other nodes. */
  get prepaidBytes(): number {
    return this.lentBytes - this.#usedBytes;
  }

  /** Accounts here have so much more, or less. */
  book(bytes: number): void {
    this.#accountsBytes += bytes;
    assert(this.#accountsBytes >= 0, 'accounts have no less than nothing');
  }

  /** So much more quota is on a way through this node, or less. */
  use(bytes: number): void {
    if (bytes === 0) return;
    this.#usedBytes += bytes;
    assert(this.#usedBytes >= 0 && this.#usedBytes <= this.lentBytes, 'no more is used than is lent');
    this.#changed();
  }
}
