/**
 * What comes after a child that is gone. A client hears of the end of its session before init does,
 * so it may ask for the next one too early: init asks the dead child then. If the child was gone
 * before it was asked, or went with its machine, the request waits for what comes next. A child
 * that has crashed in the request is not followed: it might crash of it again.
 */
import { PeerGone } from '@ginit/core';
import { quietDeferred } from '@ginit/core/async';
import type { Refused, RoutedRequest, ServedSession, SessionServer } from './session-server.ts';

interface Next {
  /** The server in its place; missing if there is none. */
  readonly successor: SessionServer | undefined;
  /** Whether the child is gone with its machine. */
  readonly nodeLost: boolean;
}

/** What comes after one child. */
export class Afterwards {
  readonly #next = quietDeferred<Next>();

  /** It is known now. Only the first word counts. */
  become(successor: SessionServer | undefined, nodeLost: boolean): void {
    this.#next.resolve({ successor, nodeLost });
  }

  /**
   * Asks whoever comes next; `undefined` if the request fails with `error` after all. The donation
   * is in init's account.
   */
  async open(request: RoutedRequest, error: unknown): Promise<ServedSession | Refused | undefined> {
    const { givenUp } = request;
    const tooLate = quietDeferred<undefined>();
    const giveUp = (): void => tooLate.resolve(undefined);
    if (givenUp.aborted) giveUp();
    givenUp.addEventListener('abort', giveUp, { once: true });
    const next = await Promise.race([this.#next.promise, tooLate.promise]);
    givenUp.removeEventListener('abort', giveUp);
    const wasAsked = !(error instanceof PeerGone && error.executed === 'no');
    if (!next?.successor || (wasAsked && !next.nodeLost)) return undefined;
    return next.successor.open(request);
  }
}
