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
  type SessionArguments,
  SessionError,
  type SessionRequest,
  type SessionCapability,
  type Thread,
  type ThreadState,
  toData,
} from '@ginit/core';
import {
  ENVIRONMENT_COST,
  hasOwnProcess,
  INIT_COST,
  type InitConfig,
  type StartNode,
} from '../model/index.ts';
import { ChildServer } from './child-server.ts';
import { ClientSessions, type RoutedTo } from './client-sessions.ts';
import { ConfigServer } from './config-server.ts';
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

/** One instance of a start node: a restarted child is another one. */
export class Child {
  readonly start: StartNode;
  readonly server: ChildServer;
  readonly sessions: ClientSessions;
  readonly #host: ChildHost;
  readonly #account = deferred<Capability<typeof Pd>>();
  readonly #config: ConfigServer;
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
    this.#config = new ConfigServer(host.env, new TextEncoder().encode(config));
    this.#parent = this.#makeParent();
  }

  get name(): string {
    return this.start.name;
  }

  /** The code of its exit, if it has told us. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Makes its account and starts its thread. */
  async begin(): Promise<void> {
    refuseTooPoor(this.start);
    const opening = [
      this.#openEnvironment('PD'),
      this.#openEnvironment('CPU'),
      this.#openEnvironment('ROM'),
    ] as const;
    // All are waited for, whichever fails: what has been opened is closed with the child.
    await Promise.allSettled(opening);
    const [pd, cpu] = [capabilityOf(Pd, await opening[0]), capabilityOf(Cpu, await opening[1])];
    const binary = capabilityOf(Rom, await opening[2]);
    await this.#giveQuota(pd);
    await this.#host.launches.pass(() => this.#launch(cpu, pd, binary));
  }

  /** The account gets what is left when everything that init needs for the child is paid. */
  async #giveQuota(account: Capability<typeof Pd>): Promise<void> {
    const { ram, caps } = this.start;
    const { env } = this.#host;
    await account.setReferenceAccount(env.pd);
    await env.pd.transfer(account, { ram: ram - INIT_COST.ram, caps: caps - INIT_COST.caps });
    this.#account.resolve(account);
  }

  async #launch(
    cpu: Capability<typeof Cpu>,
    pd: Capability<typeof Pd>,
    binary: Capability<typeof Rom>,
  ): Promise<void> {
    const { jail, domain, heap, hostDepth } = this.start;
    const grants = await this.#takeGrants();
    const starting = cpu.start({
      pd,
      parent: this.#host.env.capability(Parent, this.#parent),
      binary,
      isolation: hasOwnProcess(this.start) ? 'process' : 'thread',
      domain,
      heap,
      hostDepth,
      grants,
      jail,
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
    for (const service of ENVIRONMENT) {
      await this.#environment.get(service)?.close(ENVIRONMENT_COST[service]);
    }
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
    const donation = ENVIRONMENT_COST[service];
    const served = await server.open({
      service,
      label,
      args: this.#arguments(service, {}),
      donation,
    });
    if (this.#ended) {
      await served.close(donation);
      throw new SessionError('DENIED', `"${this.name}" has ended`);
    }
    this.#environment.set(service, served);
    return served.capability;
  }

  #makeParent(): Implementation<typeof Parent> {
    return {
      session: (request) => this.#session(request),
      upgrade: (id, ram, caps) => this.sessions.upgrade(id, { ram, caps }),
      close: (id) => this.sessions.close(id),
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
    const to = route === 'config' ? { server: this.#config, serverName: undefined, label: '' } : route;
    return this.sessions.open({ id, service, args, donation: { ram, caps } }, to);
  }

  #arguments(service: string, args: SessionArguments): SessionArguments {
    return service === Cpu.service ? schedulingArguments(args, this.start, this.#host.config) : args;
  }
}

/** What init needs for a child comes from the child's quota. */
function refuseTooPoor({ ram, caps }: StartNode): void {
  const costs = 'and what is made for it costs';
  if (ram < INIT_COST.ram) {
    throw new SessionError('OUT_OF_RAM', `it has ${ram} bytes, ${costs} ${INIT_COST.ram}`);
  }
  if (caps < INIT_COST.caps)
    throw new SessionError('OUT_OF_CAPS', `it has ${caps}, ${costs} ${INIT_COST.caps}`);
}
