/**
 * What init does not give to its children (reference: `<resource preserve>` of Genode's init). The
 * sessions that it has opened for itself since it began, its timer for instance, are what it keeps
 * that quota for, so they count as part of it: otherwise it would depend on a moment whether the
 * last child of a config can be paid for. `ginit check` computes alike.
 *
 * Init also has in its account what its children have donated for the ROM sessions of their
 * configs. They get that back, so it is not given to others either.
 */
import type { Env } from '@ginit/core';
import type { Resources } from '@ginit/core/system';
import type { Quota } from '../model/index.ts';
import { minus } from './amounts.ts';
import { freeOf } from './child-quota.ts';

/** The services of the sandbox that this needs. */
export interface ReserveHost {
  readonly env: Pick<Env, 'quota' | 'error'>;
  /** What init is to keep for itself. */
  preserve(): Quota;
  /** What it has opened for itself since it began. */
  used(): Resources;
  /** What it will have to give back to its children. */
  custody(): Resources;
}

/** The quota that is left for children. */
export class Reserve {
  readonly #host: ReserveHost;
  readonly #said = new Set<string>();

  constructor(host: ReserveHost) {
    this.#host = host;
  }

  /** A new config: what is wrong with it is said again. */
  applied(): void {
    this.#said.clear();
  }

  /** The quota that could be given to children at this moment. */
  async spare(): Promise<Resources> {
    const free = freeOf(await this.#host.env.quota());
    const kept = minus(this.#host.preserve(), this.#host.used());
    if (kept.ram > free.ram) this.#sayOnce('RAM preservation exceeds available memory');
    if (kept.caps > free.caps) this.#sayOnce('Capability preservation exceeds available capabilities');
    return minus(minus(free, kept), this.#host.custody());
  }

  #sayOnce(text: string): void {
    if (this.#said.has(text)) return;
    this.#said.add(text);
    void this.#host.env.error(text);
  }
}
