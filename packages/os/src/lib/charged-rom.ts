import { type Env, RomModule } from '@ginit/core';

/** The largest ROM module that is made of somebody's file: kernels of guests have some 15 MiB. */
export const ROM_BYTES_MAX = 64 * 1024 * 1024;

/**
 * A ROM module whose content is paid by the component's account. The content that is replaced stays
 * unpaid with those readers who have not asked for the new one yet.
 */
export class ChargedRom {
  readonly module = new RomModule();
  readonly #pd: Env['pd'];
  #allocation: number | undefined;

  constructor(pd: Env['pd']) {
    this.#pd = pd;
  }

  /**
   * A new version; `undefined` makes the module absent. Calls must not overlap. Rejects with
   * `OUT_OF_RAM` or `OUT_OF_CAPS`, and then the old content stays.
   */
  async replace(content: Uint8Array | undefined): Promise<void> {
    const before = this.#allocation;
    this.#allocation = content && (await this.#pd.allocate({ ram: content.byteLength, caps: 1 }));
    this.module.replace(content);
    if (before !== undefined) await this.#pd.free(before);
  }
}
