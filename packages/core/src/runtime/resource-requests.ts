/**
 * What a component asks its parent for when its quota is used up. The parent is told one amount,
 * the sum of all that the component waits for at this moment, and keeps the newest. It answers when
 * the account has been given more, whatever the amount: whoever waits then tries again and sees
 * whether it was enough.
 */
import { type Deferred, deferred } from '../async/deferred.ts';
import { RpcError } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { Parent } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';
import type { ConnectOptions } from './connect-options.ts';
import { GivenUp, type StartTimeout, unlessGivenUp } from './giving-up.ts';

/** How long a component waits for more quota. Without these it waits until it is given some. */
export type ResourceRequestOptions = Pick<ConnectOptions, 'timeoutMs' | 'signal'>;

interface Waiting {
  readonly amount: Resources;
  readonly granted: Deferred<void>;
}

/** The requests of one component for more quota. */
export class ResourceRequests {
  readonly #parent: Capability<typeof Parent>;
  readonly #startTimeout: StartTimeout;
  readonly #waiting = new Set<Waiting>();
  /** Counts what the parent was told. Only the answer to the newest is about the present. */
  #told = 0;

  constructor(parent: Capability<typeof Parent>, startTimeout: StartTimeout) {
    this.#parent = parent;
    this.#startTimeout = startTimeout;
  }

  /** See `Env.requestResources`. */
  request({ ram = 0, caps = 0 }: Partial<Resources>, options: ResourceRequestOptions = {}): Promise<void> {
    if (!isAmount(ram) || !isAmount(caps) || ram + caps === 0) {
      const text = 'requestResources: expected bytes of RAM or a number of capabilities';
      return Promise.reject(new RpcError('InvalidArgument', text));
    }
    const title = `the request for ${ram} bytes and ${caps} caps: not granted`;
    const wait = (givenUp: AbortSignal | undefined): Promise<void> => this.#wait({ ram, caps }, givenUp);
    return unlessGivenUp(title, options, this.#startTimeout, wait, () => {});
  }

  #wait(amount: Resources, givenUp: AbortSignal | undefined): Promise<void> {
    const waiting = { amount, granted: deferred<void>() };
    this.#waiting.add(waiting);
    givenUp?.addEventListener('abort', () => this.#giveUp(waiting), { once: true });
    void this.#tell();
    return waiting.granted.promise;
  }

  #giveUp(waiting: Waiting): void {
    if (!this.#waiting.delete(waiting)) return;
    waiting.granted.reject(new GivenUp());
    void this.#tell();
  }

  /** Tells the parent what is wanted now; nothing, if nobody waits any more. */
  async #tell(): Promise<void> {
    const told = ++this.#told;
    let [ram, caps] = [0, 0];
    for (const { amount } of this.#waiting) {
      ram += amount.ram;
      caps += amount.caps;
    }
    try {
      if (!(await this.#parent.requestResources({ ram, caps }))) return;
      for (const { granted } of this.#waiting) granted.resolve();
    } catch (error) {
      for (const { granted } of this.#waiting) granted.reject(error);
    }
    const outdated = told !== this.#told;
    this.#waiting.clear();
    // What the parent was told since was about requests that are settled now.
    if (outdated) void this.#tell();
  }
}

function isAmount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
