/**
 * The sessions that one child has opened, by the numbers that the child chose, and the work that
 * its parent does for them. The quota that went with a request returns to the client when the
 * request is refused, when the session is closed, and when the server dies, as far as it comes back
 * at all. It stays with init when the client is gone.
 */
import { type Capability, type Env, hasCode, SessionError } from '@ginit/core';
import {
  COSTS,
  type LedgerSession,
  LIMITS,
  type Pd,
  type Resources,
  type SessionCapability,
  SessionDialogue,
  type SessionOverview,
} from '@ginit/core/system';
import { quietDeferred } from '@ginit/core/async';
import { untilTaken, type WaitingEnv } from './again.ts';
import type { RoutedSession } from '../plan/index.ts';
import type { MissingSession, SessionStanding } from '../report/index.ts';
import { isNothing, minus, NOTHING } from './amounts.ts';
import {
  type ClientRequest,
  type ClientSession,
  ledgerOf,
  overviewOf,
  requestedSession,
  standingOf,
  waitingOf,
} from './client-session.ts';
import { refusalFor, type Refused, type ServedSession, type SessionServer } from './session-server.ts';
import { Refusals } from './refusals.ts';
import type { Waits } from './waits.ts';

/** The server that a request was routed to, and the label that the server sees. */
export interface RoutedTo {
  readonly server: SessionServer;
  /** The child that serves it; `undefined` for a service of the parent's or of init itself. */
  readonly serverName: string | undefined;
  readonly label: string;
  /** The request and the place that it was routed to, by which a new config is compared. */
  readonly asked: RoutedSession;
  /** The place where the request goes if this server denies it. */
  readonly otherwise?: RoutedTo;
}

/** The services of the sandbox that the sessions need. */
export interface ClientSessionsHost {
  readonly env: Pick<Env, 'pd' | 'error'> & WaitingEnv;
  readonly waits: Waits;
  /** The state of a session has changed. */
  changed(): void;
  /** Takes the quota that comes back when the client is gone. */
  returned(back: Resources): void;
}

/** Sessions of one client. */
export class ClientSessions {
  readonly #host: ClientSessionsHost;
  readonly #client: string;
  readonly #account: Promise<Capability<typeof Pd>>;
  readonly #sessions = new Map<number, ClientSession>();
  readonly #refusals = new Refusals();
  /** What the client is told of its sessions. */
  readonly news = new SessionDialogue();
  /**
   * The sessions that have ended without the client's doing, and what of their donations was kept.
   */
  readonly #left = new Map<number, Promise<Resources>>();
  #ended = false;
  /** The number of requests that are being worked on. */
  #requests = 0;

  constructor(host: ClientSessionsHost, client: string, account: Promise<Capability<typeof Pd>>) {
    this.#host = host;
    this.#client = client;
    this.#account = account;
  }

  /** The names of the children that serve this one. */
  get servers(): ReadonlySet<string> {
    const names = [...this.#sessions.values()].map(({ serverName }) => serverName);
    return new Set(names.filter((name) => name !== undefined));
  }

  /** All sessions that are open or asked for and are not being closed, and where they lead. */
  get routed(): RoutedSession[] {
    return [...this.#sessions.values()].flatMap(({ asked, ending }) => (asked && !ending ? [asked] : []));
  }

  /** All sessions, for people and managers. */
  get standings(): SessionStanding[] {
    return Array.from(this.#sessions.values(), standingOf);
  }

  /** The sessions that the client has asked for and does not have, with the reasons. */
  get missing(): MissingSession[] {
    return [...this.#refusals.all, ...[...this.#sessions.values()].flatMap(waitingOf)];
  }

  /** All sessions for people; the labels are those that the servers see. */
  get overview(): SessionOverview[] {
    return Array.from(this.#sessions.values(), overviewOf);
  }

  /** All sessions; those that are not open yet are listed without their donations. */
  get ledger(): LedgerSession[] {
    return Array.from(this.#sessions.values(), ledgerOf);
  }

  /**
   * Opens a session at the server that `route` finds. Throws `SessionError`. A number that is in
   * use is refused before anything else happens.
   */
  async open(request: ClientRequest, route: () => RoutedTo): Promise<SessionCapability> {
    const { id } = request;
    if (this.#sessions.has(id)) throw new SessionError('DENIED', `session ${id} exists`);
    if (this.#ended) throw new SessionError('DENIED', 'the client has ended');
    this.#forget(id);
    refuseUnpaid(request.donation);
    return this.#whileThereIsRoom(() => this.#open(request, route));
  }

  async #open(request: ClientRequest, route: () => RoutedTo): Promise<SessionCapability> {
    const { id, service } = request;
    const session = requestedSession(request);
    this.#sessions.set(id, session);
    this.#host.changed();
    try {
      const served = await this.#openAt(session, request, route());
      session.served = served;
      session.opened.resolve(served);
      this.#refusals.forget(service, session.asked?.label);
      this.#host.changed();
      if (session.ending)
        throw new SessionError('DENIED', 'the client has given up', await session.ending.kept);
      session.forgetServer = served.onLeave((ended) => this.#leave(id, session, ended));
      return served.capability;
    } catch (error) {
      // The answer to its request tells the client all.
      this.#forget(id);
      if (!session.served) this.#sessions.delete(id);
      session.opened.resolve(session.served);
      if (!session.served && !session.ending) this.#refusals.note(error, session);
      this.#host.changed();
      throw error;
    }
  }

  async #openAt(session: ClientSession, request: ClientRequest, routed: RoutedTo): Promise<ServedSession> {
    const { donation } = request;
    this.#leads(session, routed);
    await this.#pay(donation);
    if (session.ending) {
      const kept = await this.#refund(donation, donation);
      throw new SessionError('DENIED', 'the client has given up', kept);
    }
    let answer = await this.#askAt(session, request, routed);
    const { otherwise } = routed;
    if (otherwise && 'refused' in answer && isPlainDenial(answer, donation) && !session.ending) {
      this.#leads(session, otherwise);
      answer = await this.#askAt(session, request, otherwise);
    }
    if (!('refused' in answer)) return answer;
    session.refusedAs = session.asked;
    session.asked = undefined;
    const kept = await this.#refund(donation, answer.back);
    throw new SessionError(answer.refused.code, answer.refused.message, kept);
  }

  #leads(session: ClientSession, { serverName, asked }: RoutedTo): void {
    session.serverName = serverName;
    session.asked = session.request.reattach ? { ...asked, reattach: true } : asked;
  }

  #askAt(
    session: ClientSession,
    { service, args, donation, reattach }: ClientRequest,
    { server, serverName, label }: RoutedTo,
  ): Promise<ServedSession | Refused> {
    const { signal: givenUp } = session.givenUp;
    const opening = server.open({ service, label, args, donation, reattach, givenUp });
    const wait = { by: this.#client, for: serverName, service, step: 'open' } as const;
    return this.#host.waits.during(wait, opening);
  }

  /** Donates more to an open session. Throws `SessionError`. */
  async upgrade(id: number, more: Resources): Promise<void> {
    const session = this.#sessions.get(id);
    const served = session?.served;
    if (!served || session.ending) throw new SessionError('DENIED', `no open session ${id}`);
    await this.#whileThereIsRoom(() => this.#upgrade(session, served, more));
  }

  async #upgrade(session: ClientSession, served: ServedSession, more: Resources): Promise<void> {
    const done = this.#upgradeAt(served, more);
    session.upgraded = Promise.allSettled([session.upgraded, done]).then(() => {});
    session.upgrading++;
    this.#host.changed();
    try {
      await done;
    } finally {
      session.upgrading--;
      this.#host.changed();
    }
  }

  async #upgradeAt(served: ServedSession, more: Resources): Promise<void> {
    await this.#pay(more);
    const answer = await served.upgrade(more);
    if (!answer) return;
    const kept = await this.#refund(more, answer.back);
    throw new SessionError(answer.refused.code, answer.refused.message, kept);
  }

  /**
   * Waits for room. One client must not use up the calls that init may have under way to a server
   * or to its parent.
   */
  async #whileThereIsRoom<T>(step: () => Promise<T>): Promise<T> {
    if (this.#requests >= LIMITS.sessionRequestsPerClient) {
      throw new SessionError('DENIED', `${this.#requests} session requests of this client are under way`);
    }
    this.#requests++;
    try {
      return await step();
    } finally {
      this.#requests--;
    }
  }

  /**
   * Closes a session. Settles when its server is done with it, with the part of its donation that
   * has not come back.
   */
  async close(id: number): Promise<Resources> {
    const left = this.#forget(id);
    const session = this.#sessions.get(id);
    return session ? this.#end(id, session).kept : (left ?? NOTHING);
  }

  /**
   * Ends those of its sessions that are lost. The client goes on without them, or takes new ones.
   */
  endLost(lost: ReadonlySet<RoutedSession>): void {
    for (const [id, session] of this.#sessions) {
      if (session.asked && lost.has(session.asked)) this.#leave(id, session, true);
    }
  }

  /** Requests that were refused may be granted now: the client is to make them again. */
  retry(): void {
    this.#refusals.retry();
    this.news.retry();
  }

  /**
   * The session has ended without the client's doing, or is to be left for another one. The client
   * is told, if it wants to hear that.
   */
  #leave(id: number, session: ClientSession, ended: boolean): void {
    if (session.ending) return;
    const { service, asked, request } = session;
    if (ended) {
      const { kept } = this.#end(id, session);
      if (this.#left.size < LIMITS.sessionNoticesKept) this.#left.set(id, kept);
    }
    if (!request.reattach) return;
    if (ended) this.#refusals.lost(service, asked?.label);
    this.news.leave(id, ended);
  }

  /** The client knows that a session is gone. The result is what of its donation was kept. */
  #forget(id: number): Promise<Resources> | undefined {
    const left = this.#left.get(id);
    this.#left.delete(id);
    this.news.forget(id);
    return left;
  }

  /** Ends the sessions with other children, because the client is gone or going. */
  endAtChildren(): { readonly closed: Promise<void>; readonly back: Promise<void> } {
    this.#ended = true;
    this.news.end();
    const endings = this.#endAll((session) => session.serverName !== undefined);
    return {
      closed: Promise.all(endings.map(({ closed }) => closed)).then(() => {}),
      back: Promise.all(endings.map(({ kept }) => kept)).then(() => {}),
    };
  }

  /**
   * Ends the sessions with the parent's services, because the client is gone. If the client was an
   * init itself, it ran its children by these sessions: they end before anything that belongs to
   * the children is taken away, their accounts last.
   */
  async endAtParent(): Promise<void> {
    this.#ended = true;
    const order = ['CPU', undefined, 'PD'];
    for (const service of order) {
      const endings = this.#endAll(
        (session) =>
          session.serverName === undefined &&
          (service === undefined ? !order.includes(session.service) : session.service === service),
      );
      await Promise.all(endings.map(({ kept }) => kept));
    }
  }

  /**
   * Ends the sessions of a kind. Requests for sessions that are still being opened are given up,
   * and their servers are not waited for.
   */
  #endAll(kind: (session: ClientSession) => boolean): NonNullable<ClientSession['ending']>[] {
    const those = [...this.#sessions].filter(([, session]) => kind(session));
    const endings = those.map(([id, session]) => ({ session, ending: this.#end(id, session) }));
    return endings.filter(({ session }) => session.served !== undefined).map(({ ending }) => ending);
  }

  #end(id: number, session: ClientSession): NonNullable<ClientSession['ending']> {
    session.ending ??= this.#beginEnd(id, session);
    return session.ending;
  }

  #beginEnd(id: number, session: ClientSession): NonNullable<ClientSession['ending']> {
    session.givenUp.abort();
    this.#host.changed();
    const closed = quietDeferred<void>();
    return { closed: closed.promise, kept: this.#close(id, session, () => closed.resolve()) };
  }

  async #close(id: number, session: ClientSession, closed: () => void): Promise<Resources> {
    const served = await session.opened.promise;
    if (!served) {
      closed();
      return NOTHING;
    }
    const { service, serverName } = session;
    const ending = session.upgraded.then(() => served.close(() => !this.#ended));
    const atServer = ending.then(({ closed: done }) => done);
    await this.#host.waits.during({ by: this.#client, for: serverName, service, step: 'close' }, atServer);
    closed();
    const kept = await this.#refund(served.donation, await (await ending).back);
    session.forgetServer();
    served.capability[Symbol.dispose]();
    this.#sessions.delete(id);
    this.#host.changed();
    return kept;
  }

  /** Moves a donation from the client's account to init's. */
  async #pay(donation: Resources): Promise<void> {
    if (isNothing(donation)) return;
    try {
      await (await this.#account).transfer(this.#host.env.pd, donation);
    } catch (error) {
      throw refusalFor(error, 'the parent');
    }
  }

  /**
   * Gives the client the part of a donation that came back. The result is the part that did not.
   */
  async #refund(donation: Resources, back: Resources): Promise<Resources> {
    if (isNothing(back)) return donation;
    try {
      if (!this.#ended) {
        const account = await this.#account;
        await untilTaken(this.#host.env, () => this.#host.env.pd.transfer(account, back));
        return minus(donation, back);
      }
    } catch (error) {
      if (!this.#ended) void this.#host.env.error(`"${this.#client}" cannot be refunded: ${String(error)}`);
    }
    this.#host.returned(back);
    return donation;
  }
}

/** Whether a server has denied a request and kept nothing of the donation. */
function isPlainDenial({ refused, back }: Refused, donation: Resources): boolean {
  return hasCode(refused, 'DENIED') && isNothing(minus(donation, back));
}

/**
 * Refuses requests that pay less than any session costs. Each session takes room in init's own
 * table, whoever serves it; a server and a client that work together could fill that table with
 * sessions without donations. With this rule the client's quota is the bound.
 */
function refuseUnpaid({ ram, caps }: Resources): void {
  const { session } = COSTS;
  if (ram < session.ram) throw new SessionError('INSUFFICIENT_RAM', `a session costs ${session.ram} bytes`);
  if (caps < session.caps)
    throw new SessionError('INSUFFICIENT_CAPS', `a session costs ${session.caps} caps`);
}
