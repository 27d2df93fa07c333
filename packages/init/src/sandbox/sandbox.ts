/**
 * The sandbox: runs the children of an init config, routes their sessions, and takes them down in
 * order. The init component is this library and little else; other components may use it to run
 * children of their own.
 */
import { type Env, hasCode, SessionError } from '@ginit/core';
import {
  type ChildAction,
  keepLedger,
  keepOverview,
  type Resources,
  type ThreadState,
} from '@ginit/core/system';
import { Semaphore } from '@ginit/core/async';
import { type InitConfig, rulesOf, type StartNode } from '../model/index.ts';
import { resolveRequest, type ServiceDirectory } from '../routing/index.ts';
import { Child, type HowItEnds } from './child.ts';
import type { ChildHost } from './child-host.ts';
import type { RoutedTo } from './client-sessions.ts';
import { childOverview } from './overview.ts';
import { Purse } from './purse.ts';
import { ResourceGrants } from './resource-grants.ts';
import { RestartRecord } from './restart-record.ts';
import { ParentServer } from './parent-server.ts';
import { nextToStop, type StopCandidate } from './stop-order.ts';
import { type Wait, Waits, type WaitState } from './waits.ts';

/**
 * The number of threads that are started at the same time. Each start takes objects of init, which
 * the supervisor is told of a moment later; and CPUs with too much to do start nobody sooner.
 */
const LAUNCHES_MAX = 16;
/** The exit code of a system if a child crashed whose exit was to be propagated. */
const CRASH_EXIT_CODE = 1;

/** A child as the sandbox sees it. */
export interface ChildStanding {
  readonly name: string;
  readonly state: 'starting' | 'running' | 'ending';
  /** A text that names what the child waits for, if it has waited for a while. */
  readonly why: string | undefined;
  /** The quota of its clients that the child has kept. */
  readonly kept: Resources;
}

/** Runs children. */
export class Sandbox implements ChildHost<Child> {
  readonly env: Env;
  readonly config: InitConfig;
  readonly launches = new Semaphore(LAUNCHES_MAX);
  readonly waits: Waits;
  readonly #exit: (code: number) => void;
  readonly #parent: ParentServer;
  readonly #grants: ResourceGrants;
  /** The children in the order of the config. */
  readonly #children = new Map<string, Child>();
  readonly #restarts: ReadonlyMap<string, RestartRecord>;
  readonly #directory: ServiceDirectory;
  /** The children that are being ended, including those whose successor runs already. */
  readonly #endings = new Set<Promise<void>>();
  #stopping = false;
  /** Whether our own parent has been told that we exit. */
  #exiting = false;
  /**
   * The number of children about which something is being decided, for instance whether they are
   * started again.
   */
  #undecided = 0;
  #saidAlone = false;

  /** `exit` is called with the code of a child whose exit is to be propagated. */
  constructor(env: Env, config: InitConfig, exit: (code: number) => void) {
    this.env = env;
    this.config = config;
    this.#exit = (code) => {
      this.#exiting = true;
      exit(code);
    };
    this.#parent = new ParentServer(env);
    this.#grants = new ResourceGrants({ env, preserve: () => this.config.preserve });
    this.#restarts = new Map(config.starts.map(({ name, restart }) => [name, new RestartRecord(restart)]));
    this.#directory = directoryOf(config);
    keepLedger(env, () => Array.from(this.#children.values(), ({ ledger }) => ledger));
    keepOverview(env, {
      children: () => this.#overview,
      act: async (action, name) => this.#act(action, name),
    });
    this.waits = new Waits({
      env,
      boundsOf: (name) => this.#children.get(name)?.start.stepBounds ?? config.stepBounds,
      progressOf: async (name) => this.#children.get(name)?.progress(),
      about: (wait) => this.#about(wait),
      overdue: (name, reason) => this.#overdue(name, reason),
    });
  }

  /** The children, each with its state and with what it waits for. */
  get state(): ChildStanding[] {
    return Array.from(this.#children.values(), (child) => ({
      name: child.name,
      state: child.ended ? 'ending' : child.running ? 'running' : 'starting',
      why: this.waits.why(child.name),
      kept: child.server.kept,
    }));
  }

  get #overview(): ReturnType<typeof childOverview>[] {
    return Array.from(this.#children.values(), (child) =>
      childOverview(child, {
        why: this.waits.why(child.name),
        restarts: this.#restarts.get(child.name)?.count ?? 0,
      }),
    );
  }

  /**
   * Does what a person has asked for, without waiting for its end. The result says why it cannot.
   */
  #act(action: ChildAction, name: string): string | undefined {
    const child = this.#children.get(name);
    if (!child || child.ended || this.#stopping) return `"${name}" does not run`;
    void this.env.warning(`child "${name}" is ${action === 'kill' ? 'killed' : 'restarted'} by a command`);
    switch (action) {
      case 'kill':
        this.crashed(child, { state: 'crashed', reason: 'killed by a command', culprit: true });
        void child.kill();
        return undefined;
      case 'restart':
        void this.#deciding(() => this.#startAgain(child));
        return undefined;
    }
  }

  async #startAgain(child: Child): Promise<void> {
    await this.#stopChild(child);
    if (this.#stopping) return;
    const next = new Child(child.start, this);
    this.#children.set(next.name, next);
    await this.#startChild(next);
  }

  /**
   * Starts all children side by side, because each start waits several times for an answer of the
   * supervisor. A child that cannot be started is left out, with a warning.
   */
  async start(): Promise<void> {
    const children = this.config.starts.map((start) => new Child(start, this));
    for (const child of children) this.#children.set(child.name, child);
    const purse = new Purse(await this.env.quota());
    const starting = children.map((child) =>
      this.#deciding(() => this.#startChild(child, () => purse.take(child.start))),
    );
    await Promise.all(starting);
  }

  /**
   * Stops every child, clients before their servers; children that do not use one another are
   * stopped side by side. Settles when nothing is left of them.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    const stopping = new Map<Child, Promise<void>>();
    while (this.#children.size > 0) {
      for (const { name } of nextToStop(this.#candidates(stopping))) {
        const child = this.#children.get(name);
        if (child && !stopping.has(child)) stopping.set(child, this.#stopChild(child));
      }
      await Promise.race([...this.#children.values()].flatMap((child) => stopping.get(child) ?? []));
    }
    await Promise.all(this.#endings);
  }

  #candidates(stopping: ReadonlyMap<Child, unknown>): StopCandidate[] {
    return Array.from(this.#children.values(), (child) => ({
      name: child.name,
      servers: child.servers,
      stopping: stopping.has(child),
    }));
  }

  route(child: Child, service: string, label: string): RoutedTo | 'config' {
    const { start } = child;
    const asking = {
      name: start.name,
      binaryName: start.binary.name,
      hasConfig: true,
      usesLinker: start.usesLinker,
      rules: rulesOf(this.config, start),
    };
    const route = resolveRequest(asking, { service, label }, this.#directory);
    switch (route.kind) {
      case 'config':
        return 'config';
      case 'parent':
        return { server: this.#parent, serverName: undefined, label: route.label };
      case 'child':
        return this.#routeToChild(route.child, route.label);
      case 'denied':
        void this.env.warning(`${child.name}: ${route.text}`);
        throw new SessionError('DENIED', route.text);
    }
  }

  exited(child: Child, code: number): void {
    if (this.#children.get(child.name) !== child) return;
    void this.env.log(`child "${child.name}" exited with exit value ${code}`);
    if (child.start.exitPropagate) this.#exit(code);
    else void this.#deciding(() => this.#stopChild(child));
  }

  crashed(child: Child, state: ThreadState): void {
    if (this.#children.get(child.name) !== child || child.ended) return;
    if (this.#stopping) void this.#endChild(child, `"${child.name}" crashed`, 'crashed');
    else {
      void this.#deciding(() => this.#recover(child, state)).catch((error: unknown) =>
        this.env.error(String(error)),
      );
    }
  }

  resourcesRequested(child: Child): void {
    void this.#grants.asked(child);
  }

  /** What a child has freed is taken when a config is applied that gives it less. */
  yielded(): void {}

  tell(child: Child, why: string): void {
    void this.env.error(`child "${child.name}" ${why}`);
  }

  #routeToChild(name: string, label: string): RoutedTo {
    const child = this.#children.get(name);
    if (!child || child.ended) throw new SessionError('DENIED', `server "${name}" is not running`);
    return { server: child.server, serverName: name, label };
  }

  #about({ for: name, service = '' }: Wait): WaitState {
    const child = name === undefined ? undefined : this.#children.get(name);
    if (!child?.running) return 'starting';
    return child.server.hasAnnounced(service) ? 'running' : 'not provided';
  }

  /**
   * Ends a child that keeps others waiting too long. For the others this is a crash of the child.
   */
  #overdue(name: string, reason: string): void {
    const child = this.#children.get(name);
    if (!child) return;
    void this.env.error(reason);
    this.crashed(child, { state: 'crashed', reason, culprit: true });
    void child.kill();
  }

  /** Starts a child. `pay` throws if there is too little quota for it. */
  async #startChild(child: Child, pay = (): void => {}): Promise<void> {
    try {
      pay();
      await child.begin();
    } catch (error) {
      if (!child.ended) await this.env.error(`child "${child.name}" cannot be started: ${reasonOf(error)}`);
      await this.#endChild(child, 'it could not be started', 'crashed');
      if (child.start.exitPropagate) this.#exit(CRASH_EXIT_CODE);
    }
  }

  /**
   * Starts a crashed child again as soon as it is gone. Sessions that its servers have yet to close
   * do not delay that.
   */
  async #recover(child: Child, state: ThreadState): Promise<void> {
    const { start } = child;
    const ended = this.#endChild(child, `"${child.name}" crashed`, 'crashed');
    await child.gone;
    const record = this.#restarts.get(start.name);
    if (record?.grant(state.culprit ?? true, await this.env.timer.elapsedUs())) {
      if (!(await this.#canPay(start))) await ended;
      await this.#restart(start, record);
    } else {
      if (start.restart) await this.env.error(`child "${start.name}" has crashed too often and stays down`);
      if (start.exitPropagate) this.#exit(CRASH_EXIT_CODE);
    }
    await ended;
  }

  /**
   * Whether there is quota for the child. If not, quota of its predecessor is still on the way back
   * from that one's servers.
   */
  async #canPay({ ram, caps }: StartNode): Promise<boolean> {
    const { ramQuota, ramUsed, capQuota, capUsed } = await this.env.pd.state();
    return ramQuota - ramUsed >= ram && capQuota - capUsed >= caps;
  }

  async #restart(start: StartNode, record: RestartRecord): Promise<void> {
    if (this.#stopping) return;
    const { max = 0, periodS = 0 } = start.restart ?? {};
    await this.env.warning(
      `child "${start.name}" is started again (${record.count} of ${max} in ${periodS} s)`,
    );
    // The sandbox may have been stopped while the warning was on its way. `stop` does not know a
    // child that begins after it.
    if (this.#stopping) return;
    const child = new Child(start, this);
    this.#children.set(start.name, child);
    await this.#startChild(child);
  }

  async #stopChild(child: Child): Promise<void> {
    await child.stop();
    await this.#endChild(child, `"${child.name}" was stopped`, 'stopped');
  }

  async #endChild(child: Child, reason: string, how: HowItEnds): Promise<void> {
    const ended = child.end(reason, how);
    this.#endings.add(ended);
    await ended;
    this.#endings.delete(ended);
    if (this.#children.get(child.name) === child) this.#children.delete(child.name);
  }

  /**
   * Does something that may leave the sandbox without children. Whether it has is known only when
   * nothing else is undecided.
   */
  async #deciding(what: () => Promise<void>): Promise<void> {
    this.#undecided++;
    try {
      await what();
    } finally {
      this.#undecided--;
    }
    const alone = this.#children.size === 0 && this.#undecided === 0 && this.config.starts.length > 0;
    if (!alone || this.#stopping || this.#exiting || this.#saidAlone) return;
    this.#saidAlone = true;
    await this.env.log('no child is left; waiting to be stopped');
  }
}

function directoryOf(config: InitConfig): ServiceDirectory {
  const parentProvides = new Set(config.parentProvides.map(({ name }) => name));
  const provided = new Map(
    config.starts.map((start) => [start.name, new Set(start.provides.map(({ name }) => name))]),
  );
  return {
    parentProvides: (service) => parentProvides.has(service),
    childProvides: (child, service) => provided.get(child)?.has(service) ?? false,
    childrenProviding: (service) =>
      [...provided].filter(([, services]) => services.has(service)).map(([name]) => name),
  };
}

function reasonOf(error: unknown): string {
  if (hasCode(error, 'OUT_OF_RAM')) return `not enough RAM quota (${error.message})`;
  if (hasCode(error, 'OUT_OF_CAPS')) return `not enough capability quota (${error.message})`;
  return error instanceof Error ? error.message : String(error);
}
