import { SessionError } from '@ginit/core';
import type { RoutedSession } from '../plan/index.ts';
import { denialPhrase, type RouteDenial, type RouteRequest } from '../routing/index.ts';

/** A request that was denied because no route of its child leads anywhere with it. */
export class NoRoute extends SessionError {
  /** The session that there would be if there were a route. */
  readonly session: RoutedSession;
  /** Why there is none, in one phrase. */
  readonly phrase: string;

  constructor(denial: RouteDenial, request: RouteRequest) {
    super('DENIED', denial.text);
    const { service, label } = request;
    this.session = { service, label, to: { kind: 'parent', label } };
    this.phrase = denialPhrase(denial, request);
  }
}
