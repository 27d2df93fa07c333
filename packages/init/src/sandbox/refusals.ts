/**
 * The newest session that a child was refused: the reason why it may not get on. One is kept, as a
 * child may ask without end; a session of the same name that is opened later takes it back.
 */
import { SessionError } from '@ginit/core';
import type { RoutedSession } from '../plan/index.ts';
import type { MissingSession } from '../report/index.ts';
import { NoRoute } from './no-route.ts';

/** A request that was refused. */
export interface RefusedRequest {
  readonly service: string;
  readonly serverName: string | undefined;
  readonly refusedAs: RoutedSession | undefined;
}

/** The refusals of one child. */
export class Refusals {
  #newest: MissingSession | undefined;

  get newest(): MissingSession[] {
    return this.#newest ? [this.#newest] : [];
  }

  /** Takes the error of a request. Shortages of quota are no refusals: the client may pay more. */
  note(error: unknown, { service, serverName, refusedAs }: RefusedRequest): void {
    if (!(error instanceof SessionError) || error.code !== 'DENIED') return;
    if (error instanceof NoRoute) {
      const { label } = error.session;
      this.#newest = { service, label, reason: { kind: 'no route', phrase: error.phrase } };
    } else if (refusedAs) {
      const reason = { kind: 'denied', server: serverName, text: error.message } as const;
      this.#newest = { service, label: refusedAs.label, reason };
    }
  }

  /** A session with this name is open. */
  forget(service: string, label: string | undefined): void {
    if (this.#newest?.service === service && this.#newest.label === label) this.#newest = undefined;
  }
}
