/** The services that one child has declared in its `<provides>`, and the sessions it serves. */
import {
  type Capability,
  type Env,
  hasCode,
  PeerGone,
  type Pd,
  type Resources,
  Root,
  SessionError,
} from '@ginit/core';
import { type Deferred, deferred } from './deferred.ts';
import { type RoutedRequest, type ServedSession, type SessionServer, takeBack } from './session-server.ts';

type RootCapability = Capability<typeof Root>;

/** A child in its role as a server. */
export class ChildServer implements SessionServer {
  readonly #env: Env;
  readonly #child: string;
  readonly #roots: ReadonlyMap<string, Deferred<RootCapability>>;
  readonly #account: Promise<Capability<typeof Pd>>;
  #nextId = 1;
  #gone: PeerGone | undefined;

  /** `account` settles with the child's account once it has one. */
  constructor(env: Env, child: string, provides: readonly string[], account: Promise<Capability<typeof Pd>>) {
    this.#env = env;
    this.#child = child;
    this.#account = account;
    this.#roots = new Map(provides.map((service) => [service, deferred<RootCapability>()]));
  }

  /** The child is ready to serve sessions. */
  announce(service: string, root: RootCapability): void {
    const waiting = this.#roots.get(service);
    if (!waiting) {
      throw new SessionError('DENIED', `the start node of "${this.#child}" does not provide "${service}"`);
    }
    waiting.resolve(root);
  }

  /** The child is gone: whoever waits for it waits no more, and its sessions need no closing. */
  end(reason: string): void {
    this.#gone = new PeerGone(reason);
    for (const waiting of this.#roots.values()) waiting.reject(this.#gone);
  }

  async open({ service, label, args, donation }: RoutedRequest): Promise<ServedSession> {
    const root = await this.#root(service);
    const account = await this.#account;
    const id = this.#nextId++;
    await this.#env.pd.transfer(account, donation);
    try {
      const capability = await root.session({ id, label, args, ram: donation.ram, caps: donation.caps });
      return {
        capability,
        upgrade: (more) => this.#upgrade(root, account, id, more),
        close: (back) => this.#close(root, account, id, back),
      };
    } catch (error) {
      if (!this.#gone) await account.transfer(this.#env.pd, donation);
      throw error;
    }
  }

  async #root(service: string): Promise<RootCapability> {
    const waiting = this.#roots.get(service);
    if (!waiting) throw new SessionError('DENIED', `"${this.#child}" does not provide "${service}"`);
    return waiting.promise;
  }

  async #upgrade(
    root: RootCapability,
    account: Capability<typeof Pd>,
    id: number,
    more: Resources,
  ): Promise<void> {
    await this.#env.pd.transfer(account, more);
    try {
      await root.upgrade(id, more.ram, more.caps);
    } catch (error) {
      if (!this.#gone) await account.transfer(this.#env.pd, more);
      throw error;
    }
  }

  async #close(
    root: RootCapability,
    account: Capability<typeof Pd>,
    id: number,
    donation: Resources,
  ): Promise<Resources> {
    // A server that is gone has nothing to close; its account has ended, and all of it is back in ours.
    if (this.#gone) return donation;
    try {
      await root.close(id);
      const taken = await takeBack(account, this.#env.pd, donation);
      if (taken.ram < donation.ram || taken.caps < donation.caps) {
        const lost = `${donation.ram - taken.ram} bytes and ${donation.caps - taken.caps} caps`;
        void this.#env.warning(`child "${this.#child}" keeps ${lost} of a session that it has closed`);
      }
      return taken;
    } catch (error) {
      // Its channel may end before we are told that it has ended.
      if (this.#gone || hasCode(error, 'PeerGone')) return donation;
      throw error;
    }
  }
}
