/**
 * Serves a child its configuration: the ROM `config`, in as many sessions as the child pays for.
 */
import { type Env, type Implementation, Rom, RomModule } from '@ginit/core';
import { configContent, type ConfigNode } from '@ginit/core/config';
import { refuseTooLittle, type Resources, someSession } from '@ginit/core/system';
import { minus, plus } from './amounts.ts';
import type { Custody } from './custody.ts';
import {
  refusalFor,
  type Refused,
  type RoutedRequest,
  type ServedSession,
  type SessionServer,
} from './session-server.ts';

/** The services of the sandbox that this needs. */
export interface ConfigServerHost {
  readonly env: Pick<Env, 'capability' | 'revoke'>;
  readonly custody: Custody;
}

/** The configuration of one child. */
export class ConfigServer implements SessionServer {
  readonly #host: ConfigServerHost;
  readonly #config: RomModule;
  constructor(host: ConfigServerHost, config: ConfigNode | undefined) {
    this.#host = host;
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
    const { env, custody } = this.#host;
    // The object of the session is paid from the donation.
    const object = { ram: 0, caps: 1 };
    custody.take(minus(donated, object));
    return {
      capability: someSession(env.capability(Rom, rom), 'config'),
      get donation() {
        return donation;
      },
      onLeave: () => () => {},
      upgrade: async (more) => {
        donation = plus(donation, more);
        custody.take(more);
        return undefined;
      },
      close: () => {
        const closed = this.#close(rom);
        custody.giveBack(minus(donation, object));
        return { closed, back: closed.then(() => donation) };
      },
    };
  }

  async #close(rom: Implementation<typeof Rom>): Promise<void> {
    this.#host.env.revoke(rom);
    await rom[Symbol.dispose]?.();
  }
}
