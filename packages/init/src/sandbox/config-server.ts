/** Serves a child its configuration: the ROM `config`, as many sessions of it as the child pays for. */
import { type Env, type Implementation, refuseTooLittle, Rom, RomModule, someSession } from '@ginit/core';
import type { RoutedRequest, ServedSession, SessionServer } from './session-server.ts';

/** The configuration of one child. */
export class ConfigServer implements SessionServer {
  readonly #env: Env;
  readonly #module: RomModule;

  constructor(env: Env, content: Uint8Array) {
    this.#env = env;
    this.#module = new RomModule(content);
  }

  /** The donation stays with init as long as the session is open. */
  async open({ donation }: RoutedRequest): Promise<ServedSession> {
    refuseTooLittle(donation, Rom.cost);
    const session: Implementation<typeof Rom> = this.#module.open();
    return {
      capability: someSession(this.#env.capability(Rom, session), 'config'),
      upgrade: async () => {},
      close: async (back) => {
        this.#env.revoke(session);
        await session[Symbol.dispose]?.();
        return back;
      },
    };
  }
}
