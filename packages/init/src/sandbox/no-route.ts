import { SessionError } from '@ginit/core';
import type { RoutedSession } from '../plan/index.ts';

/** A request that was denied because no route of its child leads anywhere with it. */
export class NoRoute extends SessionError {
  /** The session that there would be if there were a route. */
  readonly session: RoutedSession;

  constructor(text: string, service: string, label: string) {
    super('DENIED', text);
    this.session = { service, label, to: { kind: 'parent', label } };
  }
}
