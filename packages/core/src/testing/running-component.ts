/** One component under test, and all that the test can do with it. */
import { Component } from '../runtime/component.ts';
import { ConfigNode } from '../config/index.ts';
import { deferred } from '../async/deferred.ts';
import { SessionError } from '../errors.ts';
import type { Session, SessionInterface } from '../interface/interface.ts';
import { childNameProblem } from '../label.ts';
import type { ConnectOptions } from '../runtime/connect-options.ts';
import { Log } from '../session/log.ts';
import type { SessionRequest } from '../session/parent.ts';
import type { AccountState, Resources } from '../session/pd.ts';
import { Timer } from '../session/timer.ts';
import type { Child, ChildEnd, Route } from './child.ts';
import { type CompanionHost, ScriptedPeer, TestClient } from './companion.ts';
import { type ConfigObject, configNode } from './config-object.ts';
import { delayMs, withinMs } from './real-time.ts';
import type { ComponentReport, Crash, UnreleasedCapabilities } from './report.ts';
import type { RunComponentOptions } from './test-options.ts';
import { PATIENCE_MS, REST_MS, TestSystem } from './test-system.ts';

const NAME = 'component';
const CLIENT_NAME = 'client';
const NOTHING: Resources = { ram: 0, caps: 0 };
const QUOTA: Resources = { ram: 2 ** 26, caps: 1000 };
const TIMEOUT_MS = 5000;
const START_TIME_MS = Date.UTC(2000, 0, 1);
/** The services of core that everybody gets. */
const CORE_SERVICES: ReadonlySet<string> = new Set([Log.service, Timer.service]);

/**
 * Starts a component in this thread, with what `options` says: its config, its quota, and the
 * services that it finds, each served by functions of the test (`script`). Everything between them
 * is real: sessions, quota, capabilities, packet streams. It settles when the component has begun;
 * everything of it is gone when `end` has settled, or at the end of the block with `await using`.
 */
export async function runComponent(
  component: Component,
  options: RunComponentOptions = {},
): Promise<RunningComponent> {
  const running = new RunningComponent(component, options);
  try {
    await running.begin();
  } catch (error) {
    await running.end();
    throw error;
  }
  return running;
}

/** A component under test; `runComponent` makes it. */
export class RunningComponent implements AsyncDisposable {
  readonly #component: Component;
  readonly #options: RunComponentOptions;
  readonly #name: string;
  readonly #system: TestSystem;
  readonly #peers = new Map<string, { readonly peer: ScriptedPeer; readonly child: Child }>();
  readonly #clients: { readonly client: TestClient; readonly child: Child }[] = [];
  readonly #refused: string[] = [];
  readonly #problems: string[] = [];
  readonly #over = deferred<ChildEnd>();
  readonly #announcements = new Set<() => void>();
  #end: ChildEnd | undefined;
  #child: Child | undefined;
  #commonClient: Promise<TestClient> | undefined;
  #crashSeen = false;
  #stopping: Promise<void> | undefined;
  #ending: Promise<ComponentReport> | undefined;

  /** For `runComponent`. */
  constructor(component: Component, options: RunComponentOptions) {
    this.#component = component;
    this.#options = options;
    this.#name = options.name ?? NAME;
    const names = [this.#name, ...(options.services ?? []).map(({ service }) => service)];
    for (const [index, name] of names.entries()) {
      const problem = childNameProblem(name);
      if (problem !== undefined) throw new TypeError(`the name ${JSON.stringify(name)}, ${problem}`);
      if (names.indexOf(name) !== index)
        throw new TypeError(`two components of the test are named "${name}"`);
    }
    this.#system = new TestSystem({
      clock: options.clock ?? 'controlled',
      startTimeMs: options.startTimeMs ?? START_TIME_MS,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      grants: options.host?.grants ?? [],
      host: options.host?.platform,
      route: (child, request) => this.#route(child, request),
    });
  }

  get #companionHost(): CompanionHost {
    const system = this.#system;
    return {
      crash: (name) => system.crash(name),
      within: (promise, what) => system.within(promise, what),
      whileTimePasses: (promise, what) => system.whileTimePasses(promise, what),
    };
  }

  /** For `runComponent`: starts the peers, then the component. */
  async begin(): Promise<void> {
    const { services = [], config = {}, quota, host } = this.#options;
    await this.#system.begin();
    for (const { service, peer } of services) {
      const { child, env } = await this.#system.companion(service, peer);
      this.#peers.set(service, { child, peer: new ScriptedPeer(child, env, this.#companionHost) });
    }
    // The announcements of the peers are under way.
    await this.#system.settle();
    const child = this.#system.child({
      name: this.#name,
      component: this.#component,
      config: config instanceof ConfigNode ? config : configNode('config', config),
      quota: { ...QUOTA, ...quota },
      grants: host?.grants ?? [],
    });
    this.#child = child;
    child.onEnd = (end) => this.#hasEnded(end);
    child.onAnnounce = () => this.#tellAnnounced();
    await child.start();
    // So that what it does at once is done; some go on without end.
    await this.#system.settle(REST_MS).catch(() => {});
  }

  /**
   * The lines of its log so far, without its label; warnings and errors begin with `Warning: ` and
   * `Error: `.
   */
  get log(): readonly string[] {
    return this.#system.logOf(this.#name);
  }

  /** Session requests of it that the test scripts no answer for, in words. They were denied. */
  get refused(): readonly string[] {
    return this.#refused;
  }

  /** Names of the services that it has announced. */
  get announced(): readonly string[] {
    return this.#child?.services ?? [];
  }

  /** Its account: what it has, and how much of that its dataspaces, sessions and objects take. */
  async account(): Promise<AccountState> {
    const state = await this.#child?.account();
    if (!state) throw new Error(`the component has no account any more${this.#howItEnded()}`);
    return state;
  }

  /** The quota that it has asked its parent for and not been given. */
  get requested(): Resources {
    return this.#child?.requested ?? NOTHING;
  }

  /** Gives it more quota, as its parent would; whatever it waits for there settles. */
  async give(more: Partial<Resources>): Promise<void> {
    await this.#child?.give({ ...NOTHING, ...more });
    await this.settle();
  }

  /** Asks it to give quota back, as its parent would. Settles when it has answered. */
  async askToYield(amount: Partial<Resources>): Promise<void> {
    const answered = this.#child?.askToYield({ ...NOTHING, ...amount });
    await this.#system.within(
      answered ?? Promise.resolve(),
      'the component has not answered the yield request',
    );
  }

  /** The peer that serves a scripted service. */
  peer(service: SessionInterface | string): ScriptedPeer {
    const name = typeof service === 'string' ? service : service.service;
    const found = this.#peers.get(name);
    if (!found) throw new Error(`the test scripts no service "${name}"`);
    return found.peer;
  }

  /**
   * Ends the peer that serves a scripted service as a crash would, and starts another in its place.
   * Sessions that the component has opened with `onReattach` are replaced, as they are where its
   * start node says `reattach="yes"`.
   */
  async restartPeer(service: SessionInterface | string): Promise<ScriptedPeer> {
    const old = this.peer(service);
    const { name } = old;
    const [before, scripted] = [this.#peers.get(name)?.child, this.#options.services];
    await old.crash();
    await before?.end();
    const make = scripted?.find((known) => known.service === name)?.peer;
    if (!before || !make) throw new Error(`the test scripts no service "${name}"`);
    const { child, env } = await this.#system.companion(name, make);
    const peer = new ScriptedPeer(child, env, this.#companionHost);
    this.#peers.set(name, { child, peer });
    await this.settle();
    this.#child?.leave(before);
    await this.settle();
    return peer;
  }

  /**
   * Opens a session of a service that the component announces, as a client named `client`. Waits
   * until it has announced it.
   */
  async connect<I extends SessionInterface>(interface_: I, options?: ConnectOptions): Promise<Session<I>> {
    this.#commonClient ??= this.client(CLIENT_NAME);
    const client = await this.#commonClient;
    return client.connect(interface_, options);
  }

  /** One more client, which has a name and an environment of its own, and can crash by itself. */
  async client(name: string): Promise<TestClient> {
    const problem = childNameProblem(name);
    if (problem !== undefined) throw new TypeError(`a client named ${JSON.stringify(name)}, ${problem}`);
    const taken = [this.#name, ...this.#peers.keys(), ...this.#clients.map(({ client }) => client.name)];
    if (taken.includes(name)) throw new TypeError(`another component of the test is named "${name}"`);
    const { child, env } = await this.#system.companion(name, (ready) => new Component({}, ready));
    const client = new TestClient(child, env, this.#companionHost, (service) => this.#announcedYet(service));
    this.#clients.push({ client, child });
    return client;
  }

  /** Gives it a new version of its config. */
  async configure(config: ConfigNode | ConfigObject): Promise<void> {
    this.#child?.configure(config instanceof ConfigNode ? config : configNode('config', config));
    await this.settle();
  }

  /**
   * Lets `ms` milliseconds pass on the controlled clock. Everything that falls due meanwhile is
   * done, in its order.
   */
  advance(ms: number): Promise<void> {
    return this.#system.advance(ms);
  }

  /**
   * Waits until no message is under way any more: until then the component may not have heard of
   * what the test has done. What it does by asynchronous functions of Node itself is not waited
   * for.
   */
  settle(): Promise<void> {
    return this.#system.settle();
  }

  /** The code of its `env.exit`. Rejects if it crashes instead, or does neither for too long. */
  async exited(): Promise<number> {
    const end = await this.#system.within(this.#over.promise, 'the component has neither exited nor crashed');
    if (end.kind === 'exit') return end.code;
    throw this.#crashError(end.reason);
  }

  /** How it crashed. Rejects if it exits instead, or does neither for too long. */
  async crashed(): Promise<Crash> {
    const end = await this.#system.within(this.#over.promise, 'the component has neither exited nor crashed');
    if (end.kind === 'exit') throw new Error(`the component has not crashed, but exited with ${end.code}`);
    this.#crashSeen = true;
    return this.#crashOf(end.reason);
  }

  /** Ends it as a crash would, wherever it is. */
  async crash(): Promise<void> {
    this.#crashSeen = true;
    await this.#system.crash(this.#name);
  }

  /**
   * Stops it in order, as its parent would: its clients go, then its stop handlers run. Timeouts
   * that it waits for there pass by themselves. Rejects if it does not get done.
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const { client } of this.#clients) await client.close();
    const stopped = this.#child?.stop() ?? Promise.resolve();
    await this.#system.whileTimePasses(stopped, 'the stop handlers of the component were not done');
    await this.#system.settle(REST_MS).catch(() => {});
  }

  /**
   * Stops it, and takes down everything of the test; says how the component stood at its end. Never
   * rejects.
   */
  end(): Promise<ComponentReport> {
    this.#crashSeen = true;
    return this.#endOnce();
  }

  /**
   * Ends it; throws if it has crashed and nobody has looked, or if something of the test itself
   * went wrong.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    const unseen = !this.#crashSeen;
    const { crash, problems } = await this.#endOnce();
    if (!unseen) return;
    if (crash) throw this.#crashError(crash.reason);
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }

  #endOnce(): Promise<ComponentReport> {
    this.#ending ??= this.#takeDown();
    return this.#ending;
  }

  async #takeDown(): Promise<ComponentReport> {
    await this.#tried(this.stop());
    await this.#system.settle(REST_MS).catch(() => {});
    const report = await this.#report();
    const ends = [this.#child, ...this.#clients.map(({ child }) => child)].map((child) =>
      this.#endChild(child),
    );
    // Peers close the sessions of the component in order, unless it is they who keep it waiting.
    await Promise.race([Promise.all(ends), delayMs(REST_MS)]);
    await Promise.all([...ends, ...Array.from(this.#peers.values(), ({ child }) => this.#endChild(child))]);
    this.#problems.push(...(await this.#system.end()));
    return { ...report, log: this.log, problems: [...this.#problems, ...this.#peerErrors()] };
  }

  async #report(): Promise<Omit<ComponentReport, 'log' | 'problems'>> {
    const end = this.#end;
    const openSessions = this.#child?.sessions ?? [];
    return {
      exitCode: end?.kind === 'exit' ? end.code : undefined,
      crash: end?.kind === 'crash' ? this.#crashOf(end.reason) : undefined,
      openSessions,
      unreleased: this.#unreleased(openSessions.map(({ service }) => service)),
      account: end?.kind === 'crash' ? undefined : await this.#child?.account(),
      refused: this.#refused,
    };
  }

  /** An open session is one capability of the peer that serves it. */
  #unreleased(open: readonly string[]): UnreleasedCapabilities[] {
    return this.#system.census(this.#name).flatMap(({ owner, imports }) => {
      const count = imports - open.filter((service) => service === owner).length;
      return count > 0 ? [{ owner, count }] : [];
    });
  }

  async #endChild(child: Child | undefined): Promise<void> {
    if (!child) return;
    const tooLate = (): Error =>
      new Error(`"${child.name}" could not be taken down within ${PATIENCE_MS} ms`);
    await this.#tried(withinMs(child.end(), PATIENCE_MS, tooLate));
  }

  async #tried(step: Promise<void>): Promise<void> {
    try {
      await step;
    } catch (error) {
      this.#problems.push(error instanceof Error ? error.message : String(error));
    }
  }

  /**
   * Errors of the test's functions that are no declared errors stand in the logs of the
   * peers.
   */
  #peerErrors(): string[] {
    const names = [...this.#peers.keys(), ...this.#clients.map(({ client }) => client.name)];
    const said = names.flatMap((name) =>
      this.#system
        .logOf(name)
        .filter((line) => line.startsWith('Error: '))
        .map((line) => `peer "${name}": ${line}`),
    );
    return [...said, ...this.#system.complaints];
  }

  #route(child: Child, { service, label }: SessionRequest): Route {
    if (child === this.#child) return this.#routeOfComponent(service, label);
    const isPeer = [...this.#peers.values()].some((known) => known.child === child);
    if (!isPeer && this.#child?.services.includes(service)) return { to: 'child', child: this.#child };
    if (CORE_SERVICES.has(service)) return { to: 'core' };
    throw new SessionError('DENIED', `"${child.name}" asks for a session "${service}", and nobody serves it`);
  }

  #routeOfComponent(service: string, label: string): Route {
    const found = this.#peers.get(service);
    if (found) return { to: 'child', child: found.child };
    if (CORE_SERVICES.has(service)) return { to: 'core' };
    const labelled = label === '' ? '' : ` (label "${label}")`;
    const text = `the component asks for a session "${service}"${labelled}, and the test scripts none`;
    this.#refused.push(text);
    throw new SessionError('DENIED', text);
  }

  #hasEnded(end: ChildEnd): void {
    this.#end ??= end;
    this.#over.resolve(end);
    this.#tellAnnounced();
  }

  #tellAnnounced(): void {
    for (const look of this.#announcements) look();
  }

  async #announcedYet(service: string): Promise<void> {
    const announced = deferred<undefined>();
    const look = (): void => {
      if (this.announced.includes(service) && !this.#child?.gone) announced.resolve(undefined);
      else if (this.#end?.kind === 'crash') {
        announced.reject(new Error(`the component announces no service "${service}"${this.#howItEnded()}`));
      }
    };
    this.#announcements.add(look);
    look();
    const known = this.announced.length === 0 ? 'none' : this.announced.join(', ');
    const text = `the component has not announced the service "${service}" (announced: ${known})`;
    try {
      await this.#system.within(announced.promise, text);
    } finally {
      this.#announcements.delete(look);
    }
  }

  #howItEnded(): string {
    return this.#end?.kind === 'crash' ? `: it has crashed: ${this.#end.reason}` : '';
  }

  #crashOf(reason: string): Crash {
    return { reason, error: this.#system.thrownBy(this.#name) };
  }

  #crashError(reason: string): Error {
    return new Error(`the component has crashed: ${reason}`, { cause: this.#crashOf(reason).error });
  }
}
