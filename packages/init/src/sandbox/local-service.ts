/**
 * Services of the component itself that runs the children, for routes that lead to `<local/>`: a
 * monitor, say, that is asked by its children for their PD sessions. They are made as services are
 * that a component provides to others; only their requests come from the sandbox, and not from the
 * parent.
 */
import {
  type Env,
  type Implementation,
  SessionError,
  type SessionInterface,
  type SessionOpener,
} from '@ginit/core';
import { ownRoot, type Resources, type Root } from '@ginit/core/system';
import { minus, NOTHING, plus } from './amounts.ts';
import {
  refusalFor,
  type Refused,
  type RoutedRequest,
  type ServedSession,
  type SessionServer,
} from './session-server.ts';

/** A service to be plugged into a sandbox. */
export interface LocalService {
  readonly name: string;
  /** Its root object in the component with this environment. */
  root(env: Env): Implementation<typeof Root>;
}

/**
 * A service for the children of a sandbox. `open` answers each of their session requests, as for
 * `env.provide`: with the session's object, or as a mediator with a session that it has requested
 * itself. The donation of a request is in the component's own account. Of it the object of the
 * session is paid; what a mediator's server keeps of it is the component's loss.
 */
export function localService<I extends SessionInterface>(
  interface_: I,
  open: SessionOpener<I>,
): LocalService {
  return { name: interface_.service, root: (env) => ownRoot(env, interface_, open) };
}

/** One local service as the server of sessions. */
export class LocalServer implements SessionServer {
  readonly #root: Implementation<typeof Root>;
  #nextId = 1;

  constructor(env: Env, service: LocalService) {
    this.#root = service.root(env);
  }

  async open({ label, args, donation }: RoutedRequest): Promise<ServedSession | Refused> {
    const id = this.#nextId++;
    try {
      const { ram, caps } = donation;
      const capability = await this.#root.session({ id, label, args, ram, caps });
      return this.#served(id, capability, donation);
    } catch (error) {
      return refusedOf(error, donation);
    }
  }

  #served(id: number, capability: ServedSession['capability'], donated: Resources): ServedSession {
    let donation = donated;
    return {
      capability,
      get donation() {
        return donation;
      },
      onLeave: () => () => {},
      upgrade: async (more) => {
        try {
          await this.#root.upgrade(id, more.ram, more.caps);
          donation = plus(donation, more);
          return undefined;
        } catch (error) {
          return refusedOf(error, more);
        }
      },
      close: () => {
        // A root reports errors of a closing itself, and settles.
        const closed = Promise.resolve(this.#root.close(id));
        return { closed, back: closed.then(() => donation) };
      },
    };
  }
}

/** A mediator may have lost a part of the donation to the server that it asked. */
function refusedOf(error: unknown, donation: Resources): Refused {
  const kept = error instanceof SessionError ? error.kept : NOTHING;
  return { refused: refusalFor(error, 'a local service'), back: minus(donation, kept) };
}
