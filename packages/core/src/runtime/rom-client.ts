/** The client's side of a ROM session: the newest content, and word of changes. */
import type { SignalCapability } from '../capability/signal.ts';
import type { Session } from '../interface/interface.ts';
import type { Rom } from '../session/rom.ts';

/** Reads a ROM and follows its changes. */
export class RomClient {
  readonly #session: Session<typeof Rom>;

  constructor(session: Session<typeof Rom>) {
    this.#session = session;
  }

  /** The newest content, as a copy; `undefined` while the module is absent. */
  async content(): Promise<Uint8Array | undefined> {
    const dataspace = await this.#session.dataspace();
    return dataspace?.copyContent();
  }

  /** Wakes `handler` whenever the content is newer than what `content` returned last. */
  async onChange(handler: SignalCapability): Promise<void> {
    await this.#session.setHandler(handler);
  }
}
