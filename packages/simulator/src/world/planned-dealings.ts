/**
 * What a fault plan brings into the dealings of one component with its parent without making it
 * hostile: it answers no heartbeat for a while, or is asked to give back quota by nobody but the
 * plan. Its parent gets an answer then that it has not asked for.
 */
import type { Capability, SignalCapability } from '@ginit/core';
import type { Dealings } from '@ginit/core/platform';
import type { Parent, Resources } from '@ginit/core/system';
import type { HostileDealings } from './hostility.ts';

/** The services of the live component that its dealings need. */
export interface PlannedDealingsHost {
  readonly nowUs: () => number;
  readonly delay: (us: number) => Promise<void>;
  /** Runs something in a turn of the component. */
  readonly turn: (run: () => void) => void;
}

/** The planned part of the dealings of one live component. */
export class PlannedDealings {
  readonly #host: PlannedDealingsHost;
  #silentUntilUs = 0;
  /** Wakes the component when it is to give back quota, if it wants to hear of that. */
  #handler: SignalCapability | undefined;
  #wanted: Resources | undefined;

  constructor(host: PlannedDealingsHost) {
    this.#host = host;
  }

  /** The time until which it answers no heartbeat. */
  get silentUntilUs(): number {
    return this.#silentUntilUs;
  }

  /** From now on it answers no heartbeat for so long; then it answers those that wait. */
  silence(us: number): void {
    this.#silentUntilUs = Math.max(this.#silentUntilUs, this.#host.nowUs() + us);
  }

  /** Whether it can be asked to give back quota. */
  get listens(): boolean {
    return this.#handler !== undefined;
  }

  /** Asks it to give back so much. */
  askToYield(amount: Resources): void {
    const handler = this.#handler;
    if (!handler) return;
    this.#wanted = amount;
    this.#host.turn(() => handler.submit());
  }

  /** The dealings of the component, with what is planned around those that may be hostile. */
  around(inner: HostileDealings): Dealings {
    return {
      parent: (parent, pd) => this.#parent(inner.parent(parent, pd)),
      root: (root) => inner.root(root),
      stop: (stop) => inner.stop(stop),
      heartbeat: (beat) => this.#heartbeat(beat),
    };
  }

  async #heartbeat(beat: () => Promise<void>): Promise<void> {
    const { delay, nowUs } = this.#host;
    while (nowUs() < this.#silentUntilUs) await delay(this.#silentUntilUs - nowUs());
    return beat();
  }

  #parent(parent: Capability<typeof Parent>): Capability<typeof Parent> {
    return {
      ...parent,
      yieldHandler: (handler) => {
        this.#handler = handler;
        return parent.yieldHandler(handler);
      },
      yieldRequest: async () => {
        const asked = await parent.yieldRequest();
        const planned = this.#wanted;
        this.#wanted = undefined;
        if (!planned) return asked;
        return { ram: Math.max(asked.ram, planned.ram), caps: Math.max(asked.caps, planned.caps) };
      },
    };
  }
}
