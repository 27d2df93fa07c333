/** What a child asks of its parent: the object of init that each of its children holds. */
import { type Implementation, Rom } from '@ginit/core';
import {
  Cpu,
  type Parent,
  Pd,
  prependLabel,
  refusalOf,
  type SessionAnswer,
  type SessionArguments,
  type SessionRequest,
  withConfinement,
} from '@ginit/core/system';
import type { InitConfig, StartNode } from '../model/index.ts';
import type { ServedBy } from '../plan/index.ts';
import type { ChildServer } from './child-server.ts';
import type { ClientSessions, RoutedTo } from './client-sessions.ts';
import type { ConfigServer } from './config-server.ts';
import { managingArguments } from './managing-system.ts';
import { NoRoute } from './no-route.ts';
import { schedulingArguments } from './scheduling.ts';

/** The label of the configuration's ROM, as a child asks for it. */
const CONFIG_LABEL = 'config';

/** What the requests of one child need. */
export interface RequestsHost {
  readonly name: string;
  /** The start node that the child was made from; what of it a new config changes has no effect. */
  readonly born: () => StartNode;
  readonly surroundings: InitConfig;
  readonly server: ChildServer;
  readonly sessions: ClientSessions;
  readonly config: ConfigServer;
  /** Whether its start node says that it is handed new sessions for those it loses. */
  reattaches(): boolean;
  route(service: string, label: string): RoutedTo | 'config';
  /** The child's voice was denied, so it cannot run. */
  voiceless(label: string): void;
  announced(service: string): void;
  exited(code: number): void;
}

/** The requests of one child. */
export class ChildRequests {
  readonly #host: RequestsHost;

  constructor(host: RequestsHost) {
    this.#host = host;
  }

  /** Its part of the operations of `Parent`. */
  get operations(): Pick<
    Implementation<typeof Parent>,
    'session' | 'upgrade' | 'close' | 'announce' | 'exit' | 'sessionHandler' | 'sessionNotices'
  > {
    const { sessions, server } = this.#host;
    return {
      session: (request) => this.#session(request),
      upgrade: async (id, ram, caps) => {
        try {
          await sessions.upgrade(id, { ram, caps });
          return undefined;
        } catch (error) {
          return refusalOf(error);
        }
      },
      close: (id) => sessions.close(id),
      announce: (service, root) => {
        server.announce(service, root);
        this.#host.announced(service);
      },
      exit: (code) => this.#host.exited(code),
      ...sessions.news.operations,
    };
  }

  /** The arguments of a session that init opens for the child. */
  environmentArguments(service: string): SessionArguments {
    return this.#arguments(service, {}, true);
  }

  async #session(request: SessionRequest): Promise<SessionAnswer> {
    const { id, service, ram, caps } = request;
    const reattach = request.reattach === true && this.#host.reattaches();
    try {
      const args = this.#requested(service, request.args);
      const asked = { id, service, args, donation: { ram, caps }, reattach };
      const session = await this.#host.sessions.open(asked, () => this.#route(request));
      return { session, watched: reattach };
    } catch (error) {
      return { refused: refusalOf(error), watched: reattach };
    }
  }

  #route({ service, label }: SessionRequest): RoutedTo {
    const { name } = this.#host;
    // The LOG session of the environment is the child's own voice: its label is the child's name.
    const own = service === 'LOG' && label === '';
    const whole = own ? name : prependLabel(name, label);
    // A child whose start node names the ROM in the place of its config must have that.
    const named = this.#host.born().configFile !== undefined;
    const isConfig = service === Rom.service && label === CONFIG_LABEL && !named;
    try {
      const route = this.#host.route(service, whole);
      if (route === 'config') return this.#ownConfig(whole, { kind: 'config' });
      if (!isConfig) return route;
      const { to } = route.asked;
      const refused = to.kind === 'config' || to.kind === 'no config' ? undefined : to;
      return { ...route, otherwise: this.#ownConfig(whole, { kind: 'no config', refused }) };
    } catch (error) {
      if (!(error instanceof NoRoute)) throw error;
      if (isConfig) return this.#ownConfig(whole, { kind: 'no config', refused: undefined });
      if (own) this.#host.voiceless(whole);
      throw error;
    }
  }

  /** The configuration that init serves itself: an empty one to a child that has none. */
  #ownConfig(
    label: string,
    to: { readonly kind: 'config' } | { readonly kind: 'no config'; readonly refused: ServedBy | undefined },
  ): RoutedTo {
    const asked = { service: Rom.service, label, to };
    return { server: this.#host.config, serverName: undefined, label: CONFIG_LABEL, asked };
  }

  /** `own` is whether init opens the session for the child itself. */
  #arguments(service: string, args: SessionArguments, own: boolean): SessionArguments {
    const { born, surroundings } = this.#host;
    if (service === Pd.service) return managingArguments(args, born(), own);
    return service === Cpu.service ? schedulingArguments(args, born(), surroundings) : args;
  }

  /** The arguments of a session that the child itself asks for. */
  #requested(service: string, args: SessionArguments): SessionArguments {
    const given = this.#arguments(service, args, false);
    return service === Cpu.service && this.#host.born().confines ? withConfinement(given) : given;
  }
}
