import type { Session, SessionInterface } from '../interface/interface.ts';
import type { SessionArguments } from './parent.ts';

/** How a client library asks for its session. */
export interface SessionOpeningOptions<I extends SessionInterface> {
  readonly label?: string;
  readonly args?: SessionArguments;
  /** See `ReattachOptions`. */
  readonly onReattach?: (session: Session<I>) => void | Promise<void>;
  readonly onReattachRefused?: (reason: Error) => void;
}

/** The part of `env` that opens and closes sessions: all that a client library needs of it. */
export interface SessionOpening {
  connect<I extends SessionInterface>(interface_: I, options?: SessionOpeningOptions<I>): Promise<Session<I>>;
  close(session: object): Promise<unknown>;
}
