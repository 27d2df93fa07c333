/**
 * What the parent asks a component to give back. The parent wakes the component, the component asks
 * how much is wanted, lets its handlers free what they can spare, and says that it has done so. The
 * parent then takes what is free. It is a request: nothing is taken that is in use.
 */
import type { SignalCapability } from '../capability/signal.ts';
import { hasCode } from '../errors.ts';
import type { Capability } from '../interface/interface.ts';
import type { Parent } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';

/** Frees what the component can spare of `wanted`. */
export type YieldHandler = (wanted: Resources) => void | Promise<void>;

/** The parts of its component that the requests work with. */
export interface YieldRequestsHost {
  readonly parent: Capability<typeof Parent>;
  readonly signal: (handler: () => Promise<void>) => SignalCapability;
  readonly report: (error: unknown) => void;
}

/** Answers the yield requests of the parent. */
export class YieldRequests {
  readonly #host: YieldRequestsHost;
  readonly #handlers: YieldHandler[] = [];

  constructor(host: YieldRequestsHost) {
    this.#host = host;
  }

  /** See `Env.onYield`. */
  on(handler: YieldHandler): void {
    this.#handlers.push(handler);
    if (this.#handlers.length > 1) return;
    const { parent, signal, report } = this.#host;
    parent.yieldHandler(signal(() => this.#answer())).catch((error: unknown) => {
      if (!hasCode(error, 'PeerGone')) report(error);
    });
  }

  async #answer(): Promise<void> {
    const { parent, report } = this.#host;
    const wanted = await parent.yieldRequest();
    if (wanted.ram === 0 && wanted.caps === 0) return;
    for (const handler of this.#handlers) {
      try {
        await handler(wanted);
      } catch (error) {
        report(error);
      }
    }
    await parent.yieldResponse();
  }
}
