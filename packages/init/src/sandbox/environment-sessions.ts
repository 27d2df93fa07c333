/**
 * The sessions that init opens for a child: its account, its means to run, and its binary. They are
 * numbered apart from those that the child opens itself.
 */
import { hasCode, SessionError } from '@ginit/core';
import type { Resources, SessionArguments, SessionCapability } from '@ginit/core/system';
import { ENVIRONMENT_COST } from '../model/index.ts';
import type { RoutedSession } from '../plan/index.ts';
import type { MissingSession, SessionPhase, SessionStanding } from '../report/index.ts';
import type { RoutedTo } from './client-sessions.ts';
import type { ServedSession } from './session-server.ts';
import type { Waits } from './waits.ts';

/** The services of a child's environment. */
export type EnvironmentService = 'PD' | 'CPU' | 'ROM';

/** What the sessions of an environment need. */
export interface EnvironmentHost {
  readonly waits: Waits;
  /** The name of the child, which is the label of each of these sessions. */
  readonly child: string;
  /** Finds the server of a session. Throws `SessionError` if there is none. */
  route(service: EnvironmentService): RoutedTo;
  arguments(service: EnvironmentService): SessionArguments;
  /** The state of a session has changed. */
  changed(): void;
}

interface EnvironmentSession {
  readonly served: ServedSession;
  readonly routed: RoutedTo;
}

/** The environment of one child. */
export class EnvironmentSessions {
  readonly #host: EnvironmentHost;
  readonly #open = new Map<EnvironmentService, EnvironmentSession>();
  /** The requests that no server has answered yet. */
  readonly #asked = new Map<EnvironmentService, RoutedTo>();
  /** The requests that were refused. */
  readonly #refused = new Map<EnvironmentService, SessionPhase>();
  readonly #endBegins = new AbortController();

  constructor(host: EnvironmentHost) {
    this.#host = host;
  }

  /** All sessions that are open or asked for, and where they lead. */
  get routed(): RoutedSession[] {
    const open = Array.from(this.#open.values(), ({ routed }) => routed);
    return [...this.#asked.values(), ...open].map(({ asked }) => asked);
  }

  /** All sessions, for people and managers. */
  get standings(): SessionStanding[] {
    const standing = (service: string, phase: SessionPhase, donation: Resources): SessionStanding => ({
      service,
      label: this.#host.child,
      phase,
      donation,
      args: {},
    });
    return (['PD', 'CPU', 'ROM'] as const).flatMap((service) => {
      const served = this.#open.get(service)?.served;
      if (served) return [standing(service, 'open', served.donation)];
      const refused = this.#refused.get(service);
      if (refused) return [standing(service, refused, ENVIRONMENT_COST[service])];
      return this.#asked.has(service) ? [standing(service, 'requested', ENVIRONMENT_COST[service])] : [];
    });
  }

  /** The sessions that are asked for, each with the child that has to answer. */
  get missing(): MissingSession[] {
    return Array.from(this.#asked, ([service, { serverName }]) => ({
      service,
      label: this.#host.child,
      reason: { kind: 'waiting', server: serverName },
    }));
  }

  /** The names of the children that serve these sessions. */
  get servers(): string[] {
    return [...this.#open.values()].flatMap(({ routed: { serverName } }) => serverName ?? []);
  }

  served(service: EnvironmentService): ServedSession | undefined {
    return this.#open.get(service)?.served;
  }

  /** Requests that are not answered yet are given up, and no more sessions are opened. */
  endBegins(): void {
    this.#endBegins.abort();
  }

  async open(service: EnvironmentService): Promise<SessionCapability> {
    try {
      return await this.#openNow(service);
    } catch (error) {
      this.#refused.set(service, refusedPhase(error));
      throw error;
    } finally {
      this.#host.changed();
    }
  }

  async #openNow(service: EnvironmentService): Promise<SessionCapability> {
    const { child, waits } = this.#host;
    const routed = this.#host.route(service);
    const { server, serverName, label } = routed;
    const args = this.#host.arguments(service);
    const { signal: givenUp } = this.#endBegins;
    this.#asked.set(service, routed);
    const donation = ENVIRONMENT_COST[service];
    const opening = server.open({ service, label, args, donation, reattach: false, givenUp });
    const wait = { by: child, for: serverName, service, step: 'open' } as const;
    const served = await waits.during(wait, opening);
    this.#asked.delete(service);
    if ('refused' in served) throw served.refused;
    this.#open.set(service, { served, routed });
    if (givenUp.aborted) {
      await this.close(service);
      throw new SessionError('DENIED', `"${child}" has ended`);
    }
    return served.capability;
  }

  async close(service: EnvironmentService): Promise<void> {
    const session = this.#open.get(service);
    if (!session) return;
    this.#open.delete(service);
    const wait = { by: this.#host.child, for: session.routed.serverName, service, step: 'close' } as const;
    await this.#host.waits.during(wait, session.served.close(() => false).closed);
  }
}

function refusedPhase(error: unknown): SessionPhase {
  if (hasCode(error, 'OUT_OF_RAM') || hasCode(error, 'INSUFFICIENT_RAM')) return 'short-of-ram';
  if (hasCode(error, 'OUT_OF_CAPS') || hasCode(error, 'INSUFFICIENT_CAPS')) return 'short-of-caps';
  return 'denied';
}
