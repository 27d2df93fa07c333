/**
 * A component as its parent in a test has it: on an account of its own, with its config, and with
 * each of its session requests answered by a sibling or by core. It is what init does for its
 * children, without routes, restarts and waits.
 */
import type { Component } from '../runtime/component.ts';
import { configContent, type ConfigNode } from '../config/index.ts';
import type { Env } from '../runtime/env.ts';
import {
  type Capability,
  type Implementation,
  type Session,
  session,
  type SessionInterface,
} from '../interface/interface.ts';
import { RpcError, SessionError, toSessionErrorCode } from '../errors.ts';
import { prependLabel } from '../label.ts';
import { QuotaDialogue } from '../runtime/quota-dialogue.ts';
import { RomModule } from '../runtime/rom-module.ts';
import { SessionDialogue } from '../runtime/session-dialogue.ts';
import type { SessionTicket } from '../runtime/session-client.ts';
import { Cpu, type Thread } from '../session/cpu.ts';
import type { HostGrantFact } from '../session/host-grant.ts';
import {
  Parent,
  refusalOf,
  type Root,
  type SessionCapability,
  type SessionRequest,
} from '../session/parent.ts';
import { type AccountState, Pd, type Resources } from '../session/pd.ts';
import { Rom } from '../session/rom.ts';

const NOTHING: Resources = { ram: 0, caps: 0 };

/** The destination of a child's session request: a sibling serves it, or core does. */
export type Route = { readonly to: 'child'; readonly child: Child } | { readonly to: 'core' };

/** The services that a child needs of those who run it. */
export interface ChildHost {
  /** The environment of the component that starts it. */
  readonly env: Env;
  /** Makes a component known by a name, under which it can be started then. */
  readonly register: (name: string, component: Component) => void;
  /** Finds the server of a child's request; throws `SessionError` to refuse. */
  readonly route: (child: Child, request: SessionRequest) => Route;
}

/** The component to start, and its means. */
export interface ChildOptions {
  readonly name: string;
  readonly component: Component;
  readonly config: ConfigNode;
  readonly quota: Resources;
  readonly grants: readonly HostGrantFact[];
}

/** How a child came to its end, or what it has told of it. */
export type ChildEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'crash'; readonly reason: string };

/** A session that a child has opened. */
export interface OpenedSession {
  readonly service: string;
  /** The child's own label for it. */
  readonly label: string;
}

type OpenSession = OpenedSession & {
  donation: Resources;
  readonly server:
    | { readonly kind: 'config'; readonly object: Implementation<typeof Rom> }
    | { readonly kind: 'core'; readonly ticket: SessionTicket<SessionInterface> }
    | { readonly kind: 'child'; readonly child: Child; readonly id: number };
};

/** One started component. */
export class Child {
  readonly name: string;
  /** Called once, when it exits or crashes, whichever comes first. */
  onEnd: (end: ChildEnd) => void = () => {};
  /** Called whenever it announces a service. */
  onAnnounce: () => void = () => {};
  readonly #host: ChildHost;
  readonly #options: ChildOptions;
  readonly #config: RomModule;
  readonly #roots = new Map<string, Capability<typeof Root>>();
  readonly #sessions = new Map<number, OpenSession>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #parent: Implementation<typeof Parent>;
  readonly #dialogue: QuotaDialogue;
  readonly #news = new SessionDialogue();
  /** Whoever waits for its answer to a yield request. */
  readonly #yielding: (() => void)[] = [];
  #pd: Session<typeof Pd> | undefined;
  #cpu: Session<typeof Cpu> | undefined;
  #binary: Session<typeof Rom> | undefined;
  #thread: Capability<typeof Thread> | undefined;
  #nextServed = 1;
  #told = false;
  #gone = false;
  #ending: Promise<void> | undefined;

  constructor(host: ChildHost, options: ChildOptions) {
    this.name = options.name;
    this.#host = host;
    this.#options = options;
    this.#config = new RomModule(configContent(options.config));
    this.#dialogue = new QuotaDialogue({
      requested: () => {},
      yielded: () => {
        const { ram, caps } = this.#dialogue.wanted;
        // More was wanted while it answered: it is asked for that, too.
        if (ram === 0 && caps === 0) this.#yielding.splice(0).forEach((answered) => answered());
      },
    });
    this.#parent = {
      session: (request) =>
        this.#track(this.#session(request)).then(
          (opened) => ({ session: opened, watched: request.reattach }),
          (error: unknown) => ({ refused: refusalOf(asSessionError(error)), watched: request.reattach }),
        ),
      upgrade: (id, ram, caps) =>
        this.#track(this.#upgrade(id, { ram, caps })).then(
          () => undefined,
          (error: unknown) => refusalOf(asSessionError(error)),
        ),
      close: async (id) => {
        await this.#track(this.#close(id));
        return NOTHING;
      },
      announce: (service, root) => {
        this.#roots.get(service)?.[Symbol.dispose]();
        this.#roots.set(service, root);
        this.onAnnounce();
      },
      exit: (code) => this.#tell({ kind: 'exit', code }),
      ...this.#dialogue.operations,
      ...this.#news.operations,
    };
  }

  /** Starts it. */
  async start(): Promise<void> {
    const { env, register } = this.#host;
    const { name, component, quota, grants } = this.#options;
    register(name, component);
    this.#pd = await env.connect(Pd, { label: name });
    await this.#pd.setReferenceAccount(env.pd);
    await env.pd.transfer(this.#pd, quota);
    this.#cpu = await env.connect(Cpu, { label: name });
    this.#binary = await env.connect(Rom, { label: name });
    const held = await Promise.all(grants.map((grant) => env.host.grant(grant)));
    this.#thread = await this.#cpu.start({
      pd: this.#pd,
      parent: env.capability(Parent, this.#parent),
      binary: this.#binary,
      isolation: 'thread',
      grants: held,
    });
    for (const grant of held) grant[Symbol.dispose]();
    await this.#thread.setHandler(env.signal(() => this.#look()));
  }

  /** Names of the services that it has announced. */
  get services(): readonly string[] {
    return [...this.#roots.keys()];
  }

  /** Its open sessions, except those of core's services and its config. */
  get sessions(): readonly OpenedSession[] {
    const open = [...this.#sessions.values()].filter(({ server }) => server.kind === 'child');
    return open.map(({ service, label }) => ({ service, label }));
  }

  /** Whether it has crashed, or is being taken down. */
  get gone(): boolean {
    return this.#gone;
  }

  /** The state of its account; `undefined` once that has ended. */
  async account(): Promise<AccountState | undefined> {
    return this.#pd?.state().catch(() => undefined);
  }

  /** What it has asked its parent for and not been given. */
  get requested(): Resources {
    return this.#dialogue.requested;
  }

  /** Gives it more quota. */
  async give(more: Resources): Promise<void> {
    if (!this.#pd) throw new Error(`"${this.name}" has not begun`);
    await this.#host.env.pd.transfer(this.#pd, more);
    this.#dialogue.grown();
  }

  /** Asks it to give quota back. Settles when it says that it has done what it could. */
  askToYield(amount: Resources): Promise<void> {
    return new Promise((resolve) => {
      this.#yielding.push(resolve);
      this.#dialogue.askToYield(amount);
    });
  }

  /** Tells it, as a parent with `reattach="yes"` does, that a sibling that served it has ended. */
  leave(server: Child): void {
    for (const [id, open] of this.#sessions) {
      if (open.server.kind === 'child' && open.server.child === server) this.#news.leave(id, true);
    }
    this.#news.retry();
  }

  /** A new version of its config. */
  configure(config: ConfigNode): void {
    this.#config.replace(configContent(config));
  }

  /** Lets it put its things in order; settles when it has, or is dead. */
  async stop(): Promise<void> {
    await this.#thread?.stop().catch(() => {});
  }

  /** Ends it, whatever it is doing. Settles when nothing of it is left and its quota is back. */
  end(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const { env } = this.#host;
    this.#gone = true;
    env.revoke(this.#parent);
    this.#dialogue.end();
    this.#news.end();
    await this.#thread?.kill().catch(() => {});
    await Promise.allSettled(this.#underWay);
    await Promise.all(Array.from(this.#sessions.keys(), (id) => this.#close(id)));
    for (const root of this.#roots.values()) root[Symbol.dispose]();
    this.#thread?.[Symbol.dispose]();
    for (const session_ of [this.#binary, this.#cpu, this.#pd]) if (session_) await env.close(session_);
  }

  async #look(): Promise<void> {
    const { state, reason } = (await this.#thread?.state().catch(() => undefined)) ?? {};
    if (state !== 'crashed') return;
    this.#gone = true;
    this.#tell({ kind: 'crash', reason: reason ?? '' });
  }

  #tell(end: ChildEnd): void {
    if (this.#told) return;
    this.#told = true;
    this.onEnd(end);
  }

  #track<Value>(promise: Promise<Value>): Promise<Value> {
    this.#underWay.add(promise);
    const forget = (): void => void this.#underWay.delete(promise);
    promise.then(forget, forget);
    return promise;
  }

  async #session(request: SessionRequest): Promise<SessionCapability> {
    const { id, service, label, ram, caps } = request;
    if (this.#sessions.has(id)) throw new SessionError('DENIED', `session ${id} exists`);
    if (service === Rom.service && label === 'config') {
      const object = this.#config.open();
      this.#sessions.set(id, { service, label, donation: NOTHING, server: { kind: 'config', object } });
      return this.#host.env.capability(Rom, object);
    }
    const route = this.#host.route(this, request);
    const donation = { ram, caps };
    await this.#pay(donation);
    try {
      return route.to === 'core'
        ? await this.#openAtCore(request, donation)
        : await this.#openAt(route.child, request, donation);
    } catch (error) {
      await this.#refund(donation);
      throw error;
    }
  }

  async #openAtCore(request: SessionRequest, donation: Resources): Promise<SessionCapability> {
    const { id, service, label, args } = request;
    const { env } = this.#host;
    const whole = label === '' ? this.name : prependLabel(this.name, label);
    const ticket = await env.request(session(service, {}), { label: whole, args, donation });
    this.#sessions.set(id, { service, label, donation, server: { kind: 'core', ticket } });
    return ticket.capability;
  }

  async #openAt(child: Child, request: SessionRequest, donation: Resources): Promise<SessionCapability> {
    const { id, service, label, args, ram, caps } = request;
    const root = child.#roots.get(service);
    if (!root || child.gone)
      throw new SessionError('DENIED', `"${child.name}" does not serve "${service}" any more`);
    const served = child.#nextServed++;
    const whole = label === '' ? this.name : prependLabel(this.name, label);
    await child.#receive(donation);
    try {
      const opened = await root.session({ id: served, label: whole, args, ram, caps });
      this.#sessions.set(id, {
        service,
        label,
        donation,
        server: { kind: 'child', child, id: served },
      });
      return opened;
    } catch (error) {
      await child.#giveBack(donation);
      throw error;
    }
  }

  async #upgrade(id: number, more: Resources): Promise<void> {
    const open = this.#sessions.get(id);
    if (!open) throw new SessionError('DENIED', `no session ${id}`);
    const { service, server, donation } = open;
    await this.#pay(more);
    try {
      if (server.kind === 'core') await this.#host.env.upgrade(server.ticket, more);
      else if (server.kind === 'child') {
        await server.child.#receive(more);
        await server.child.#roots.get(service)?.upgrade(server.id, more.ram, more.caps);
      } else throw new SessionError('DENIED', 'the config is paid by nobody');
    } catch (error) {
      await this.#refund(more);
      throw error;
    }
    open.donation = { ram: donation.ram + more.ram, caps: donation.caps + more.caps };
  }

  async #close(id: number): Promise<void> {
    const open = this.#sessions.get(id);
    this.#news.forget(id);
    if (!open) return;
    this.#sessions.delete(id);
    const { service, server, donation } = open;
    const { env } = this.#host;
    switch (server.kind) {
      case 'config':
        env.revoke(server.object);
        server.object[Symbol.dispose]?.();
        return;
      case 'core':
        await env.close(server.ticket).catch(() => {});
        break;
      case 'child':
        // One that has crashed has closed everything.
        await server.child.#roots
          .get(service)
          ?.close(server.id)
          .catch(() => {});
        await server.child.#giveBack(donation);
        break;
    }
    await this.#refund(donation);
  }

  /** Out of its account into that of its parent. */
  async #pay(amount: Resources): Promise<void> {
    if (!this.#pd) throw new SessionError('DENIED', 'the component has not begun');
    await this.#pd.transfer(this.#host.env.pd, amount);
  }

  /** Back into its account; when that has ended everything comes to its parent anyway. */
  async #refund(amount: Resources): Promise<void> {
    if (this.#pd) await this.#host.env.pd.transfer(this.#pd, amount).catch(() => {});
  }

  /** A donation of a client of its. */
  async #receive(amount: Resources): Promise<void> {
    if (this.#pd) await this.#host.env.pd.transfer(this.#pd, amount);
  }

  async #giveBack(amount: Resources): Promise<void> {
    await this.#pd?.transferUpTo(this.#host.env.pd, amount).catch(() => NOTHING);
  }
}

/** Why a request could not be granted, as its client may see it. */
function asSessionError(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  if (error instanceof RpcError) return new SessionError(toSessionErrorCode(error.code), error.message);
  return new SessionError('DENIED', error instanceof Error ? error.message : String(error));
}
