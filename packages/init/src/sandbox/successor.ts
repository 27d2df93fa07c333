/** A server that has crashed, while it is being decided whether it is started again. */
import { SessionError } from '@ginit/core';
import { quietDeferred } from '@ginit/core/async';
import type { Refused, RoutedRequest, ServedSession, SessionServer } from './session-server.ts';

/** Takes the requests that come meanwhile, and hands them to the child that comes next. */
export class Successor implements SessionServer {
  readonly #child: string;
  readonly #next = quietDeferred<SessionServer | undefined>();

  constructor(child: string) {
    this.#child = child;
  }

  /** The server in the place of the one that crashed; `undefined` if none comes. */
  decide(next: SessionServer | undefined): void {
    this.#next.resolve(next);
  }

  async open(request: RoutedRequest): Promise<ServedSession | Refused> {
    const { givenUp, donation } = request;
    const gaveUp = quietDeferred<undefined>();
    const giveUp = (): void => gaveUp.resolve(undefined);
    if (givenUp.aborted) giveUp();
    givenUp.addEventListener('abort', giveUp, { once: true });
    const next = await Promise.race([this.#next.promise, gaveUp.promise]);
    givenUp.removeEventListener('abort', giveUp);
    if (next) return next.open(request);
    return { refused: new SessionError('DENIED', `server "${this.#child}" is not running`), back: donation };
  }
}
