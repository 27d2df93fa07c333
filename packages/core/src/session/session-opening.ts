import type { Session, SessionInterface } from '../interface/interface.ts';
import type { SessionArguments } from './parent.ts';

/** The part of `env` that opens and closes sessions: all that a client library needs of it. */
export interface SessionOpening {
  connect<I extends SessionInterface>(
    interface_: I,
    options?: { readonly label?: string; readonly args?: SessionArguments },
  ): Promise<Session<I>>;
  close(session: object): Promise<unknown>;
}
