/** Finds the servers of requests by the config that holds at the moment. */
import { type Env, SessionError } from '@ginit/core';
import { prependLabel } from '@ginit/core/system';
import { directoryOf, type InitConfig, requestingChild } from '../model/index.ts';
import { resolveRequest, type ServiceDirectory } from '../routing/index.ts';
import type { Child } from './child.ts';
import type { RoutedTo } from './client-sessions.ts';
import { NoRoute } from './no-route.ts';
import { NotRunning } from './not-running.ts';
import type { ParentServer } from './parent-server.ts';
import type { SessionServer } from './session-server.ts';

/** The services of the sandbox that the router needs. */
export interface RouterHost {
  readonly env: Pick<Env, 'warning'>;
  readonly parent: ParentServer;
  /** The services of the component itself that runs the children, by their names. */
  readonly local: ReadonlyMap<string, SessionServer>;
  config(): InitConfig;
  child(name: string): Child | undefined;
}

/** The routes of one sandbox. */
export class Router {
  readonly #host: RouterHost;
  /** The services that are declared at this moment; `undefined` if they are to be found anew. */
  #directory: ServiceDirectory | undefined;

  constructor(host: RouterHost) {
    this.#host = host;
  }

  /** The config has changed, or a child could be made, or could not. */
  changed(): void {
    this.#directory = undefined;
  }

  /** See `ChildHost.route`. */
  route(child: Child, service: string, label: string): RoutedTo | 'config' {
    const asking = requestingChild(this.#host.config(), child.start);
    const route = resolveRequest(asking, { service, label }, this.services);
    switch (route.kind) {
      case 'config':
        return 'config';
      case 'parent': {
        const asked = { service, label, to: { kind: 'parent', label: route.label } } as const;
        return { server: this.#host.parent, serverName: undefined, label: route.label, asked };
      }
      case 'local': {
        const server = this.#host.local.get(service);
        if (!server) throw new SessionError('DENIED', `there is no service "${service}"`);
        const asked = { service, label, to: { kind: 'local', label: route.label } } as const;
        return { server, serverName: undefined, label: route.label, asked };
      }
      case 'child': {
        const server = this.#serverOf(route.child, label);
        const to = { kind: 'child', child: route.child, label: route.label } as const;
        return { server, serverName: route.child, label: route.label, asked: { service, label, to } };
      }
      case 'denied':
        // A child without a config, and without a route to one, is given an empty one.
        if (service !== 'ROM' || label !== prependLabel(child.name, 'config')) {
          void this.#host.env.warning(`${child.name}: ${route.text}`);
        }
        throw new NoRoute(route, { service, label, childName: child.name });
    }
  }

  /** The services that are declared at this moment. */
  get services(): ServiceDirectory {
    this.#directory ??= directoryOf(this.#host.config(), this.#absent());
    return this.#directory;
  }

  /** A child that could not be made has no services. */
  #absent(): ReadonlySet<string> {
    const names = this.#host.config().starts.map(({ name }) => name);
    return new Set(
      names.filter((name) => {
        const standing = this.#host.child(name)?.existing.standing;
        return standing === 'failed' || standing === 'retried';
      }),
    );
  }

  #serverOf(name: string, label: string): SessionServer {
    const child = this.#host.child(name);
    if (child?.over?.undecided) return child.over.undecided;
    if (!child || child.ended) throw new NotRunning(name, label);
    return child.server;
  }
}
