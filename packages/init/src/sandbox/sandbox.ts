/**
 * The sandbox: runs the children of an init config, routes their sessions, and takes them down in
 * order. Its config may change at any time. The init component is this library and little else;
 * other components may use it to run children of their own.
 *
 * What a new config changes is decided at once, by the plan, and holds from then on for every
 * request. What follows from it (ends, starts, quota that is moved) is done beside everything else;
 * the next config does not wait for it.
 */
import type { Env } from '@ginit/core';
import { type ChildAction, keepLedger, type Resources, type ThreadState } from '@ginit/core/system';
import { Semaphore } from '@ginit/core/async';
import { ConfigNode } from '@ginit/core/config';
import { type InitConfig, readInitConfig, type StartNode } from '../model/index.ts';
import { type Change, type ExistingChild, planChanges, type PlanOptions } from '../plan/index.ts';
import { isNothing } from './amounts.ts';
import { Child } from './child.ts';
import type { Custody } from './custody.ts';
import type { ChildHost } from './child-host.ts';
import type { HowItEnds } from './child-states.ts';
import type { RoutedTo } from './client-sessions.ts';
import { Leaving } from './leaving.ts';
import { LocalServer } from './local-service.ts';
import { NoRoute } from './no-route.ts';
import { Observation } from './observation.ts';
import type { ChildStanding } from './overview.ts';
import { ParentServer } from './parent-server.ts';
import { planLines } from './plan-lines.ts';
import { QuotaKeeping } from './quota-keeping.ts';
import { Recovery } from './recovery.ts';
import type { SandboxOptions } from './sandbox-options.ts';
import { RestartRecords } from './restart-record.ts';
import { Router } from './router.ts';
import { failurePhrase, reasonOf } from './start-failure.ts';
import { Undecided } from './undecided.ts';
import { type Wait, Waits, type WaitState } from './waits.ts';
import type { Work } from './work.ts';

/**
 * The number of threads that are started at the same time. Each start takes objects of init, which
 * the supervisor is told of a moment later; and CPUs with too much to do start nobody sooner.
 */
const LAUNCHES_MAX = 16;
/** The exit code of a system if a child crashed whose exit was to be propagated. */
const CRASH_EXIT_CODE = 1;

/** Runs children. */
export class Sandbox implements ChildHost<Child> {
  readonly env: Env;
  readonly launches = new Semaphore(LAUNCHES_MAX);
  readonly waits: Waits;
  readonly #exit: (code: number) => void;
  readonly #options: SandboxOptions;
  readonly #local: ReadonlyMap<string, LocalServer>;
  readonly #router: Router;
  readonly #quota: QuotaKeeping;
  readonly #observation: Observation;
  readonly #leaving: Leaving;
  readonly #records = new RestartRecords();
  readonly #recovery: Recovery;
  #config: InitConfig;
  /** The children in the order of the config, also those that have ended and are not replaced. */
  #children = new Map<string, Child>();
  /** For each child the end of those that were there before it under its name. */
  readonly #before = new WeakMap<Child, Promise<void>>();
  /** The children that are being ended, including those whose successor runs already. */
  readonly #endings = new Set<Promise<void>>();
  #made = 0;
  #stopping = false;
  /** Whether our own parent has been told that we exit. */
  #exiting = false;
  readonly #undecided: Undecided;

  /** `exit` is called with the code of a child whose exit is to be propagated. */
  constructor(env: Env, exit: (code: number) => void, options: SandboxOptions = {}) {
    this.env = env;
    this.#options = options;
    const { services = [] } = options;
    this.#quota = new QuotaKeeping({
      env,
      config: () => this.#config,
      children: () => this.#children.values(),
    });
    this.#local = new Map(services.map((service) => [service.name, new LocalServer(env, service)]));
    this.#config = this.#completed(readInitConfig(ConfigNode.empty('config')).config);
    this.#exit = (code) => {
      this.#exiting = true;
      exit(code);
    };
    this.#router = new Router({
      env,
      parent: new ParentServer(env),
      local: this.#local,
      config: () => this.#config,
      child: (name) => this.#children.get(name),
    });
    this.#recovery = new Recovery({
      env,
      records: this.#records,
      current: (name) => (this.#stopping ? undefined : this.#children.get(name)),
      make: (start, before) => this.#make(start, before),
      launch: (child, pauseMs) => this.#launch(child, pauseMs),
      end: (child, how) => this.#endChild(child, `"${child.name}" crashed`, how),
      failed: () => this.#exit(CRASH_EXIT_CODE),
    });
    this.#observation = new Observation({
      env,
      config: () => this.#config,
      directory: () => this.#router.services,
      children: () => this.#children.values(),
      waits: (name) => this.waits.why(name) !== undefined,
      restart: (name, why) => void this.restart(name, why),
      act: (action, name) => this.act(action, name),
      plan: (content) => planLines(this.existing(), content, (config) => this.#completed(config)),
    });
    const isAlone = (): boolean => {
      if (this.#stopping || this.#exiting) return false;
      return this.#children.size > 0 && [...this.#children.values()].every(({ over }) => over);
    };
    this.#undecided = new Undecided(env, isAlone, () => this.#observation.changed());
    this.#leaving = new Leaving((child) => this.#stopChild(child));
    keepLedger(env, () => this.#booked().map(({ ledger }) => ledger));
    this.waits = new Waits({
      env,
      boundsOf: (name) => this.#waitedFor(name)?.start.stepBounds ?? this.#config.stepBounds,
      progressOf: async (name) => this.#waitedFor(name)?.progress(),
      about: (wait) => this.#about(wait),
      overdue: (name, reason) => this.#overdue(name, reason),
    });
  }

  get custody(): Custody {
    return this.#quota.custody;
  }

  /** The config that holds at this moment. */
  get config(): InitConfig {
    return this.#config;
  }

  /** The children, each with its state and with what keeps it from getting on. */
  get state(): ChildStanding[] {
    return this.#observation.standings();
  }

  /** The children as a plan of a new config sees them. */
  existing(): ExistingChild[] {
    return this.#each(({ existing }) => existing);
  }

  /** The quota that it could give to children at this moment. */
  spare(): Promise<Resources> {
    return this.#quota.reserve.spare();
  }

  /**
   * Makes the children those of a config, by the rules of the plan. It holds from the moment of the
   * call. The result settles when everything that follows from it is done, as far as it ever is: a
   * child may wait for a server for as long as that is not there. It never rejects.
   */
  apply(config: InitConfig): Promise<void> {
    return this.#apply(this.#completed(config), {});
  }

  /**
   * Starts a child again, and with it those that depend on it as if the config had changed.
   * Settles when that is done.
   */
  restart(name: string, why: string): Promise<void> {
    this.#records.forget(name);
    return this.#apply(this.#config, { forced: new Map([[name, why]]), retry: false });
  }

  /**
   * Does to a child what somebody asks for: starts it again, or ends it at once as if it had
   * crashed. Settles when that is under way; the result says why it is impossible.
   */
  async act(action: ChildAction, name: string): Promise<string | undefined> {
    const child = this.#children.get(name);
    const runs = child && !this.#stopping && (action === 'restart' || !child.ended);
    if (!runs) return `"${name}" does not run`;
    void this.env.warning(`child "${name}" is ${action === 'kill' ? 'killed' : 'restarted'} by a command`);
    switch (action) {
      case 'restart':
        void this.restart(name, 'a command has asked for it');
        return undefined;
      case 'kill':
        this.crashed(child, { state: 'crashed', reason: 'killed by a command', culprit: true });
        void child.kill();
        return undefined;
    }
  }

  /**
   * Stops every child, clients before their servers; children that do not use one another are
   * stopped side by side. Settles when nothing is left of them.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#observation.end();
    await this.#leaving.stop([...new Set([...this.#leaving.children, ...this.#children.values()])]);
    await Promise.all(this.#endings);
    this.#children.clear();
  }

  route(child: Child, service: string, label: string): RoutedTo | 'config' {
    return this.#router.route(child, service, label);
  }

  exited(child: Child, code: number): void {
    if (this.#children.get(child.name) !== child || child.over) return;
    void this.env.log(`child "${child.name}" exited with exit value ${code}`);
    this.#observation.changedNow();
    const { start } = child;
    if (start.exitPropagate) return this.#exit(code);
    if (start.restart && !this.#stopping && (code !== 0 || start.restart.on === 'always')) {
      const reason = `it exited with exit value ${code}`;
      return this.#undecided.decide(() =>
        this.#recovery.recover(child, { reason, culprit: true }, 'stopped'),
      );
    }
    child.stuck = undefined;
    child.over = { how: 'exited', why: `it exited with exit value ${code}` };
    this.#undecided.decide(() => this.#stopChild(child));
  }

  crashed(child: Child, state: ThreadState): void {
    if (child.ended) return;
    const isCurrent = this.#children.get(child.name) === child;
    if (isCurrent && !this.#stopping && !child.stuck && child.voice) {
      child.becomeStuck('there is no route for its LOG session', [child.voice]);
    }
    // A stuck child that fails for want of its server is started again when all of its routes are
    // there.
    if (!isCurrent || this.#stopping || child.stuck) {
      void this.#endChild(child, `"${child.name}" crashed`, 'crashed');
    } else this.#undecided.decide(() => this.#recovery.recover(child, state, 'crashed'));
  }

  resourcesRequested(child: Child): void {
    this.#observation.changedNow();
    void this.#quota.requests.asked(child).then(() => {
      const { name, requested, ended } = child;
      if (!ended && !isNothing(requested)) this.#options.requested?.(name, requested);
    });
  }

  yielded(child: Child): void {
    void this.#quota.budgets.yielded(child);
  }

  announced(child: Child, service: string): void {
    this.#observation.announced(child, service);
  }

  changed(): void {
    this.#observation.changed();
  }

  tell(child: Child, why: string): void {
    void this.env.error(`child "${child.name}" ${why}`);
  }

  #completed(config: InitConfig): InitConfig {
    return { ...config, localServices: [...this.#local.keys()] };
  }

  #each<T>(what: (child: Child) => T): T[] {
    return Array.from(this.#children.values(), what);
  }

  /** The children of which init keeps books. */
  #booked(): Child[] {
    const all = new Set([...this.#leaving.children, ...this.#children.values()]);
    return [...all].filter(({ booked }) => booked);
  }

  /** The child that somebody waits for: the one that leaves, if its successor is there already. */
  #waitedFor(name: string): Child | undefined {
    const leaving = this.#leaving.children.find((child) => child.name === name && !child.isGone);
    return leaving ?? this.#children.get(name);
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
    const child = this.#waitedFor(name);
    if (!child) return;
    void this.env.error(reason);
    this.crashed(child, { state: 'crashed', reason, culprit: true });
    void child.kill();
  }

  #apply(config: InitConfig, options: PlanOptions): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    const changes = planChanges(this.existing(), config, options);
    this.#config = config;
    this.#quota.reserve.applied();
    this.#router.changed();
    if (changes.length > 0) this.#undecided.sayAgain();
    for (const start of config.starts) {
      const child = this.#children.get(start.name);
      this.#records.update(start, child?.start);
      child?.update(start);
    }
    this.#records.keep(new Set(config.starts.map(({ name }) => name)));
    const work: Work = { leave: [], launch: [], budget: false };
    for (const change of changes) this.#change(change, work);
    const order = config.starts.flatMap(({ name }) => this.#children.get(name) ?? []);
    this.#children = new Map(order.map((child) => [child.name, child]));
    this.#observation.apply(
      config,
      changes.some(({ kind }) => kind !== 'config' && kind !== 'budget'),
    );
    return this.#undecided.during(() => this.#carryOut(work));
  }

  #change(change: Change, work: Work): void {
    switch (change.kind) {
      case 'start': {
        const before = this.#children.get(change.start.name);
        const child = this.#make(change.start, before);
        child.retried = before?.over?.how === 'failed';
        work.launch.push(child);
        return;
      }
      case 'restart': {
        const before = this.#children.get(change.start.name);
        if (before) work.leave.push(before);
        work.launch.push(this.#make(change.start, before));
        return;
      }
      case 'stop': {
        const child = this.#children.get(change.name);
        if (child) work.leave.push(child);
        this.#children.delete(change.name);
        return;
      }
      case 'stuck':
        void this.env.warning(`${change.name}: ${change.why}`);
        this.#children.get(change.name)?.becomeStuck(change.why, change.lost);
        return;
      case 'config':
        this.#children.get(change.name)?.updateConfig();
        return;
      case 'provides':
        this.#children.get(change.name)?.server.declare(change.added, change.removed);
        return;
      case 'budget':
        work.budget = true;
        return;
    }
  }

  /** Makes a child that begins when those before it under its name are gone. */
  #make(start: StartNode, before: Child | undefined): Child {
    const child = new Child(start, ++this.#made, this);
    const leaving = this.#leaving.children.filter(({ name }) => name === start.name);
    const all = new Set([...leaving, ...(before ? [before] : [])]);
    for (const { restarts } of all) child.restarts = Math.max(child.restarts, restarts + 1);
    const gone = Promise.all([...all].flatMap((it) => [it.gone, this.#before.get(it)]));
    this.#before.set(
      child,
      gone.then(() => {}),
    );
    this.#children.set(child.name, child);
    this.#observation.made(child);
    return child;
  }

  async #carryOut({ leave, launch, budget }: Work): Promise<void> {
    this.#quota.treasury.lookAgain();
    const left = this.#leaving.stop(leave);
    if (leave.length > 0) this.#quota.treasury.expect(left);
    if (budget) await this.#quota.budgets.shrink();
    await Promise.all([left, ...launch.map((child) => this.#launch(child))]);
    if (budget) await this.#quota.budgets.grow();
  }

  /** Starts a child when it is its turn and there is quota for it. */
  async #launch(child: Child, pauseMs = 0): Promise<void> {
    try {
      await this.#before.get(child);
      // Without a Timer session there is no way to wait.
      if (pauseMs > 0) await this.env.timer.sleep(pauseMs).catch(() => {});
      if (child.ended || this.#stopping) return;
      const paid = await this.#quota.treasury.promise(child.start);
      try {
        if (child.ended) return;
        child.restarting = false;
        await child.begin(paid);
      } finally {
        paid();
      }
    } catch (error) {
      return this.#couldNotBegin(child, error);
    }
    if (child.retried) {
      child.retried = false;
      this.#reconsider(child);
    }
    const { assigned, start } = child.existing;
    if (assigned.ram === start.ram && assigned.caps === start.caps) return;
    await child.shrink();
    await this.#quota.budgets.grow();
  }

  async #couldNotBegin(child: Child, error: unknown): Promise<void> {
    const { name, ended } = child;
    const isCurrent = this.#children.get(name) === child && !ended;
    const why = reasonOf(error);
    if (isCurrent && error instanceof NoRoute) child.becomeStuck(why, [error.session]);
    else if (isCurrent) child.over = { how: 'failed', why: failurePhrase(error) };
    this.#router.changed();
    if (!ended) await this.env.error(`child "${name}" cannot be started: ${why}`);
    await this.#endChild(child, 'it could not be started', 'crashed');
    if (child.over?.how !== 'failed') return;
    if (child.start.exitPropagate) this.#exit(CRASH_EXIT_CODE);
    this.#reconsider(child);
  }

  /** The services of a child have come or gone: others may be stuck because of it, or heal. */
  #reconsider({ start }: Child): void {
    this.#router.changed();
    if (start.provides.length > 0) void this.#apply(this.#config, { retry: false });
  }

  async #stopChild(child: Child): Promise<void> {
    await child.stop();
    await this.#endChild(child, `"${child.name}" was stopped`, 'stopped');
  }

  async #endChild(child: Child, reason: string, how: HowItEnds): Promise<void> {
    const ended = child.end(reason, how);
    this.#endings.add(ended);
    this.#quota.treasury.expect(ended);
    this.#observation.childChanged();
    await ended;
    this.#endings.delete(ended);
  }
}
