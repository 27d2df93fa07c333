/**
 * The services that init offers to the other children of its parent (reference: Genode's init):
 * each session is served by a child of ours, which the policies of a top-level `<service>` choose
 * by the label of the client. What the client donates goes on to that child, less what a session
 * costs init itself. A new config is asked about every session that is open: one that leads
 * elsewhere by it is closed at its child.
 */
import { type Capability, type Implementation, selectPolicy, SessionError } from '@ginit/core';
import {
  COSTS,
  type Pd,
  refuseTooLittle,
  type Resources,
  type Root,
  type RootRequest,
  type SessionCapability,
} from '@ginit/core/system';
import type { ForwardedService } from '../model/index.ts';
import { isNothing, minus, NOTHING } from './amounts.ts';
import type { ServedSession, SessionServer } from './session-server.ts';

/** A child as the server of a session from above. */
export interface ForwardingTarget {
  /** Another object after the child was restarted. */
  readonly server: SessionServer;
  readonly label: string;
}

/** The services of the sandbox that the forwarding needs. */
export interface ForwardingHost {
  readonly pd: Pick<Capability<typeof Pd>, 'allocate' | 'free'>;
  /** Tells the parent of a service. Settles when the parent has taken it. */
  announce(service: string, root: Implementation<typeof Root>): Promise<void>;
  /** The server, if there is such a child and it provides the service. */
  serverOf(child: string, service: string): SessionServer | undefined;
  warning(text: string): Promise<void>;
}

/** Where a request leads: to a server, to nobody for ever, or to one that may still come. */
type Resolution =
  | { readonly kind: 'denied' }
  | { readonly kind: 'pending' }
  | { readonly kind: 'found'; readonly target: ForwardingTarget };

interface ForwardedSession {
  readonly request: RootRequest;
  readonly givenUp: AbortController;
  /** Called when the config has changed, while the request waits for a server. */
  look: () => void;
  target: ForwardingTarget | undefined;
  served: ServedSession | undefined;
  /** Settles when the upgrades under way are done. */
  upgraded: Promise<void>;
  /**
   * The end of the session at the child, once that has begun, and what of the donation came back.
   */
  closing: Promise<Resources> | undefined;
  /** What of the donation must not be spent by init as long as the session is open above. */
  readonly held: number[];
}

/** The forwarded services of one init. */
export class Forwarding {
  readonly #host: ForwardingHost;
  #services: ReadonlyMap<string, ForwardedService> = new Map();
  readonly #announced = new Map<string, Map<number, ForwardedSession>>();

  constructor(host: ForwardingHost) {
    this.#host = host;
  }

  /** Takes the `<service>` elements of a config, and looks at every session again. */
  apply(services: readonly ForwardedService[]): void {
    this.#services = new Map(services.map((service) => [service.name, service]));
    for (const { name } of services) this.#announce(name);
    this.lookAgain();
  }

  /**
   * Children have come or gone: requests that wait may have a server now, and sessions have lost
   * theirs.
   */
  lookAgain(): void {
    for (const [service, sessions] of this.#announced) {
      for (const session of sessions.values()) {
        if (session.served) this.#review(service, session);
        else session.look();
      }
    }
  }

  #announce(service: string): void {
    if (this.#announced.has(service)) return;
    this.#announced.set(service, new Map());
    this.#host.announce(service, this.#rootOf(service)).catch((error: unknown) => {
      const reason = error instanceof Error ? error.message : String(error);
      void this.#host.warning(`service "${service}" cannot be offered: ${reason}`);
    });
  }

  #rootOf(service: string): Implementation<typeof Root> {
    return {
      session: (request) => this.#open(service, request),
      upgrade: (id, ram, caps) => this.#upgrade(service, id, { ram, caps }),
      close: (id) => this.#close(service, id),
    };
  }

  #sessionsOf(service: string): Map<number, ForwardedSession> {
    return this.#announced.get(service) ?? new Map<number, ForwardedSession>();
  }

  async #open(service: string, request: RootRequest): Promise<SessionCapability> {
    const sessions = this.#sessionsOf(service);
    const { id } = request;
    if (sessions.has(id)) throw new SessionError('DENIED', `session ${id} exists`);
    refuseTooLittle(request, COSTS.session);
    const session: ForwardedSession = {
      request,
      givenUp: new AbortController(),
      look: () => {},
      target: undefined,
      served: undefined,
      upgraded: Promise.resolve(),
      closing: undefined,
      held: [],
    };
    sessions.set(id, session);
    try {
      return await this.#openAtChild(service, session);
    } catch (error) {
      sessions.delete(id);
      await this.#release(session);
      throw error;
    }
  }

  async #openAtChild(service: string, session: ForwardedSession): Promise<SessionCapability> {
    const { request, givenUp } = session;
    const whole = { ram: request.ram, caps: request.caps };
    const donation = minus(whole, COSTS.session);
    for (;;) {
      const target = await this.#targetOf(service, session, whole);
      session.target = target;
      await this.#hold(session, COSTS.session);
      const { server, label } = target;
      const answer = await server.open({
        service,
        label,
        args: request.args,
        donation,
        reattach: false,
        givenUp: givenUp.signal,
      });
      if ('refused' in answer) throw answer.refused;
      session.served = answer;
      if (!givenUp.signal.aborted && this.#leadsThere(service, session)) return answer.capability;
      // The config has changed meanwhile, or the client has given up.
      const kept = minus(donation, await this.#closeAtChild(session));
      if (!isNothing(kept)) throw new SessionError('DENIED', 'a server has kept a part of the donation');
      session.served = undefined;
      session.closing = undefined;
      await this.#release(session);
    }
  }

  /**
   * The server of a request. If there is none yet of those that the policies name, this waits for
   * it. Init must not spend the donation meanwhile.
   */
  async #targetOf(
    service: string,
    session: ForwardedSession,
    donation: Resources,
  ): Promise<ForwardingTarget> {
    const { signal } = session.givenUp;
    for (;;) {
      if (signal.aborted) throw new SessionError('DENIED', 'the client has given up');
      const { label } = session.request;
      const resolution = this.#resolve(service, label);
      switch (resolution.kind) {
        case 'found':
          await this.#release(session);
          return resolution.target;
        case 'denied':
          throw new SessionError('DENIED', `no policy defined for label "${label}"`);
        case 'pending': {
          const looked = new Promise<void>((look) => {
            session.look = look;
            signal.addEventListener('abort', () => look(), { once: true });
          });
          if (session.held.length === 0) await this.#hold(session, donation);
          await looked;
        }
      }
    }
  }

  #resolve(service: string, label: string): Resolution {
    const forwarded = this.#services.get(service);
    const policy = forwarded && selectPolicy(forwarded, label);
    if (!policy) return { kind: 'denied' };
    const server = this.#host.serverOf(policy.child.name, service);
    if (!server) return { kind: 'pending' };
    return { kind: 'found', target: { server, label: policy.childLabel ?? label } };
  }

  /** Closes a session that leads elsewhere by the config of now. */
  #review(service: string, session: ForwardedSession): void {
    if (!session.closing && !this.#leadsThere(service, session)) void this.#closeAtChild(session);
  }

  #leadsThere(service: string, { request, target }: ForwardedSession): boolean {
    const resolution = this.#resolve(service, request.label);
    if (resolution.kind !== 'found' || !target) return false;
    return resolution.target.server === target.server && resolution.target.label === target.label;
  }

  async #upgrade(service: string, id: number, more: Resources): Promise<void> {
    const session = this.#sessionsOf(service).get(id);
    if (!session?.served || session.closing) throw new SessionError('DENIED', `no session ${id}`);
    const done = session.served.upgrade(more);
    session.upgraded = Promise.allSettled([session.upgraded, done]).then(() => {});
    const refused = await done;
    if (refused) throw refused.refused;
  }

  async #close(service: string, id: number): Promise<void> {
    const sessions = this.#sessionsOf(service);
    const session = sessions.get(id);
    if (!session) return;
    session.givenUp.abort();
    if (!session.served) return;
    await this.#closeAtChild(session);
    sessions.delete(id);
    await this.#release(session);
  }

  #closeAtChild(session: ForwardedSession): Promise<Resources> {
    session.closing ??= this.#end(session);
    return session.closing;
  }

  /**
   * The client gets back what came back when it closes the session above: until then init keeps it.
   */
  async #end(session: ForwardedSession): Promise<Resources> {
    const { served, upgraded } = session;
    if (!served) return NOTHING;
    await upgraded;
    const { closed, back } = served.close(() => true);
    await closed;
    const returned = await back;
    served.capability[Symbol.dispose]();
    if (!session.givenUp.signal.aborted) await this.#hold(session, returned);
    return returned;
  }

  async #hold(session: ForwardedSession, amount: Resources): Promise<void> {
    // An allocation takes a capability at least.
    if (amount.caps > 0) session.held.push(await this.#host.pd.allocate(amount));
  }

  async #release({ held }: ForwardedSession): Promise<void> {
    for (const allocation of held.splice(0)) await this.#host.pd.free(allocation);
  }
}
