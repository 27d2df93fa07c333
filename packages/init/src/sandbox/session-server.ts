/**
 * Who serves a session: a service of the parent's, or one that a child has announced. Both look alike to the session
 * that is routed there. The quota of a session goes with it: from the client's account over init's to the server's,
 * and the same way back.
 */
import {
  type Capability,
  type Env,
  type Pd,
  type Resources,
  type SessionArguments,
  type SessionCapability,
  session,
} from '@ginit/core';

/** A session request on its way to a server; the label is the one that the server sees. */
export interface RoutedRequest {
  readonly service: string;
  readonly label: string;
  readonly args: SessionArguments;
  readonly donation: Resources;
}

/** An open session at its server. */
export interface ServedSession {
  readonly capability: SessionCapability;
  /** More quota; it is in init's account when this is called, and again if it rejects. */
  upgrade(more: Resources): Promise<void>;
  /** Settles when the server is done with the session, with how much of the donation is back in init's account. */
  close(donation: Resources): Promise<Resources>;
}

/** Opens sessions at one server. The donation is in init's account when `open` is called, and again if it rejects. */
export interface SessionServer {
  open(request: RoutedRequest): Promise<ServedSession>;
}

/** The services of init's own parent. */
export class ParentServer implements SessionServer {
  readonly #env: Env;

  constructor(env: Env) {
    this.#env = env;
  }

  async open({ service, label, args, donation }: RoutedRequest): Promise<ServedSession> {
    const ticket = await this.#env.request(session(service, {}), { label, args, donation });
    return {
      capability: ticket.capability,
      upgrade: (more) => this.#env.upgrade(ticket, more),
      close: async (back) => {
        await this.#env.close(ticket);
        return back;
      },
    };
  }
}

/** Moves as much of `amount` as is free in `from`; what a server cannot give back is lost to its client. */
export async function takeBack(
  from: Capability<typeof Pd>,
  to: Capability<typeof Pd>,
  amount: Resources,
): Promise<Resources> {
  const { ramQuota, ramUsed, capQuota, capUsed } = await from.state();
  const taken = {
    ram: Math.min(amount.ram, ramQuota - ramUsed),
    caps: Math.min(amount.caps, capQuota - capUsed),
  };
  await from.transfer(to, taken);
  return taken;
}
