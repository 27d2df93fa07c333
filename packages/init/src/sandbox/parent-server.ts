/** The services of init's own parent. */
import { type Env, type Resources, SessionError, session, type SessionTicket } from '@ginit/core';
import { minus, NOTHING, plus } from './amounts.ts';
import {
  type ClosedSession,
  refusalFor,
  type Refused,
  type RoutedRequest,
  type ServedSession,
  type SessionServer,
} from './session-server.ts';

type Ticket = SessionTicket<ReturnType<typeof session>>;

const NAME = 'the parent';

/** Passes sessions on to the parent. */
export class ParentServer implements SessionServer {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  async open(request: RoutedRequest): Promise<ServedSession | Refused> {
    const { service, label, args, donation, givenUp } = request;
    try {
      const options = { label, args, donation, signal: givenUp, awaitAnswer: true };
      return this.#served(await this.#env.request(session(service, {}), options), donation);
    } catch (error) {
      return refusedOf(error, donation);
    }
  }

  #served(ticket: Ticket, donated: Resources): ServedSession {
    let donation = donated;
    return {
      capability: ticket.capability,
      get donation() {
        return donation;
      },
      onServerEnd: () => () => {},
      upgrade: async (more) => {
        try {
          await this.#env.upgrade(ticket, more);
          donation = plus(donation, more);
          return undefined;
        } catch (error) {
          return refusedOf(error, more);
        }
      },
      close: () => this.#close(ticket, donation),
    };
  }

  #close(ticket: Ticket, donation: Resources): ClosedSession {
    // A parent that does not answer is gone, and so are we soon.
    const back = this.#env.close(ticket).then(
      (kept) => minus(donation, kept),
      () => NOTHING,
    );
    return { back, closed: back.then(() => {}) };
  }
}

function refusedOf(error: unknown, donation: Resources): Refused {
  const kept = error instanceof SessionError ? error.kept : NOTHING;
  return { refused: refusalFor(error, NAME), back: minus(donation, kept) };
}
