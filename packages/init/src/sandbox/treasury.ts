/**
 * Decides which children can be paid for. Children are made side by side. When there is too little
 * quota for all of them, those that come first in the config get it; a child that finds too little
 * waits for quota that is on its way back, and goes without if nothing comes.
 */
import { type Env, RpcError, SessionError } from '@ginit/core';
import type { Resources } from '@ginit/core/system';
import { Semaphore } from '@ginit/core/async';
import { INIT_COST, type Quota } from '../model/index.ts';
import { minus, NOTHING, plus } from './amounts.ts';

/** How long a child that is being made is waited for, which may turn out to need less. */
const PATIENCE_MS = 1000;

/** The services of the sandbox that the treasury needs. */
export interface TreasuryHost {
  readonly env: { readonly timer: Pick<Env['timer'], 'sleep'> };
  /** The quota that could be given to children at this moment. */
  spare(): Promise<Resources>;
}

/** The quota that init has for its children. The supervisor has the last word about it. */
export class Treasury {
  readonly #host: TreasuryHost;
  readonly #line = new Semaphore(1);
  /** What there was to give when it was last looked at, less what was promised since. */
  #left: Resources | undefined;
  /** The needs of the children that are being made. */
  readonly #promised = new Set<Quota>();
  /** Ends of children under way, each of which brings quota back. */
  readonly #returning = new Set<Promise<void>>();
  #wake: () => void = () => {};

  constructor(host: TreasuryHost) {
    this.#host = host;
  }

  /** Quota may have come or gone, so it is looked at again before the next promise. */
  lookAgain(): void {
    this.#left = undefined;
    this.#wake();
  }

  /** Quota is going to come back when `ended` settles. */
  expect(ended: Promise<void>): void {
    this.#returning.add(ended);
    void ended.finally(() => {
      this.#returning.delete(ended);
      this.lookAgain();
    });
  }

  /** Does something with the quota of init between two promises, in its turn. */
  inTurn<T>(step: () => Promise<T>): Promise<T> {
    this.lookAgain();
    return this.#line.run(step);
  }

  /**
   * Promises a child the quota that it needs, in the order of the calls. Throws `OUT_OF_RAM` or
   * `OUT_OF_CAPS` if there is too little. The result is to be called when the child has got it, or
   * has failed.
   */
  promise(need: Quota): Promise<() => void> {
    return this.#line.run(() => this.#promise(need));
  }

  async #promise(need: Quota): Promise<() => void> {
    for (let hurried = false; ; ) {
      this.#left ??= await this.#look();
      if (need.ram <= this.#left.ram && need.caps <= this.#left.caps) break;
      if (hurried || this.#returning.size + this.#promised.size === 0) throw new TooLittle(need, this.#left);
      hurried = !(await this.#somethingComes());
      this.#left = undefined;
    }
    this.#left = minus(this.#left, need);
    this.#promised.add(need);
    return () => {
      if (this.#promised.delete(need)) this.#wake();
    };
  }

  async #look(): Promise<Resources> {
    return minus(await this.#host.spare(), [...this.#promised].reduce(plus, NOTHING));
  }

  /** Waits for quota that comes back; false if nothing was to be waited for any longer. */
  async #somethingComes(): Promise<boolean> {
    const woken = new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#returning.size > 0) {
      await woken;
      return true;
    }
    const patience = this.#host.env.timer.sleep(PATIENCE_MS).catch(() => {});
    return Promise.race([woken.then(() => true), patience.then(() => false)]);
  }
}

/** Init has too little quota for a child. */
export class TooLittle extends RpcError {
  /** The quota that is missing. */
  readonly short: Resources;

  constructor(need: Quota, left: Resources) {
    if (need.ram > left.ram) super('OUT_OF_RAM', `${need.ram} bytes wanted, ${left.ram} left`);
    else super('OUT_OF_CAPS', `${need.caps} caps wanted, ${left.caps} left`);
    this.short = minus(need, left);
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
