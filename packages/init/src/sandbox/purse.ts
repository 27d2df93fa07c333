/**
 * Decides which of the children can be paid for. Children are made side by side; when there is too
 * little quota for all of them, the later ones of the config go without.
 */
import { RpcError, SessionError } from '@ginit/core';
import { type AccountState } from '@ginit/core/system';
import { INIT_COST, type Quota } from '../model/index.ts';

/**
 * The quota that init had when it began to start its children, less the needs of those started so
 * far. The supervisor has the last word.
 */
export class Purse {
  readonly #left: { ram: number; caps: number };

  constructor({ ramQuota, ramUsed, capQuota, capUsed }: AccountState) {
    this.#left = { ram: ramQuota - ramUsed, caps: capQuota - capUsed };
  }

  /**
   * Takes the quota that a child needs. If there is not enough, it throws `OUT_OF_RAM` or
   * `OUT_OF_CAPS` and takes nothing.
   */
  take({ ram, caps }: Quota): void {
    const left = this.#left;
    if (ram > left.ram) throw new RpcError('OUT_OF_RAM', `${ram} bytes wanted, ${left.ram} left`);
    if (caps > left.caps) throw new RpcError('OUT_OF_CAPS', `${caps} caps wanted, ${left.caps} left`);
    left.ram -= ram;
    left.caps -= caps;
  }
}

/**
 * The quota that init needs for a child is taken from the child's quota, so a smaller quota is
 * refused.
 */
export function refuseTooPoor({ ram, caps }: Quota): void {
  const costs = 'and what is made for it costs';
  if (ram < INIT_COST.ram) {
    throw new SessionError('OUT_OF_RAM', `it has ${ram} bytes, ${costs} ${INIT_COST.ram}`);
  }
  if (caps < INIT_COST.caps)
    throw new SessionError('OUT_OF_CAPS', `it has ${caps}, ${costs} ${INIT_COST.caps}`);
}
