/**
 * The quota that one child has been given by init, and its changes while the child runs. What a
 * running child is asked to give back is taken from what it does not use.
 */
import { type Capability, type Env, hasCode } from '@ginit/core';
import type { AccountState, Pd, Resources } from '@ginit/core/system';
import { INIT_COST, type Quota, type StartNode } from '../model/index.ts';
import { atMost, isNothing, minus, NOTHING, plus } from './amounts.ts';

type Account = Capability<typeof Pd>;

/**
 * A child that gives back quota keeps this much of it free, or it could not even answer. The
 * figures are Genode's.
 */
const KEPT_FREE: Resources = { ram: 16 * 1024, caps: 5 };
/**
 * A child may use up what was free a moment ago. So often it is tried to take quota back.
 */
const TRIES_MAX = 4;

/** The parts of a start node that say how much quota its child is to have. */
type Target = Pick<StartNode, 'ram' | 'caps' | 'ramLimit'>;

/** What the quota of a child needs of its init. */
export interface ChildQuotaHost {
  readonly env: Pick<Env, 'pd' | 'warning'>;
}

/** The part of an account that nobody uses. */
export function freeOf({ ramQuota, ramUsed, capQuota, capUsed }: AccountState): Resources {
  return { ram: ramQuota - ramUsed, caps: capQuota - capUsed };
}

/** The quota of one child. */
export class ChildQuota {
  readonly #host: ChildQuotaHost;
  readonly #child: string;
  #account: Account | undefined;
  #assigned: Quota = NOTHING;
  #granted: Resources = NOTHING;

  constructor(host: ChildQuotaHost, child: string) {
    this.#host = host;
    this.#child = child;
  }

  /** What the child has been assigned so far, with what init needs for it. */
  get assigned(): Quota {
    return this.#assigned;
  }

  /** The part of it that its start node did not assign, but init granted when the child asked. */
  get granted(): Resources {
    return this.#granted;
  }

  /** What its account holds; `undefined` while there is none. */
  async state(): Promise<AccountState | undefined> {
    return this.#account?.state().catch(() => undefined);
  }

  /** Whether it has been assigned anything that has not ended. */
  get active(): boolean {
    return this.#account !== undefined;
  }

  /** The part of it that went to the child's account. */
  get given(): Resources {
    return isNothing(this.#assigned) ? NOTHING : minus(this.#assigned, INIT_COST);
  }

  /**
   * Gives the account the quota of the start node that is left when everything that init needs for
   * the child is paid.
   */
  async give(account: Account, quota: Quota): Promise<void> {
    const { pd } = this.#host.env;
    await account.setReferenceAccount(pd);
    await pd.transfer(account, minus(quota, INIT_COST));
    this.#account = account;
    this.#assigned = { ram: quota.ram, caps: quota.caps };
  }

  /** Gives the child more than its start node assigns. Rejects if that is not there. */
  async grant(more: Resources): Promise<void> {
    if (!this.#account) return;
    await this.#host.env.pd.transfer(this.#account, more);
    this.#assigned = plus(this.#assigned, more);
    this.#granted = plus(this.#granted, more);
  }

  /** What the child is to have by a start node: grants stay, as far as its limit goes. */
  #targetOf({ ram, caps, ramLimit = 0 }: Target): Quota {
    this.#granted = { ram: Math.min(this.#granted.ram, Math.max(0, ramLimit - ram)), caps: 0 };
    return { ram: ram + this.#granted.ram, caps };
  }

  /** The account has ended, and nothing can be moved any more. */
  end(): void {
    this.#account = undefined;
  }

  /**
   * Takes back what the child has more than it is to have and does not use. The result is what is
   * left to be taken back.
   */
  async shrink(start: Target): Promise<Resources> {
    const account = this.#account;
    if (!account) return NOTHING;
    const target = this.#targetOf(start);
    for (const kind of ['ram', 'caps'] as const) {
      const excess = this.#assigned[kind] - target[kind];
      if (excess > 0) await this.#takeBack(account, kind, excess);
    }
    return this.#account ? minus(this.#assigned, target) : NOTHING;
  }

  async #takeBack(account: Account, kind: 'ram' | 'caps', excess: number): Promise<void> {
    const { pd } = this.#host.env;
    try {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const unused = freeOf(await account.state())[kind] - KEPT_FREE[kind];
        if (unused <= 0) return;
        const amount = { ...NOTHING, [kind]: Math.min(unused, excess) };
        if (await moved(account.transfer(pd, amount))) {
          this.#assigned = minus(this.#assigned, amount);
          return;
        }
      }
    } catch {
      // The account is not there any more. Its end is told elsewhere.
      return;
    }
    const text = `child "${this.#child}": its ${kind} quota could not be lowered after ${TRIES_MAX} attempts`;
    void this.#host.env.warning(text);
  }

  /**
   * Gives the child what it has less than it is to have, as far as `limit` goes. The result is what
   * it was given.
   */
  async grow(start: Target, limit: Resources): Promise<Resources> {
    const account = this.#account;
    const amount = atMost(minus(this.#targetOf(start), this.#assigned), limit);
    if (!account || isNothing(amount)) return NOTHING;
    try {
      if (!(await moved(this.#host.env.pd.transfer(account, amount)))) return NOTHING;
    } catch {
      return NOTHING;
    }
    this.#assigned = plus(this.#assigned, amount);
    return amount;
  }
}

/** Whether quota could be moved; false if there was too little of it. */
async function moved(transfer: Promise<void>): Promise<boolean> {
  try {
    await transfer;
    return true;
  } catch (error) {
    if (hasCode(error, 'OUT_OF_RAM') || hasCode(error, 'OUT_OF_CAPS')) return false;
    throw error;
  }
}
