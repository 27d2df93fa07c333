/**
 * The sessions that a child was refused: the reasons why it may not get on. Of those that it asked
 * for first one is kept, the newest, as a child may ask without end; a session of the same name
 * that is opened later takes it back. Those that it was to be given in the place of sessions that
 * it has lost are kept apart, because a child that gets on well without the former needs the
 * latter.
 */
import { SessionError } from '@ginit/core';
import type { RoutedSession } from '../plan/index.ts';
import type { MissingSession } from '../report/index.ts';
import { NoRoute } from './no-route.ts';
import { NotRunning } from './not-running.ts';

/** A request that was refused. */
export interface RefusedRequest {
  readonly service: string;
  readonly serverName: string | undefined;
  readonly refusedAs: RoutedSession | undefined;
}

/** The names of lost sessions that are kept; more are not told of. */
const LOST_MAX = 64;

/** The refusals of one child. */
export class Refusals {
  #newest: MissingSession | undefined;
  /** The names of the sessions that it has lost and not got back, and why it did not. */
  readonly #lost = new Map<string, MissingSession | undefined>();

  get all(): MissingSession[] {
    const lost = [...this.#lost.values()].flatMap((missing) => missing ?? []);
    return [...lost, ...(this.#newest ? [this.#newest] : [])];
  }

  /** Takes the error of a request. Shortages of quota are no refusals: the client may pay more. */
  note(error: unknown, request: RefusedRequest): void {
    const missing = missingOf(error, request);
    if (!missing) return;
    const name = nameOf(missing.service, missing.label);
    if (this.#lost.has(name)) this.#lost.set(name, { ...missing, lost: true });
    else this.#newest = missing;
  }

  /** A session is lost, and will be asked for again. */
  lost(service: string, label = ''): void {
    if (this.#lost.size < LOST_MAX) this.#lost.set(nameOf(service, label), undefined);
  }

  /** A session with this name is open. */
  forget(service: string, label = ''): void {
    this.#lost.delete(nameOf(service, label));
    if (this.#newest?.service === service && this.#newest.label === label) this.#newest = undefined;
  }

  /** The child asks again for what it has lost, unless it does not want it any more. */
  retry(): void {
    for (const name of this.#lost.keys()) this.#lost.set(name, undefined);
  }
}

function missingOf(
  error: unknown,
  { service, serverName, refusedAs }: RefusedRequest,
): MissingSession | undefined {
  if (!(error instanceof SessionError) || error.code !== 'DENIED') return undefined;
  if (error instanceof NoRoute) {
    const { label } = error.session;
    return { service, label, reason: { kind: 'no route', phrase: error.phrase } };
  }
  if (error instanceof NotRunning) {
    const { label, phrase } = error;
    return { service, label, reason: { kind: 'no route', phrase } };
  }
  if (!refusedAs) return undefined;
  const reason = { kind: 'denied', server: serverName, text: error.message } as const;
  return { service, label: refusedAs.label, reason };
}

function nameOf(service: string, label: string): string {
  return `${service} ${label}`;
}
