/** The services of init's own parent. */
import { type Env, SessionError, session, type SessionTicket } from '@ginit/core';
import { LIMITS, type Resources, watchSessions } from '@ginit/core/system';
import { Semaphore } from '@ginit/core/async';
import { untilTaken } from './again.ts';
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
  readonly #closings = new Semaphore(LIMITS.sessionClosingsAtParent);
  /** Those who want to hear when the servers of sessions go. */
  readonly #leaving = new WeakMap<object, (ended: boolean) => void>();
  /** The sessions whose servers go, which may be known before anybody wants to hear of it. */
  readonly #left = new WeakMap<object, boolean>();
  #requests = 0;

  /** `retry` is called when requests that the parent has refused may be granted. */
  constructor(env: Env, retry: () => void) {
    this.#env = env;
    const left = (ticket: object, ended: boolean): void => {
      this.#left.set(ticket, ended);
      this.#leaving.get(ticket)?.(ended);
    };
    watchSessions(env, { left, retry });
  }

  async open(request: RoutedRequest): Promise<ServedSession | Refused> {
    const { service, label, args, donation, reattach, givenUp } = request;
    try {
      const options = { label, args, donation, reattach, signal: givenUp, awaitAnswer: true };
      const ticket = await this.#request(() => this.#env.request(session(service, {}), options));
      return this.#served(ticket, donation);
    } catch (error) {
      return refusedOf(error, donation);
    }
  }

  /**
   * Limits the requests of children at the parent, so that there is room left for the calls that
   * must be made.
   */
  async #request<T>(step: () => Promise<T>): Promise<T> {
    if (this.#requests >= LIMITS.sessionRequestsAtParent) {
      throw new SessionError('DENIED', `${this.#requests} session requests to ${NAME} are under way`);
    }
    this.#requests++;
    try {
      return await step();
    } finally {
      this.#requests--;
    }
  }

  #served(ticket: Ticket, donated: Resources): ServedSession {
    let donation = donated;
    return {
      capability: ticket.capability,
      get donation() {
        return donation;
      },
      onLeave: (handler) => {
        this.#leaving.set(ticket, handler);
        const ended = this.#left.get(ticket);
        if (ended !== undefined) handler(ended);
        return () => void this.#leaving.delete(ticket);
      },
      upgrade: async (more) => {
        try {
          await this.#request(() => this.#env.upgrade(ticket, more));
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
    const closing = this.#closings.run(() => untilTaken(this.#env, () => this.#env.close(ticket)));
    // A parent that does not answer is gone, and init will soon be gone, too.
    const back = closing.then(
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
