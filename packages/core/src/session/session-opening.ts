import type { Session, SessionInterface } from '../interface/interface.ts';
import type { SessionArguments } from './parent.ts';

/** The options of a session that goes on in another one when its server goes. */
export interface ReattachOptions<I extends SessionInterface> {
  /**
   * Called with a new session whenever the server of the last one has ended, or is being replaced,
   * if the start node of this component says `reattach="yes"`. The new session is asked for as the
   * first was: same label, same arguments, same route. What the server kept for the last session is
   * gone, and calls on that end with `PeerGone` or `Revoked`; only while a server is being replaced
   * by one that is ready can it still be used, until this handler settles. The runtime closes it
   * then. Closing the newest session ends all this.
   */
  readonly onReattach?: (session: Session<I>) => void | Promise<void>;
  /**
   * Called with the reason whenever a new session is refused: there is no route any more, say, or
   * the server does not run. The request is made again when the config or the children of the
   * parent change. Without this handler the log says it.
   */
  readonly onReattachRefused?: (reason: Error) => void;
}

/** How a client library asks for its session. */
export interface SessionOpeningOptions<I extends SessionInterface> extends ReattachOptions<I> {
  readonly label?: string;
  readonly args?: SessionArguments;
  /** Bytes and capabilities that are donated beyond those that the session itself costs. */
  readonly ram?: number;
  readonly caps?: number;
}

/** The part of `env` that opens and closes sessions: all that a client library needs of it. */
export interface SessionOpening {
  connect<I extends SessionInterface>(interface_: I, options?: SessionOpeningOptions<I>): Promise<Session<I>>;
  close(session: object): Promise<unknown>;
}
