/**
 * A child of the sandbox: its account, its thread, the sessions it has opened and the services it
 * provides. It is built up in this order and taken down in the reverse one.
 */
import { type Capability, capabilityOf, type Implementation, Rom, SessionError } from '@ginit/core';
import {
  Cpu,
  Parent,
  Pd,
  QuotaDialogue,
  type AccountState,
  type LedgerChild,
  type Resources,
  type Thread,
  type ThreadState,
} from '@ginit/core/system';
import { type Deferred, quietDeferred } from '@ginit/core/async';
import { hasOwnProcess, type StartNode } from '../model/index.ts';
import type { ExistingChild, RoutedSession, Standing } from '../plan/index.ts';
import type { MissingSession, SessionStanding } from '../report/index.ts';
import { untilTaken } from './again.ts';
import { isNothing, minus, NOTHING } from './amounts.ts';
import type { ChildHost } from './child-host.ts';
import { ChildQuota } from './child-quota.ts';
import { ChildRequests } from './child-requests.ts';
import { ChildServer } from './child-server.ts';
import type { HowItEnds, Over, Stuck } from './child-states.ts';
import { ClientSessions, type RoutedTo } from './client-sessions.ts';
import { ConfigServer } from './config-server.ts';
import { EnvironmentSessions } from './environment-sessions.ts';
import { Heartbeat } from './heartbeats.ts';
import { takeGrants } from './take-grants.ts';
import { isAlive, outcomeOfLost, stateOf } from './thread-state.ts';
import { refuseTooPoor } from './treasury.ts';
import type { Progress } from './waits.ts';

/** The reason of a child's end whose thread has neither crashed nor been killed by us. */
const ACCOUNT_ENDED = 'has ended its own account, and itself with it';

/** One instance of a start node. When a child is started again, that is another instance. */
export class Child {
  /** Counts the children that were ever made. */
  readonly id: number;
  readonly server: ChildServer;
  readonly sessions: ClientSessions;
  readonly quota: ChildQuota;
  readonly heartbeat = new Heartbeat(async () => this.#thread?.heartbeat());
  /** The start node that the child was made from. */
  #born: StartNode;
  readonly #host: ChildHost<Child>;
  readonly #account = quietDeferred<Capability<typeof Pd>>();
  readonly #config: ConfigServer;
  readonly #environment: EnvironmentSessions;
  readonly #parent: Implementation<typeof Parent>;
  readonly #requests: ChildRequests;
  readonly #dialogue: QuotaDialogue;
  readonly #gone = quietDeferred<void>();
  #start: StartNode;
  #begun = false;
  #thread: Capability<typeof Thread> | undefined;
  #state: ThreadState['state'] = 'starting';
  #stopped: Promise<void> | undefined;
  #killed: Promise<void> | undefined;
  /**
   * Set when the child has become useless and the state of its thread is being found out. It
   * settles when the state of the thread has changed.
   */
  #lost: Deferred<void> | undefined;
  #ended: Promise<void> | undefined;
  #isGone = false;
  #leftNothing = false;
  #exitCode: number | undefined;
  /** The session by which the child speaks, if that was denied for want of a route. */
  #voice: RoutedSession | undefined;
  /** Set once the child is over. */
  over: Over | undefined;
  /** Set while routes of it are missing. */
  stuck: Stuck | undefined;
  /** How it goes with the child that is to take its place when it is ready, in one phrase. */
  replacing: string | undefined;
  /** How many children were there before it under its name. */
  restarts = 0;
  /** Whether it takes the place of a child that has crashed, and has not begun yet. */
  restarting = false;
  /** Whether the child before it could not be created, and this one is not created yet either. */
  retried = false;

  constructor(start: StartNode, id: number, host: ChildHost<Child>) {
    this.#born = start;
    this.#start = start;
    this.id = id;
    this.#host = host;
    const { name } = start;
    const provides = start.provides.map((service) => service.name);
    const { env, waits } = host;
    const lost = (reason: string): void => void this.#isLost(reason);
    const changed = (): void => host.changed();
    this.quota = new ChildQuota({ env }, name);
    this.server = new ChildServer({ env, lost, changed }, name, provides, this.#account.promise);
    const returned = (back: Resources): void => this.server.leftover.add(back);
    this.sessions = new ClientSessions({ env, waits, returned, changed }, name, this.#account.promise);
    this.#config = new ConfigServer(host, start.config);
    const born = (): StartNode => this.#born;
    this.#requests = new ChildRequests({
      name,
      born,
      surroundings: host.config,
      server: this.server,
      sessions: this.sessions,
      config: this.#config,
      reattaches: () => this.#start.reattach,
      route: (service, label) => host.route(this, service, label),
      voiceless: (label) => {
        this.#voice = { service: 'LOG', label, to: { kind: 'parent', label } };
      },
      announced: (service) => host.announced(this, service),
      exited: (code) => {
        this.#exitCode ??= code;
        host.exited(this, this.#exitCode);
      },
    });
    this.#dialogue = new QuotaDialogue({
      requested: () => host.resourcesRequested(this),
      yielded: () => host.yielded(this),
    });
    this.#parent = { ...this.#requests.operations, ...this.#dialogue.operations };
    this.#environment = new EnvironmentSessions({
      waits,
      child: name,
      route: (service) => this.#routeEnvironment(service),
      arguments: (service) => this.#requests.environmentArguments(service),
      changed,
    });
  }

  get name(): string {
    return this.#born.name;
  }

  /** The start node as it was applied last. */
  get start(): StartNode {
    return this.#start;
  }

  /** The code of the child's exit, if the child has told us. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Its LOG session, if there is no route for it: then it cannot run. */
  get voice(): RoutedSession | undefined {
    return this.#voice;
  }

  /**
   * The names of the children that serve this one, including those that serve sessions of its
   * environment.
   */
  get servers(): ReadonlySet<string> {
    return new Set([...this.sessions.servers, ...this.#environment.servers]);
  }

  /** Where its sessions lead, those of its environment too. */
  get routed(): RoutedSession[] {
    return [...this.#environment.routed, ...this.sessions.routed];
  }

  /** Its sessions, those of its environment too, for people and managers. */
  get standings(): SessionStanding[] {
    return [...this.#environment.standings, ...this.sessions.standings];
  }

  /** The sessions that it is to have and does not have. */
  get missing(): MissingSession[] {
    return [...this.#environment.missing, ...this.sessions.missing];
  }

  /** What its account holds; `undefined` while there is none. */
  async accountState(): Promise<AccountState | undefined> {
    return this.quota.state();
  }

  /** Whether it runs and offers all of its services. */
  get ready(): boolean {
    return this.running && this.server.isComplete && !this.ended && !this.over;
  }

  /** The child as the plan of a new config sees it. */
  get existing(): ExistingChild {
    const standing: Standing = this.over?.how ?? (this.stuck ? 'stuck' : this.retried ? 'retried' : 'alive');
    return {
      start: this.#start,
      standing,
      sessions: this.stuck?.sessions ?? this.routed,
      assigned: this.quota.active
        ? minus(this.quota.assigned, this.quota.granted)
        : { ram: this.#born.ram, caps: this.#born.caps },
      ready: this.ready,
    };
  }

  /** The quota and the sessions of the child as init has booked them. */
  get ledger(): LedgerChild {
    const { given } = this.quota;
    return { name: this.name, ending: this.ended, given, sessions: this.sessions.ledger };
  }

  /** Whether init keeps books about it: it has begun, and has left something. */
  get booked(): boolean {
    return this.#begun && !this.#leftNothing;
  }

  /** Takes over a changed start node. What a child that has begun cannot change any more stays. */
  update(start: StartNode): void {
    this.#start = start;
    if (!this.#begun) this.#born = start;
  }

  /** The quota that it has been given so far, and what init needs for it. */
  get assigned(): Resources {
    return this.quota.assigned;
  }

  /** The quota that it has asked for and not been given. */
  get requested(): Resources {
    return this.#dialogue.requested;
  }

  /** Gives it more quota than its start node says, out of init's account. */
  async give(more: Resources): Promise<void> {
    await this.quota.grant(more);
    this.#dialogue.grown();
  }

  /**
   * Gives it what it has less than its start node says, as far as `limit` goes. The result is what
   * it was given.
   */
  async grow(limit: Resources): Promise<Resources> {
    const given = await this.quota.grow(this.#start, limit);
    if (!isNothing(given)) this.#dialogue.grown();
    return given;
  }

  /**
   * Takes back what it has more than its start node says and does not use, and asks it to free the
   * rest. `ChildHost.yielded` is called when it has answered.
   */
  async shrink(): Promise<void> {
    this.#dialogue.askToYield(await this.quota.shrink(this.#start));
  }

  /** A new version of its configuration. */
  updateConfig(): void {
    this.#config.update(this.#start.config);
  }

  /** Routes of the child are missing. It goes on without the sessions that it has lost. */
  becomeStuck(why: string, lost: readonly RoutedSession[]): void {
    const known = new Set(this.routed);
    this.stuck = { why, sessions: [...known, ...lost.filter((session) => !known.has(session))] };
    // Nothing is left of a child without its account and its thread; and its last words are heard.
    const kept = new Set<RoutedSession>(this.#environment.routed);
    this.sessions.endLost(new Set(lost.filter((it) => !kept.has(it) && it.service !== 'LOG')));
  }

  /** Makes the child's account and starts its thread. `paid` is called when it has its quota. */
  async begin(paid: () => void = () => {}): Promise<void> {
    refuseTooPoor(this.#start);
    this.#begun = true;
    const opening = [
      this.#environment.open('PD'),
      this.#environment.open('CPU'),
      this.#environment.open('ROM'),
    ] as const;
    // All of them are waited for, even if one fails: every session that has been opened is then
    // known, and is closed with the child.
    await Promise.allSettled(opening);
    const [pd, cpu] = [capabilityOf(Pd, await opening[0]), capabilityOf(Cpu, await opening[1])];
    const binary = capabilityOf(Rom, await opening[2]);
    await this.quota.give(pd, this.#born);
    this.#account.resolve(pd);
    paid();
    await this.#host.launches.run(() => this.#launch(cpu, pd, binary));
  }

  async #launch(
    cpu: Capability<typeof Cpu>,
    pd: Capability<typeof Pd>,
    binary: Capability<typeof Rom>,
  ): Promise<void> {
    const { jail, domain, heap, hostDepth, place } = this.#born;
    const grants = await takeGrants(this.#host.env, this.#born);
    const starting = cpu.start({
      pd,
      parent: this.#host.env.capability(Parent, this.#parent),
      binary,
      isolation: hasOwnProcess(this.#born) ? 'process' : 'thread',
      domain,
      heap,
      hostDepth,
      grants,
      jail,
      place,
    });
    const released = (): void => grants.forEach((grant) => grant[Symbol.dispose]());
    const thread = await starting.finally(released);
    if (this.#ended) return thread[Symbol.dispose]();
    this.#thread = thread;
    await thread.setHandler(this.#host.env.signal(() => this.#threadChanged(thread)));
  }

  #routeEnvironment(service: string): RoutedTo {
    const route = this.#host.route(this, service, this.name);
    if (route === 'config') throw new SessionError('DENIED', 'not a session of the environment');
    return route;
  }

  /** Whether the child's main function can have been called by now. */
  get running(): boolean {
    return this.#state !== 'starting';
  }

  /**
   * Settles when the child itself is gone and its quota is back. Its sessions with other children
   * may still be ending then.
   */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Whether the child itself is gone. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * The progress that the child has made; `undefined` while it has no thread that could be asked.
   */
  async progress(): Promise<Progress | undefined> {
    return this.#thread?.progress();
  }

  /** Lets the child finish its work in order. Settles when it has done so, or is dead. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    if (!this.#thread || this.#ended) return;
    const done = this.#thread.stop().catch(() => {});
    await this.#host.waits.during({ by: '', for: this.name, step: 'stop' }, done);
  }

  /**
   * Ends the child's thread at once, whatever it is doing. Its donations and accounts are not
   * settled here; see `end`.
   */
  kill(): Promise<void> {
    this.#killed ??= this.#kill();
    return this.#killed;
  }

  async #kill(): Promise<void> {
    this.#thread?.[Symbol.dispose]();
    await this.#environment.close('CPU');
  }

  /**
   * Ends the child and everything that belongs to it. When this settles, its clients have their
   * donations back. Never rejects.
   */
  end(reason: string, how: HowItEnds): Promise<void> {
    this.#ended ??= this.#end(reason, how);
    return this.#ended;
  }

  get ended(): boolean {
    return this.#ended !== undefined;
  }

  async #end(reason: string, how: HowItEnds): Promise<void> {
    this.server.afterwards.become(undefined, false);
    this.#host.env.revoke(this.#parent);
    this.#environment.endBegins();
    this.#dialogue.end();
    this.#account.reject(new SessionError('DENIED', reason));
    if (how === 'crashed') this.server.end(reason);
    const elsewhere = this.sessions.endAtChildren();
    // If it is stopped in order it stays until its servers are done with its sessions.
    if (how === 'stopped') await elsewhere.closed;
    this.server.end(reason);
    await this.sessions.endAtParent();
    await this.kill();
    this.server.leftover.accountEnded(await this.#endAccount());
    this.#isGone = true;
    this.#gone.resolve();
    await this.#environment.close('ROM');
    await elsewhere.back;
    this.server.leftover.complete();
    this.#leftNothing = true;
  }

  /**
   * Ends the child's account. When this settles, everything that the account had is in init's
   * account.
   */
  async #endAccount(): Promise<Resources> {
    const session = this.#environment.served('PD');
    const account = session && capabilityOf(Pd, session.capability);
    this.quota.end();
    const back = account && (await untilTaken(this.#host.env, () => account.end()).catch(() => NOTHING));
    await this.#environment.close('PD');
    return back ?? NOTHING;
  }

  /** The channel to the child is lost. The child is ended, unless it has ended already. */
  async #isLost(reason: string): Promise<void> {
    if (this.#lost || this.#ended) return;
    const lost = quietDeferred<void>();
    this.#lost = lost;
    const thread = this.#thread;
    const { state, lives } = await outcomeOfLost(thread, this.#host.env.timer, lost.promise);
    if (thread && state?.state !== 'crashed') this.#tell(lives ? `is lost: ${reason}` : ACCOUNT_ENDED);
    const its: ThreadState = { state: 'crashed', reason: `${this.name}: ${reason}`, culprit: true };
    this.#host.crashed(this, state?.state === 'crashed' ? state : its);
  }

  async #threadChanged(thread: Capability<typeof Thread>): Promise<void> {
    // A child in a shared domain may end its own account, and its thread with it. Then there is
    // nobody left to ask for the state.
    const state = (await stateOf(thread)) ?? { state: 'killed' };
    if (!isAlive(state)) this.#lost?.resolve();
    if (this.#ended || this.#lost) return;
    this.#state = state.state;
    this.#host.changed();
    // The supervisor kills the thread without our asking only when its account has ended. The child
    // has done that itself; had its host done it, that would have been reported.
    const killed = state.state === 'killed' && this.#killed === undefined;
    if (killed) this.#tell(ACCOUNT_ENDED);
    if (state.state === 'crashed' || killed) this.#host.crashed(this, state);
  }

  /** Reports why the child ended, unless it is being stopped: then no end counts as a crash. */
  #tell(why: string): void {
    if (this.#stopped === undefined && !this.#ended) this.#host.tell(this, why);
  }
}
