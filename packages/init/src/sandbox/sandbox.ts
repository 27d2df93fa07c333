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
import { type ExistingChild, nameOf, planChanges, type PlanOptions, touches } from '../plan/index.ts';
import { isNothing } from './amounts.ts';
import { actOn } from './act-on.ts';
import { ledgerOf } from './booked.ts';
import { carryOut, type ChangingHost } from './carry-out.ts';
import type { Child } from './child.ts';
import type { Custody } from './custody.ts';
import type { ChildHost } from './child-host.ts';
import type { HowItEnds } from './child-states.ts';
import type { RoutedTo } from './client-sessions.ts';
import { untilClientsLeft } from './clients-leaving.ts';
import { Generations } from './generations.ts';
import { Leaving } from './leaving.ts';
import { LocalServer } from './local-service.ts';
import { NoRoute } from './no-route.ts';
import { Observation } from './observation.ts';
import type { ChildStanding } from './overview.ts';
import { ParentServer } from './parent-server.ts';
import { planLines } from './plan-lines.ts';
import { QuotaKeeping } from './quota-keeping.ts';
import { Replacements } from './replacements.ts';
import { Recovery } from './recovery.ts';
import type { SandboxOptions } from './sandbox-options.ts';
import { RestartRecords } from './restart-record.ts';
import { Router } from './router.ts';
import { failurePhrase, reasonOf } from './start-failure.ts';
import { Undecided } from './undecided.ts';
import { waitsOf } from './waiting.ts';
import type { Waits } from './waits.ts';
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
  readonly #replacements: Replacements;
  #config: InitConfig;
  /** The children in the order of the config, also those that have ended and are not replaced. */
  #children = new Map<string, Child>();
  readonly #generations: Generations;
  /** The children that are being ended, including those whose successor runs already. */
  readonly #endings = new Set<Promise<void>>();
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
    this.#generations = new Generations(this);
    this.#config = this.#completed(readInitConfig(ConfigNode.empty('config')).config);
    this.#exit = (code) => {
      this.#exiting = true;
      exit(code);
    };
    this.#router = new Router({
      env,
      parent: new ParentServer(env, () => this.#retry()),
      local: this.#local,
      config: () => this.#config,
      child: (name) => this.#children.get(name),
    });
    this.#recovery = new Recovery({
      env,
      records: this.#records,
      current: (name) => (this.#stopping ? undefined : this.#children.get(name)),
      make: (start, before) => this.#makeAgain(start, before),
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
    keepLedger(env, () => ledgerOf(this.#everyone));
    this.#replacements = new Replacements({
      env,
      current: (name) => this.#children.get(name),
      make: (start, before) => this.#makeReplacement(start, before),
      stop: (child) => void this.#leaving.stop([child]),
      ready: (name) => void this.#apply(this.#config, { ready: new Set([name]), retry: false }),
      again: () => void this.#apply(this.#config, { retry: false }),
    });
    this.waits = waitsOf({
      env,
      config: () => this.#config,
      child: (name) => this.#children.get(name),
      leaving: () => this.#leaving.children,
      crashed: (child, state) => this.crashed(child, state),
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
    return Array.from(this.#children.values(), ({ existing }) => existing);
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
    return actOn(name, action, {
      env: this.env,
      child: this.#stopping ? undefined : this.#children.get(name),
      restart: (why) => void this.restart(name, why),
      crashed: (child, state) => this.crashed(child, state),
    });
  }

  /**
   * Stops every child, clients before their servers; children that do not use one another are
   * stopped side by side. Settles when nothing is left of them.
   */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#observation.end();
    await this.#leaving.stop([...this.#everyone]);
    await Promise.all(this.#endings);
    this.#children.clear();
  }

  route(child: Child, service: string, label: string): RoutedTo | 'config' {
    return this.#router.route(child, service, label);
  }

  exited(child: Child, code: number): void {
    if (this.#replacements.failed(child, { why: `it exited with exit value ${code}`, code })) {
      return void this.#leaving.stop([child]);
    }
    if (this.#children.get(child.name) !== child || child.over) return;
    void this.env.log(`child "${child.name}" exited with exit value ${code}`);
    this.#observation.changedNow();
    const { start } = child;
    if (start.exitPropagate) return this.#exit(code);
    if (this.#takesOver(child)) return void this.#leaving.stop([child]);
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
    const { reason: why = 'it has ended', culprit } = state;
    this.#replacements.failed(child, { why, culprit });
    // A stuck child that fails for want of its server is started again when all of its routes are
    // there.
    if (!isCurrent || this.#stopping || child.stuck || this.#takesOver(child)) {
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
    this.#replacements.look();
  }

  changed(): void {
    this.#observation.changed();
    this.#replacements.look();
  }

  tell(child: Child, why: string): void {
    void this.env.error(`child "${child.name}" ${why}`);
  }

  #completed(config: InitConfig): InitConfig {
    return { ...config, localServices: [...this.#local.keys()] };
  }

  /** All children that there are, also those on their way out and those that are to take places. */
  get #everyone(): Set<Child> {
    const { children: leaving } = this.#leaving;
    return new Set([...leaving, ...this.#children.values(), ...this.#replacements.children]);
  }

  #apply(config: InitConfig, options: PlanOptions): Promise<void> {
    if (this.#stopping) return Promise.resolve();
    const forced = new Map([...this.#replacements.forced, ...(options.forced ?? [])]);
    const changes = planChanges(this.existing(), config, { ...options, forced });
    this.#config = config;
    this.#quota.reserve.applied();
    this.#router.changed();
    if (changes.length > 0) this.#undecided.sayAgain();
    const replaced = new Set(changes.filter(({ kind }) => kind === 'replace').map(nameOf));
    for (const start of config.starts) {
      const child = this.#children.get(start.name);
      this.#records.update(start);
      // A child that is being replaced goes on as it is.
      if (!child || replaced.has(start.name)) continue;
      child.update(start);
      child.replacing = undefined;
    }
    this.#records.keep(new Set(config.starts.map(({ name }) => name)));
    const { ready = new Set(), retry = true } = options;
    const touched = new Set(changes.filter((change) => touches(change, ready)).map(nameOf));
    const work: Work = { leave: [], launch: [], budget: false, ready, forced, touched, retry };
    const host: ChangingHost = {
      env: this.env,
      children: this.#children,
      replacements: this.#replacements,
      make: (start, before) => this.#make(start, before),
      takesOver: (child) => this.#takesOver(child),
    };
    for (const change of changes) carryOut(change, work, host);
    this.#replacements.keep(replaced);
    const order = config.starts.flatMap(({ name }) => this.#children.get(name) ?? []);
    this.#children = new Map(order.map((child) => [child.name, child]));
    this.#observation.apply(
      config,
      changes.some(({ kind }) => kind !== 'config' && kind !== 'budget'),
    );
    this.#retry();
    return this.#undecided.during(() => this.#carryOut(work));
  }

  /** Makes a child that begins when those before it under its name are gone. */
  #make(start: StartNode, before: Child | undefined): Child {
    const leaving = this.#leaving.children.filter(({ name }) => name === start.name);
    const child = this.#generations.make(start, [...leaving, ...(before ? [before] : [])]);
    this.#children.set(child.name, child);
    this.#observation.made(child);
    return child;
  }

  /** Makes a child that is to take the place of another when it is ready. */
  #makeReplacement(start: StartNode, before: Child | undefined): Child {
    const child = this.#generations.make(start, before ? [before] : []);
    child.restarts = (this.#children.get(start.name)?.restarts ?? 0) + 1;
    this.#observation.made(child);
    return child;
  }

  /** If there is a replacement for a child that leaves its place, it is there from now on. */
  #takesOver(child: Child): boolean {
    const { name } = child;
    const next = this.#children.get(name) === child ? this.#replacements.take(name) : undefined;
    if (!next) return false;
    this.#children.set(name, next);
    this.#router.changed();
    child.server.beReplaced();
    this.#observation.childChanged();
    this.#retry();
    return true;
  }

  /** Makes a child in the place of one that has crashed. */
  #makeAgain(start: StartNode, before: Child): Child {
    const child = this.#make(start, before);
    this.#retry();
    return child;
  }

  /** Children may get sessions now that they were refused. */
  #retry(): void {
    for (const { sessions } of this.#children.values()) sessions.retry();
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
      await this.#generations.turnOf(child);
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
    this.#replacements.failed(child, { why });
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
    await untilClientsLeft(this.env, child);
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
