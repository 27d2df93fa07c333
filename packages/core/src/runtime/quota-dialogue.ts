/**
 * What a parent and one of its children say to each other about the child's quota: the child asks
 * for more, and the parent asks the child to give some back. Both are states, of which only the
 * newest counts, so a child can fill nothing here. Quota itself is moved elsewhere.
 */
import { type Deferred, quietDeferred } from '../async/deferred.ts';
import type { SignalCapability } from '../capability/signal.ts';
import type { Implementation } from '../interface/interface.ts';
import type { Parent } from '../session/parent.ts';
import type { Resources } from '../session/pd.ts';

const NOTHING: Resources = { ram: 0, caps: 0 };

type Operations = Pick<
  Implementation<typeof Parent>,
  'requestResources' | 'yieldHandler' | 'yieldRequest' | 'yieldResponse'
>;

/** What the parent does about it. */
export interface QuotaDialogueHost {
  /** The child asks for more quota than it has, or does not any more. */
  requested(amount: Resources): void;
  /** The child has given back what it could, and the parent may look what is free now. */
  yielded(): void;
}

/** The dialogue with one child. */
export class QuotaDialogue {
  readonly #host: QuotaDialogueHost;
  #requested: Resources = NOTHING;
  #granted: Deferred<boolean> | undefined;
  #wanted: Resources = NOTHING;
  /** The amounts that the child has been told last: its answer is about these. */
  #told: Resources = NOTHING;
  #handler: SignalCapability | undefined;

  constructor(host: QuotaDialogueHost) {
    this.#host = host;
  }

  /** The amounts that the child has asked for and not been given. */
  get requested(): Resources {
    return this.#requested;
  }

  /** The amounts that the child was asked to give back, until it answers. */
  get wanted(): Resources {
    return this.#wanted;
  }

  /** The child was given more quota: whoever waits there for it tries again. */
  grown(): void {
    this.#requested = NOTHING;
    this.#granted?.resolve(true);
    this.#granted = undefined;
  }

  /** Asks the child to give back so much. A later request replaces an earlier one. */
  askToYield(amount: Resources): void {
    this.#wanted = amount;
    if (!isNothing(amount)) this.#handler?.submit();
  }

  /** The child is gone. */
  end(): void {
    this.#granted?.resolve(false);
    this.#granted = undefined;
    this.#handler?.[Symbol.dispose]();
    this.#handler = undefined;
  }

  /** The child's side of the dialogue: a part of its parent's interface. */
  get operations(): Operations {
    return {
      requestResources: (amount) => this.#request(amount),
      yieldHandler: (handler) => {
        this.#handler?.[Symbol.dispose]();
        this.#handler = handler;
        if (!isNothing(this.#wanted)) handler.submit();
      },
      yieldRequest: () => {
        this.#told = this.#wanted;
        return this.#told;
      },
      yieldResponse: () => {
        if (this.#wanted === this.#told) this.#wanted = NOTHING;
        this.#host.yielded();
      },
    };
  }

  #request(amount: Resources): Promise<boolean> {
    this.#granted?.resolve(false);
    this.#granted = isNothing(amount) ? undefined : quietDeferred<boolean>();
    this.#requested = amount;
    const { promise } = this.#granted ?? { promise: Promise.resolve(false) };
    // The host may give quota at once, and tell us so.
    this.#host.requested(amount);
    return promise;
  }
}

function isNothing({ ram, caps }: Resources): boolean {
  return ram === 0 && caps === 0;
}
