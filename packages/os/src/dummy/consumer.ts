/** Quota that the component uses up, as it was told. */
import { type Dataspace, type Env, hasCode } from '@ginit/core';
import { formatBytes } from '@ginit/core/config';

/** The part of `env` that consuming takes. */
export type ConsumerEnv = Pick<Env, 'ram' | 'pd' | 'quota' | 'requestResources' | 'log'>;

/** RAM and capabilities that are in use for nothing. */
export class Consumer {
  readonly #env: ConsumerEnv;
  #memory: Dataspace | undefined;
  #caps: { readonly allocation: number; readonly amount: number } | undefined;

  constructor(env: ConsumerEnv) {
    this.#env = env;
  }

  /** Allocates so many bytes. Waits for the parent to give more quota if there is not enough. */
  async consumeRam(amount: number): Promise<void> {
    await this.#freeRam();
    if (amount === 0) return;
    void this.#env.log(`consume ${formatBytes(amount)} bytes of memory`);
    this.#memory = await this.#whenPaid(() => this.#env.ram.allocate(amount), { ram: amount, caps: 1 });
  }

  /** Takes so many capabilities into use, likewise. */
  async consumeCaps(amount: number): Promise<void> {
    await this.#freeCaps();
    if (amount === 0) return;
    void this.#env.log(`consume ${amount} caps`);
    const wanted = { ram: 0, caps: amount };
    const allocation = await this.#whenPaid(() => this.#env.pd.allocate(wanted), wanted);
    this.#caps = { allocation, amount };
  }

  /** Frees everything. */
  async release(): Promise<void> {
    await this.#freeRam();
    await this.#freeCaps();
  }

  /** Asks the parent for what is missing of `wanted`, as often as it takes. */
  async #whenPaid<Result>(
    allocate: () => Promise<Result>,
    wanted: { readonly ram: number; readonly caps: number },
  ): Promise<Result> {
    for (;;) {
      try {
        return await allocate();
      } catch (error) {
        if (!hasCode(error, 'OUT_OF_RAM') && !hasCode(error, 'OUT_OF_CAPS')) throw error;
      }
      const { ramQuota, ramUsed, capQuota, capUsed } = await this.#env.quota();
      const missing = {
        ram: Math.max(0, wanted.ram - (ramQuota - ramUsed)),
        caps: Math.max(0, wanted.caps - (capQuota - capUsed)),
      };
      if (missing.ram + missing.caps > 0) await this.#env.requestResources(missing);
    }
  }

  async #freeRam(): Promise<void> {
    const memory = this.#memory;
    if (!memory) return;
    this.#memory = undefined;
    void this.#env.log(`release ${formatBytes(memory.sizeBytes)} bytes of memory`);
    await this.#env.ram.free(memory);
  }

  async #freeCaps(): Promise<void> {
    const caps = this.#caps;
    if (!caps) return;
    this.#caps = undefined;
    void this.#env.log(`release ${caps.amount} caps`);
    await this.#env.pd.free(caps.allocation);
  }
}
