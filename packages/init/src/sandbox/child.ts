/**
 * A child of the sandbox: its account, its thread, the sessions it has opened and the services it provides. It is
 * built up in this order and taken down in the reverse one.
 */
import {
  type Capability,
  capabilityOf,
  Cpu,
  type Env,
  type HostGrant,
  type Implementation,
  Parent,
  Pd,
  prependLabel,
  Rom,
  RomModule,
  type SessionArguments,
  SessionError,
  type SessionRequest,
  type SessionCapability,
  someSession,
  type Thread,
  type ThreadState,
  toData,
} from '@ginit/core';
import { type InitConfig, isDriver, type StartNode } from '../model/index.ts';
import { ChildServer } from './child-server.ts';
import { ClientSessions, type RoutedTo } from './client-sessions.ts';
import { deferred } from './deferred.ts';
import { schedulingArguments } from './scheduling.ts';
import type { ServedSession } from './session-server.ts';
import type { Turnstile } from './turnstile.ts';

/** What the sandbox does for its children. */
export interface ChildHost {
  readonly env: Env;
  readonly config: InitConfig;
  /** Threads are started in this. */
  readonly launches: Turnstile;
  /** Finds the server of a request; `label` as the routes see it. Throws `SessionError` if there is none. */
  route(child: Child, service: string, label: string): RoutedTo | 'config';
  exited(child: Child, code: number): void;
  crashed(child: Child, state: ThreadState): void;
}

/**
 * In the order in which they are closed: the account last, since with it all quota of the child comes back. The ROM is the
 * child's binary.
 */
const ENVIRONMENT = ['ROM', 'CPU', 'PD'] as const;
type EnvironmentService = (typeof ENVIRONMENT)[number];

/**
 * What init itself needs for a child: objects that the child, or core, holds of it (its parent, the handler of its thread's
 * state, its config). It is taken from the child's own quota.
 */
const CHILD_CAPS = 3;
/** Sessions of its config that a child may have at a time: init pays for them. */
const CONFIG_SESSIONS_MAX = 4;

const NOTHING = { ram: 0, caps: 0 };

/** One instance of a start node: a restarted child is another one. */
export class Child {
  readonly start: StartNode;
  readonly server: ChildServer;
  readonly sessions: ClientSessions;
  readonly #host: ChildHost;
  readonly #account = deferred<Capability<typeof Pd>>();
  readonly #config: RomModule;
  readonly #configSessions = new Map<number, Implementation<typeof Rom>>();
  /** Sessions of the child's environment, numbered apart from those that the child opens itself. */
  readonly #environment = new Map<EnvironmentService, ServedSession>();
  readonly #parent: Implementation<typeof Parent>;
  #thread: Capability<typeof Thread> | undefined;
  #ended: Promise<void> | undefined;
  #exitCode: number | undefined;

  constructor(start: StartNode, host: ChildHost) {
    this.start = start;
    this.#host = host;
    const provides = start.provides.map(({ name }) => name);
    this.server = new ChildServer(host.env, start.name, provides, this.#account.promise);
    this.sessions = new ClientSessions(host.env, this.#account.promise);
    const config = start.config ? JSON.stringify(toData(start.config)) : '';
    this.#config = new RomModule(new TextEncoder().encode(config));
    this.#parent = this.#makeParent();
  }

  get name(): string {
    return this.start.name;
  }

  /** The code of its exit, if it has told us. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Makes its account and starts its thread. It gets its quota after `turn`; `given` is called when that is under way. */
  async begin(turn: Promise<void>, given: () => void): Promise<void> {
    const opening = [
      this.#openEnvironment('PD'),
      this.#openEnvironment('CPU'),
      this.#openEnvironment('ROM'),
    ] as const;
    // All are waited for, whichever fails: what has been opened is closed with the child.
    await Promise.allSettled(opening);
    const [pd, cpu] = [capabilityOf(Pd, await opening[0]), capabilityOf(Cpu, await opening[1])];
    const binary = capabilityOf(Rom, await opening[2]);
    await this.#giveQuota(pd, turn, given);
    await this.#host.launches.pass(() => this.#launch(cpu, pd, binary));
  }

  async #giveQuota(account: Capability<typeof Pd>, turn: Promise<void>, given: () => void): Promise<void> {
    const { ram, caps } = this.start;
    const { env } = this.#host;
    await account.setReferenceAccount(env.pd);
    await turn;
    const giving = env.pd.transfer(account, { ram, caps: Math.max(0, caps - CHILD_CAPS) });
    given();
    await giving;
    this.#account.resolve(account);
  }

  async #launch(
    cpu: Capability<typeof Cpu>,
    pd: Capability<typeof Pd>,
    binary: Capability<typeof Rom>,
  ): Promise<void> {
    const { isolation, domain, heap, hostDepth } = this.start;
    const grants = await this.#takeGrants();
    const starting = cpu.start({
      pd,
      parent: this.#host.env.capability(Parent, this.#parent),
      binary,
      isolation: isolation ?? (domain === undefined && isDriver(this.start) ? 'process' : 'thread'),
      domain,
      heap,
      hostDepth,
      grants,
    });
    const released = (): void => grants.forEach((grant) => grant[Symbol.dispose]());
    starting.then(released, released);
    const thread = await starting;
    if (this.#ended) return thread[Symbol.dispose]();
    this.#thread = thread;
    await thread.setHandler(this.#host.env.signal(() => this.#threadChanged(thread)));
  }

  /** What its start node grants it, of what we were granted ourselves. */
  #takeGrants(): Promise<Capability<typeof HostGrant>[]> {
    const { host } = this.#host.env;
    return Promise.all(this.start.host.map(({ kind, path, access }) => host.grant({ kind, path, access })));
  }

  /** Lets the child put its things in order; settles when it has, is dead, or has taken too long. */
  async stop(timeoutMs: number): Promise<void> {
    await this.#thread?.stop(timeoutMs).catch(() => {});
  }

  /** Ends the child and everything of it. Its donations are back with its clients when this settles. */
  end(reason: string): Promise<void> {
    this.#ended ??= this.#end(reason);
    return this.#ended;
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  async #end(reason: string): Promise<void> {
    const { env } = this.#host;
    env.revoke(this.#parent);
    this.#account.reject(new SessionError('DENIED', reason));
    await this.sessions.end();
    this.server.end(reason);
    this.#thread?.[Symbol.dispose]();
    for (const service of ENVIRONMENT) await this.#environment.get(service)?.close(NOTHING);
    for (const session of this.#configSessions.values()) await session[Symbol.dispose]?.();
    this.#configSessions.clear();
  }

  async #threadChanged(thread: Capability<typeof Thread>): Promise<void> {
    if (this.#ended) return;
    const state = await thread.state();
    if (state.state === 'crashed') this.#host.crashed(this, state);
  }

  /** Opens a session that belongs to the child's environment; its label is the child's name. */
  async #openEnvironment(service: EnvironmentService): Promise<SessionCapability> {
    const route = this.#host.route(this, service, this.name);
    if (route === 'config') throw new SessionError('DENIED', 'not a session of the environment');
    const { server, label } = route;
    const served = await server.open({
      service,
      label,
      args: this.#arguments(service, {}),
      donation: NOTHING,
    });
    if (this.#ended) {
      await served.close(NOTHING);
      throw new SessionError('DENIED', `"${this.name}" has ended`);
    }
    this.#environment.set(service, served);
    return served.capability;
  }

  #makeParent(): Implementation<typeof Parent> {
    return {
      session: (request) => this.#session(request),
      upgrade: (id, ram, caps) => this.sessions.upgrade(id, { ram, caps }),
      close: (id) => this.#close(id),
      announce: (service, root) => this.server.announce(service, root),
      exit: (code) => {
        this.#exitCode ??= code;
        this.#host.exited(this, this.#exitCode);
      },
    };
  }

  async #session(request: SessionRequest): Promise<SessionCapability> {
    const { id, service, ram, caps } = request;
    const args = this.#arguments(service, request.args);
    // The LOG session of the environment is the child's own voice: its label is the child's name.
    const own = service === 'LOG' && request.label === '';
    const route = this.#host.route(this, service, own ? this.name : prependLabel(this.name, request.label));
    if (route === 'config') return this.#openConfig(id);
    if (this.#configSessions.has(id)) throw new SessionError('DENIED', `session ${id} exists`);
    return this.sessions.open({ id, service, args, donation: { ram, caps } }, route);
  }

  #arguments(service: string, args: SessionArguments): SessionArguments {
    return service === Cpu.service ? schedulingArguments(args, this.start, this.#host.config) : args;
  }

  #openConfig(id: number): SessionCapability {
    if (this.#configSessions.size >= CONFIG_SESSIONS_MAX) {
      throw new SessionError('DENIED', `more than ${CONFIG_SESSIONS_MAX} sessions of its config`);
    }
    const session = this.#config.open();
    this.#configSessions.set(id, session);
    return someSession(this.#host.env.capability(Rom, session), 'config');
  }

  async #close(id: number): Promise<void> {
    const config = this.#configSessions.get(id);
    if (!config) return this.sessions.close(id);
    this.#configSessions.delete(id);
    this.#host.env.revoke(config);
    await config[Symbol.dispose]?.();
  }
}
