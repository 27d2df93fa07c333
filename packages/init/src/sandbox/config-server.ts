/** The ROM `config` of one child, which init serves itself, from the child's start node. */
import {
  type Env,
  type Implementation,
  Rom,
  RomModule,
  SessionError,
  someSession,
  toData,
} from '@ginit/core';
import type { StartNode } from '../model/index.ts';
import { NOTHING } from './amounts.ts';
import type { Refused, RoutedRequest, ServedSession, SessionServer } from './session-server.ts';

/** Sessions of its config that a child may have at a time: init pays for them. */
const CONFIG_SESSIONS_MAX = 4;

/** Opens sessions of one child's config. */
export class ConfigServer implements SessionServer {
  readonly free = true;
  readonly #env: Env;
  readonly #config: RomModule;
  readonly #open = new Set<Implementation<typeof Rom>>();

  constructor(env: Env, { config }: StartNode) {
    this.#env = env;
    const text = config ? JSON.stringify(toData(config)) : '';
    this.#config = new RomModule(new TextEncoder().encode(text));
  }

  async open({ donation }: RoutedRequest): Promise<ServedSession | Refused> {
    if (this.#open.size >= CONFIG_SESSIONS_MAX) {
      const text = `more than ${CONFIG_SESSIONS_MAX} sessions of its config`;
      return { refused: new SessionError('DENIED', text), back: donation };
    }
    const rom = this.#config.open();
    this.#open.add(rom);
    return {
      capability: someSession(this.#env.capability(Rom, rom), 'config'),
      donation: NOTHING,
      onServerEnd: () => () => {},
      upgrade: async (more) => ({
        refused: new SessionError('DENIED', 'a session of its config takes no quota'),
        back: more,
      }),
      close: () => {
        const closed = this.#close(rom);
        return { closed, back: closed.then(() => NOTHING) };
      },
    };
  }

  async #close(rom: Implementation<typeof Rom>): Promise<void> {
    this.#open.delete(rom);
    this.#env.revoke(rom);
    await rom[Symbol.dispose]?.();
  }
}
