/**
 * Who of the children can be paid for: children are made side by side, yet when there is too little for all of them it is
 * the later ones of the config that go without.
 */
import { RpcError } from '@ginit/core';
import { type AccountState } from '@ginit/core/system';
import type { Quota } from '../model/index.ts';

/** What init had when it began to start its children, less what those so far need. Core has the last word. */
export class Purse {
  readonly #left: { ram: number; caps: number };

  constructor({ ramQuota, ramUsed, capQuota, capUsed }: AccountState) {
    this.#left = { ram: ramQuota - ramUsed, caps: capQuota - capUsed };
  }

  /** Takes what a child needs. Throws `OUT_OF_RAM` or `OUT_OF_CAPS`, and takes nothing then. */
  take({ ram, caps }: Quota): void {
    const left = this.#left;
    if (ram > left.ram) throw new RpcError('OUT_OF_RAM', `${ram} bytes wanted, ${left.ram} left`);
    if (caps > left.caps) throw new RpcError('OUT_OF_CAPS', `${caps} caps wanted, ${left.caps} left`);
    left.ram -= ram;
    left.caps -= caps;
  }
}
