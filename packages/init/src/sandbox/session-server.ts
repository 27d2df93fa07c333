/**
 * The server of a session: a service of the parent, a service that a child has announced, or init
 * itself. All look alike to the session that is routed there. The quota of a session goes with it,
 * from the client's account over init's to the server's, and the same way back. Nothing here
 * rejects: every answer of a server becomes a value, which says how much of the donation is in
 * init's account again.
 */
import { hasCode, RpcError, SessionError } from '@ginit/core';
import {
  type Resources,
  SESSION_ERRORS,
  type SessionArguments,
  type SessionCapability,
} from '@ginit/core/system';

/** A session request on its way to a server; the label is the one that the server sees. */
export interface RoutedRequest {
  readonly service: string;
  readonly label: string;
  readonly args: SessionArguments;
  readonly donation: Resources;
  /** Whether the client is told when the server of the session goes, and asks for another then. */
  readonly reattach: boolean;
  /**
   * Aborted when nobody wants the session any more. A server that has begun to open it may finish.
   */
  readonly givenUp: AbortSignal;
}

/**
 * The reason why there is no session, or no upgrade, and the quota that is back in init's account.
 */
export interface Refused {
  readonly refused: SessionError;
  readonly back: Resources;
}

/** The end of a session at its server. */
export interface ClosedSession {
  /** Settles when the server is done with the session, or is gone. */
  readonly closed: Promise<void>;
  /** The part of the donation that is back in init's account. */
  readonly back: Promise<Resources>;
}

/** An open session at its server. */
export interface ServedSession {
  readonly capability: SessionCapability;
  /** The sum of all that its client has donated so far. */
  readonly donation: Resources;
  /**
   * Calls `handler` with true when the server has ended, and the session with it; and with false
   * when another server is about to take over, which the client may turn to before it closes this
   * session. It may be called several times. The session must be closed nevertheless. The result of
   * this function cancels that.
   */
  onLeave(handler: (ended: boolean) => void): () => void;
  /** Donates more quota, which is in init's account when this is called. */
  upgrade(more: Resources): Promise<Refused | undefined>;
  /**
   * Closes the session. Called once, when no upgrade is under way. `clientLives` tells whether
   * somebody waits for the quota.
   */
  close(clientLives: () => boolean): ClosedSession;
}

/** Opens sessions at one server. The donation is in init's account when `open` is called. */
export interface SessionServer {
  open(request: RoutedRequest): Promise<ServedSession | Refused>;
}

/**
 * The error that the client is told: session errors as they are, any other error as a denial.
 * `server` is the server's name, for people.
 */
export function refusalFor(error: unknown, server: string): SessionError {
  if (error instanceof SessionError) return error;
  if (error instanceof RpcError) {
    const code = SESSION_ERRORS.find((known) => known === error.code);
    if (code !== undefined) return new SessionError(code, error.message);
  }
  return new SessionError('DENIED', whyOf(error, server));
}

function whyOf(error: unknown, server: string): string {
  if (hasCode(error, 'PeerGone')) return `${server} is gone`;
  return hasCode(error, 'LimitExceeded') ? `too much is under way to ${server}` : `${server} failed`;
}
