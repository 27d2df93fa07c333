/**
 * Serves a child its configuration: the ROM `config`, in as many sessions as the child pays for.
 */
import { type Env, type Implementation, Rom, RomModule } from '@ginit/core';
import { configContent, type ConfigNode } from '@ginit/core/config';
import { refuseTooLittle, type Resources, someSession } from '@ginit/core/system';
import { plus } from './amounts.ts';
import {
  refusalFor,
  type Refused,
  type RoutedRequest,
  type ServedSession,
  type SessionServer,
} from './session-server.ts';

/** The configuration of one child. */
export class ConfigServer implements SessionServer {
  readonly #env: Env;
  readonly #config: RomModule;

  constructor(env: Env, config: ConfigNode | undefined) {
    this.#env = env;
    this.#config = new RomModule(configContent(config));
  }

  /** A new version, of which the child is told. */
  update(config: ConfigNode | undefined): void {
    this.#config.replace(configContent(config));
  }

  async open({ donation }: RoutedRequest): Promise<ServedSession | Refused> {
    try {
      refuseTooLittle(donation, Rom.cost);
    } catch (error) {
      return { refused: refusalFor(error, 'init'), back: donation };
    }
    return this.#served(this.#config.open(), donation);
  }

  /** The donation stays with init as long as the session is open. */
  #served(rom: Implementation<typeof Rom>, donated: Resources): ServedSession {
    let donation = donated;
    return {
      capability: someSession(this.#env.capability(Rom, rom), 'config'),
      get donation() {
        return donation;
      },
      onLeave: () => () => {},
      upgrade: async (more) => {
        donation = plus(donation, more);
        return undefined;
      },
      close: () => {
        const closed = this.#close(rom);
        return { closed, back: closed.then(() => donation) };
      },
    };
  }

  async #close(rom: Implementation<typeof Rom>): Promise<void> {
    this.#env.revoke(rom);
    await rom[Symbol.dispose]?.();
  }
}
