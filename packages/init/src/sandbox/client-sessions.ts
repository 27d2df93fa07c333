/**
 * The sessions that one child has opened, by the numbers it chose: what its parent does for it. Whatever happens on
 * the way, the quota that went with a request comes back when it is refused, when the session is closed, and when
 * either end dies.
 */
import {
  type Capability,
  type Env,
  hasCode,
  type Pd,
  type Resources,
  SessionError,
  type SessionArguments,
  type SessionCapability,
} from '@ginit/core';
import type { ServedSession, SessionServer } from './session-server.ts';

/** Where a request was routed to, and the label that the server sees. */
export interface RoutedTo {
  readonly server: SessionServer;
  /** The child that serves it; `undefined` for a service of the parent's. */
  readonly serverName: string | undefined;
  readonly label: string;
}

/** A request of the child. */
export interface ClientRequest {
  readonly id: number;
  readonly service: string;
  readonly args: SessionArguments;
  readonly donation: Resources;
}

interface ClientSession {
  readonly service: string;
  readonly serverName: string | undefined;
  donation: Resources;
  /** Missing while the server has not answered. */
  served: ServedSession | undefined;
  /** Settles when upgrades under way are done: only then it is known what the server was given. */
  upgraded: Promise<void>;
  serverEnded: boolean;
}

/** Sessions of one client. */
export class ClientSessions {
  readonly #env: Env;
  readonly #account: Promise<Capability<typeof Pd>>;
  readonly #sessions = new Map<number, ClientSession>();
  #ended = false;

  constructor(env: Env, account: Promise<Capability<typeof Pd>>) {
    this.#env = env;
    this.#account = account;
  }

  /** Names of the children that serve this one. */
  get servers(): ReadonlySet<string> {
    const names = [...this.#sessions.values()].map(({ serverName }) => serverName);
    return new Set(names.filter((name) => name !== undefined));
  }

  /** Opens a session where the request was routed to. */
  async open(request: ClientRequest, { server, serverName, label }: RoutedTo): Promise<SessionCapability> {
    const { id, service, args, donation } = request;
    if (this.#ended) throw new SessionError('DENIED', 'the client has ended');
    if (this.#sessions.has(id)) throw new SessionError('DENIED', `session ${id} exists`);
    const session: ClientSession = {
      service,
      serverName,
      donation,
      served: undefined,
      upgraded: Promise.resolve(),
      serverEnded: false,
    };
    this.#sessions.set(id, session);
    let paid = false;
    try {
      const account = await this.#account;
      await account.transfer(this.#env.pd, donation);
      paid = true;
      session.served = await server.open({ service, label, args, donation });
    } catch (error) {
      this.#sessions.delete(id);
      if (paid) await this.#refund(donation);
      throw refusal(error, serverName);
    }
    if (this.#sessions.get(id) !== session) {
      // The client ended, or gave up, while the server was at work: nobody will use the session.
      await this.#closeAtServer(session);
      throw new SessionError('DENIED', 'the client has ended');
    }
    return session.served.capability;
  }

  /** Donates more to an open session. */
  async upgrade(id: number, more: Resources): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session?.served) throw new SessionError('DENIED', `no open session ${id}`);
    const done = this.#upgradeAtServer(session, session.served, more);
    session.upgraded = Promise.allSettled([session.upgraded, done]).then(() => {});
    await done;
  }

  async #upgradeAtServer(session: ClientSession, served: ServedSession, more: Resources): Promise<void> {
    await (await this.#account).transfer(this.#env.pd, more);
    try {
      await served.upgrade(more);
    } catch (error) {
      await this.#refund(more);
      throw refusal(error, session.serverName);
    }
    const { ram, caps } = session.donation;
    session.donation = { ram: ram + more.ram, caps: caps + more.caps };
    // Then the rest of the donation was given back without this.
    if (session.serverEnded) await this.#refund(more);
  }

  /** Closes a session; settles when its server is done with it. */
  async close(id: number): Promise<void> {
    const session = this.#sessions.get(id);
    if (!session) return;
    this.#sessions.delete(id);
    if (session.served) await this.#closeAtServer(session);
  }

  /** Closes all of them: the client is gone. */
  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all([...this.#sessions.keys()].map((id) => this.close(id)));
  }

  /** A server is gone: its sessions are at their end, and their donations are back in init's account. */
  async serverEnded(name: string): Promise<void> {
    for (const [id, session] of this.#sessions) {
      if (session.serverName !== name || !session.served) continue;
      this.#sessions.delete(id);
      session.serverEnded = true;
      session.served.capability[Symbol.dispose]();
      await this.#refund(session.donation);
    }
  }

  async #closeAtServer(session: ClientSession): Promise<void> {
    await session.upgraded;
    const back = await session.served?.close(session.donation);
    session.served?.capability[Symbol.dispose]();
    if (back) await this.#refund(back);
  }

  /** Gives a donation back to the client; it stays with init if the client is gone. */
  async #refund(donation: Resources): Promise<void> {
    if (this.#ended) return;
    try {
      await this.#env.pd.transfer(await this.#account, donation);
    } catch (error) {
      if (!this.#ended) throw error;
    }
  }
}

/** What the client is told: session errors as they are, anything else as a denial. */
function refusal(error: unknown, serverName: string | undefined): SessionError {
  if (error instanceof SessionError) return error;
  for (const code of [
    'OUT_OF_RAM',
    'OUT_OF_CAPS',
    'INSUFFICIENT_RAM',
    'INSUFFICIENT_CAPS',
    'DENIED',
  ] as const) {
    if (hasCode(error, code)) return new SessionError(code, error.message);
  }
  const server = serverName === undefined ? 'the parent' : `server "${serverName}"`;
  const why = hasCode(error, 'PeerGone') ? `${server} is gone` : `${server} failed`;
  return new SessionError('DENIED', why);
}
