/** The services that one child has declared in its `<provides>`, and the sessions it serves. */
import { type Capability, type Env, hasCode, PeerGone, RpcError, SessionError } from '@ginit/core';
import { type Pd, type Resources, type Root } from '@ginit/core/system';
import { type Deferred, quietDeferred } from '@ginit/core/async';
import type { SessionPhase, SessionStanding } from '../report/index.ts';
import { Afterwards } from './afterwards.ts';
import { untilTaken, type WaitingEnv } from './again.ts';
import { amountText, isNothing, minus, NOTHING, plus } from './amounts.ts';
import { Ending } from './ending.ts';
import { Leftover } from './leftover.ts';
import {
  type ClosedSession,
  refusalFor,
  type Refused,
  type RoutedRequest,
  type ServedSession,
  type SessionServer,
} from './session-server.ts';

type RootCapability = Capability<typeof Root>;
type Account = Capability<typeof Pd>;

/** The number of attempts to close a session at a server that says that it has too much to do. */
const CLOSING_TRIES_MAX = 100;

/**
 * The services without a declaration that a child may announce, in case they are declared later.
 */
const ANNOUNCED_MAX = 32;

/** The services of init that a server needs. */
export interface ChildServerHost {
  readonly env: Pick<Env, 'pd' | 'warning'> & WaitingEnv;
  /**
   * Called when the child cannot be reached any more though its end was not reported. It is to be
   * ended.
   */
  lost(reason: string): void;
  /** The state of a session has changed. */
  changed(): void;
}

/** A session at the child, in its present state. */
interface Serving {
  readonly request: RoutedRequest;
  phase: SessionPhase;
  donation: Resources;
}

/** A child in its role as a server. */
export class ChildServer implements SessionServer {
  /** The quota that the child leaves behind. Its clients get their donations back from there. */
  readonly leftover = new Leftover();
  readonly #host: ChildServerHost;
  readonly #child: string;
  /** The services that its start node declares at this moment. */
  readonly #declared: Set<string>;
  /** The root objects that it has announced, or is going to. */
  readonly #roots = new Map<string, Deferred<RootCapability>>();
  readonly #announced = new Set<string>();
  readonly #account: Promise<Account>;
  readonly #ending = new Ending();
  /** The sessions that it serves or is asked for. */
  readonly #serving = new Set<Serving>();
  /** Those who are told when its sessions are to be left. */
  readonly #leavers = new Set<(ended: boolean) => void>();
  #replaced = false;
  #someoneLeft: () => void = () => {};
  /** The ends of its sessions that are under way. */
  readonly #closings = new Set<Promise<void>>();
  /** What comes after it. */
  readonly afterwards = new Afterwards();
  #nextId = 1;
  /**
   * The quota of its clients that it is known to have kept. Each kind of misbehaviour is reported
   * once.
   */
  #kept = NOTHING;
  readonly #said = new Set<string>();

  /** `account` settles with the child's account as soon as it has one. */
  constructor(host: ChildServerHost, child: string, provides: readonly string[], account: Promise<Account>) {
    this.#host = host;
    this.#child = child;
    this.#account = account;
    this.#declared = new Set(provides);
  }

  /** The quota of its clients that it has not given back. */
  get kept(): Resources {
    return this.#kept;
  }

  /** The sessions that it serves or is asked for, for people and managers. */
  get standings(): SessionStanding[] {
    return Array.from(this.#serving, ({ request: { service, label, args }, phase, donation }) => ({
      service,
      label,
      phase,
      donation,
      args,
    }));
  }

  /** Settles when the sessions that are being closed at this moment are closed. */
  async untilClosed(): Promise<void> {
    await Promise.all(this.#closings);
  }

  hasAnnounced(service: string): boolean {
    return this.#announced.has(service);
  }

  /** Whether it has announced every service that its start node declares. */
  get isComplete(): boolean {
    return [...this.#declared].every((service) => this.#announced.has(service));
  }

  /** The child says that it is ready to serve sessions. */
  announce(service: string, root: RootCapability): void {
    if (this.#announced.has(service)) {
      throw new SessionError('DENIED', `"${this.#child}" provides "${service}" already`);
    }
    // A service that is not declared may be declared later. Then the child does not say it again.
    if (this.#declared.has(service) || this.#announced.size < ANNOUNCED_MAX) {
      this.#announced.add(service);
      this.#rootOf(service).resolve(root);
    }
    if (!this.#declared.has(service)) {
      throw new SessionError('DENIED', `the start node of "${this.#child}" does not provide "${service}"`);
    }
  }

  /** Its start node declares another service than before, or declares one no more. */
  declare(added: readonly string[], removed: readonly string[]): void {
    for (const service of added) this.#declared.add(service);
    for (const service of removed) {
      this.#declared.delete(service);
      if (this.#announced.has(service)) continue;
      const text = `"${this.#child}" does not provide "${service}" any more`;
      this.#roots.get(service)?.reject(new SessionError('DENIED', text));
      this.#roots.delete(service);
    }
  }

  #rootOf(service: string): Deferred<RootCapability> {
    const known = this.#roots.get(service);
    if (known) return known;
    const root = quietDeferred<RootCapability>();
    if (this.#ending.reason) root.reject(new PeerGone(this.#ending.reason.message, 'no'));
    this.#roots.set(service, root);
    return root;
  }

  /**
   * The child is gone, or going. Requests that wait for it are refused, and its sessions need no
   * closing.
   */
  end(reason: string): void {
    // Who waits for its root has not reached it.
    for (const waiting of this.#roots.values()) waiting.reject(new PeerGone(reason, 'no'));
    this.#ending.end(new PeerGone(reason));
    this.#someoneLeft();
  }

  /** Another server takes over: clients that can take sessions there are told to do so. */
  beReplaced(): void {
    this.#replaced = true;
    for (const leave of this.#leavers) leave(false);
  }

  /** Whether another server has taken over. */
  get isReplaced(): boolean {
    return this.#replaced;
  }

  /** Settles when no client is left that may still turn to the server that has taken over. */
  async untilLeft(): Promise<void> {
    while (!this.#ending.reason && [...this.#serving].some(({ request }) => request.reattach)) {
      await new Promise<void>((resolve) => (this.#someoneLeft = resolve));
    }
  }

  /** Ends the sessions of clients that have not left. */
  dismiss(): void {
    for (const leave of this.#leavers) leave(true);
    this.#someoneLeft();
  }

  #onLeave(handler: (ended: boolean) => void): () => void {
    const forget = this.#ending.on(() => handler(true));
    const leave = (ended: boolean): void => handler(ended);
    this.#leavers.add(leave);
    if (this.#replaced) leave(false);
    return () => {
      forget();
      this.#leavers.delete(leave);
    };
  }

  async open(request: RoutedRequest): Promise<ServedSession | Refused> {
    const serving: Serving = { request, phase: 'requested', donation: request.donation };
    this.#serving.add(serving);
    const answer = await this.#open(request);
    if ('refused' in answer) {
      this.#serving.delete(serving);
      this.#someoneLeft();
      this.#host.changed();
      return answer;
    }
    this.#becomes(serving, 'open');
    return this.#watched(serving, answer);
  }

  #becomes(serving: Serving, phase: SessionPhase): void {
    serving.phase = phase;
    this.#host.changed();
  }

  /** The session, whose state is told. */
  #watched(serving: Serving, session: ServedSession): ServedSession {
    return {
      capability: session.capability,
      get donation() {
        return session.donation;
      },
      onLeave: (handler) => session.onLeave(handler),
      upgrade: async (more) => {
        this.#becomes(serving, 'upgrading');
        const refused = await session.upgrade(more);
        serving.donation = session.donation;
        this.#becomes(serving, 'open');
        return refused;
      },
      close: (clientLives) => {
        this.#becomes(serving, 'closing');
        const closing = session.close(clientLives);
        this.#closings.add(closing.closed);
        void closing.closed.then(() => {
          this.#closings.delete(closing.closed);
          this.#serving.delete(serving);
          this.#someoneLeft();
          this.#host.changed();
        });
        return closing;
      },
    };
  }

  async #open(request: RoutedRequest): Promise<ServedSession | Refused> {
    const { service, label, args, donation, givenUp } = request;
    let account: Account;
    let root: RootCapability;
    try {
      root = await this.#root(service, givenUp);
      account = await this.#account;
      await this.#host.env.pd.transfer(account, donation);
    } catch (error) {
      const later = hasCode(error, 'PeerGone') ? await this.afterwards.open(request, error) : undefined;
      return later ?? { refused: this.#refusal(error), back: donation };
    }
    const id = this.#nextId++;
    try {
      const opening = root.session({ id, label, args, ram: donation.ram, caps: donation.caps });
      const capability = await this.#ending.unless(opening, (late) => late[Symbol.dispose]());
      return this.#served({ id, root, account, donation, capability });
    } catch (error) {
      this.#notice(error);
      const back = await this.#takeBack(account, donation, 'refused', () => true);
      const isGone = hasCode(error, 'PeerGone') && isNothing(minus(donation, back));
      const later = isGone ? await this.afterwards.open(request, error) : undefined;
      return later ?? { refused: this.#refusal(error), back };
    }
  }

  #refusal(error: unknown): SessionError {
    return refusalFor(this.#ending.reason ?? error, `server "${this.#child}"`);
  }

  async #root(service: string, givenUp: AbortSignal): Promise<RootCapability> {
    if (!this.#declared.has(service)) {
      throw new SessionError('DENIED', `"${this.#child}" does not provide "${service}"`);
    }
    const waiting = this.#rootOf(service);
    const tooLate = quietDeferred<never>();
    const giveUp = (): void => tooLate.reject(new SessionError('DENIED', 'the client has given up'));
    if (givenUp.aborted) giveUp();
    givenUp.addEventListener('abort', giveUp, { once: true });
    try {
      return await Promise.race([waiting.promise, tooLate.promise]);
    } finally {
      givenUp.removeEventListener('abort', giveUp);
    }
  }

  #served(session: {
    readonly id: number;
    readonly root: RootCapability;
    readonly account: Account;
    readonly donation: Resources;
    readonly capability: ServedSession['capability'];
  }): ServedSession {
    const { id, root, account, capability } = session;
    let { donation } = session;
    return {
      capability,
      get donation() {
        return donation;
      },
      onLeave: (handler) => this.#onLeave(handler),
      upgrade: async (more) => {
        const refused = await this.#upgrade(root, account, id, more);
        if (!refused) donation = plus(donation, more);
        return refused;
      },
      close: (clientLives) => this.#close(root, account, id, donation, clientLives),
    };
  }

  async #upgrade(
    root: RootCapability,
    account: Account,
    id: number,
    more: Resources,
  ): Promise<Refused | undefined> {
    try {
      await this.#host.env.pd.transfer(account, more);
    } catch (error) {
      return { refused: this.#refusal(error), back: more };
    }
    try {
      await this.#ending.unless(root.upgrade(id, more.ram, more.caps));
      return undefined;
    } catch (error) {
      this.#notice(error);
      const back = await this.#takeBack(account, more, 'refused', () => true);
      return { refused: this.#refusal(error), back };
    }
  }

  #close(
    root: RootCapability,
    account: Account,
    id: number,
    donation: Resources,
    clientLives: () => boolean,
  ): ClosedSession {
    const closed = this.#closeAtRoot(root, id);
    const back = closed.then(() => this.#takeBack(account, donation, 'closed', clientLives));
    return { closed, back };
  }

  async #closeAtRoot(root: RootCapability, id: number): Promise<void> {
    if (this.#ending.reason) return;
    try {
      await this.#ending.unless(untilTaken(this.#host.env, () => root.close(id), CLOSING_TRIES_MAX));
    } catch (error) {
      this.#notice(error);
      if (!this.#ending.reason) this.#sayOnce('close', `fails to close sessions (${codeOf(error)})`);
    }
  }

  /**
   * Looks at a failed call to the child. If the channel is closed, the child is gone, though the
   * report of its end may still be on its way to us. The quota that it had in use becomes free only
   * then; until then it would look as if the child kept it.
   */
  #notice(error: unknown): void {
    if (!this.#ending.reason && hasCode(error, 'PeerGone'))
      this.#lose('it has ended its channel to its parent');
  }

  /**
   * Takes back a donation that the server no longer needs: the free part of it from the server's
   * account or, if the server has ended, from the quota that it has left behind.
   */
  async #takeBack(
    account: Account,
    donation: Resources,
    what: 'refused' | 'closed',
    clientLives: () => boolean,
  ): Promise<Resources> {
    if (isNothing(donation)) return NOTHING;
    if (!this.#ending.reason) {
      try {
        const { env } = this.#host;
        const back = await untilTaken(env, () => account.transferUpTo(env.pd, donation));
        this.#hasKept(minus(donation, back), what);
        return back;
      } catch (error) {
        // The child has ended its own account, or the report of its end is on the way to us.
        if (!this.#ending.reason) this.#lose(`its account cannot be used (${codeOf(error)})`);
      }
    }
    return this.leftover.take(donation, clientLives());
  }

  /**
   * Treats the child as gone. This is needed also for a child that is being stopped in order and
   * will not be ended a second time: its clients then get their donations from the quota that it
   * leaves behind.
   */
  #lose(reason: string): void {
    this.#host.lost(reason);
    this.end(`server "${this.#child}" is lost: ${reason}`);
  }

  #hasKept(amount: Resources, what: 'refused' | 'closed'): void {
    if (isNothing(amount)) return;
    this.#kept = plus(this.#kept, amount);
    this.#sayOnce('kept', `keeps ${amountText(amount)} of a session that it has ${what}`);
  }

  #sayOnce(key: string, text: string): void {
    if (this.#said.has(key)) return;
    this.#said.add(key);
    void this.#host.env.warning(`child "${this.#child}" ${text}`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof RpcError ? error.code : 'InternalError';
}
