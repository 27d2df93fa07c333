/**
 * A child of the sandbox: its account, its thread, the sessions it has opened and the services it
 * provides. It is built up in this order and taken down in the reverse one.
 */
import { type Capability, capabilityOf, type Implementation, Rom, SessionError } from '@ginit/core';
import { type HostGrant } from '@ginit/core/host';
import {
  Cpu,
  Parent,
  Pd,
  prependLabel,
  refusalOf,
  type LedgerChild,
  QuotaDialogue,
  type Resources,
  type SessionAnswer,
  type SessionArguments,
  type SessionRequest,
  type SessionCapability,
  type Thread,
  type ThreadState,
  withConfinement,
} from '@ginit/core/system';
import { type Deferred, quietDeferred } from '@ginit/core/async';
import { ENVIRONMENT_COST, hasOwnProcess, INIT_COST, type StartNode } from '../model/index.ts';
import { untilTaken } from './again.ts';
import { NOTHING, plus } from './amounts.ts';
import type { ChildHost } from './child-host.ts';
import { ChildServer } from './child-server.ts';
import { ClientSessions, type RoutedTo } from './client-sessions.ts';
import { ConfigServer } from './config-server.ts';
import { refuseTooPoor } from './purse.ts';
import { schedulingArguments } from './scheduling.ts';
import type { ServedSession } from './session-server.ts';
import { isAlive, stateOf } from './thread-state.ts';
import type { Progress } from './waits.ts';

/** The sessions that init opens for a child: its account, its means to run, and its binary. */
type EnvironmentService = 'PD' | 'CPU' | 'ROM';

/** A session of the child's environment, and the child that serves it, if one does. */
interface EnvironmentSession {
  readonly served: ServedSession;
  readonly serverName: string | undefined;
}

/** The label of the configuration's ROM, which init serves itself, to each child its own. */
const CONFIG_LABEL = 'config';
/** The reason of a child's end whose thread has neither crashed nor been killed by us. */
const ACCOUNT_ENDED = 'has ended its own account, and itself with it';
/**
 * The end of a channel can be seen before the end of the thread or process behind it. A child that
 * has closed its channel is left alone for this time: if it has crashed, the supervisor reports
 * within it how it did.
 */
const LOST_GRACE_MS = 2000;

/** The two ways in which a child ends: stopped in order, or gone already. */
export type HowItEnds = 'stopped' | 'crashed';

/** One instance of a start node. When a child is started again, that is another instance. */
export class Child {
  readonly start: StartNode;
  readonly server: ChildServer;
  readonly sessions: ClientSessions;
  readonly #host: ChildHost<Child>;
  readonly #account = quietDeferred<Capability<typeof Pd>>();
  readonly #config: ConfigServer;
  /** Sessions of the child's environment, numbered apart from those that the child opens itself. */
  readonly #environment = new Map<EnvironmentService, EnvironmentSession>();
  readonly #endBegins = new AbortController();
  readonly #parent: Implementation<typeof Parent>;
  readonly #dialogue: QuotaDialogue;
  readonly #gone = quietDeferred<void>();
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
  #exitCode: number | undefined;
  #given: Resources = NOTHING;
  #granted: Resources = NOTHING;

  constructor(start: StartNode, host: ChildHost<Child>) {
    this.start = start;
    this.#host = host;
    const provides = start.provides.map(({ name }) => name);
    const { env, waits } = host;
    const lost = (reason: string): void => void this.#isLost(reason);
    this.server = new ChildServer({ env, lost }, start.name, provides, this.#account.promise);
    const returned = (back: Resources): void => this.server.leftover.add(back);
    this.sessions = new ClientSessions({ env, waits, returned }, start.name, this.#account.promise);
    this.#config = new ConfigServer(env, start);
    this.#dialogue = new QuotaDialogue({
      requested: () => host.resourcesRequested(this),
      yielded: () => host.yielded(this),
    });
    this.#parent = this.#makeParent();
  }

  get name(): string {
    return this.start.name;
  }

  /** The code of the child's exit, if the child has told us. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /**
   * The names of the children that serve this one, including those that serve sessions of its
   * environment.
   */
  get servers(): ReadonlySet<string> {
    const names = Array.from(this.#environment.values(), ({ serverName }) => serverName);
    return new Set([...this.sessions.servers, ...names.filter((name) => name !== undefined)]);
  }

  /** The quota and the sessions of the child as init has booked them. */
  get ledger(): LedgerChild {
    return { name: this.name, ending: this.ended, given: this.#given, sessions: this.sessions.ledger };
  }

  /** The quota of its start node, and what it was granted on top. */
  get assigned(): Resources {
    return plus({ ram: this.start.ram, caps: this.start.caps }, this.#granted);
  }

  /** The quota that it has asked for and not been given. */
  get requested(): Resources {
    return this.#dialogue.requested;
  }

  /** Gives it more quota than its start node says, out of init's account. */
  async give(more: Resources): Promise<void> {
    await this.#host.env.pd.transfer(await this.#account.promise, more);
    this.#given = plus(this.#given, more);
    this.#granted = plus(this.#granted, more);
    this.#dialogue.grown();
  }

  /** Asks it to give back so much quota. `ChildHost.yielded` is called when it has answered. */
  askToYield(amount: Resources): void {
    this.#dialogue.askToYield(amount);
  }

  /** Makes the child's account and starts its thread. */
  async begin(): Promise<void> {
    refuseTooPoor(this.start);
    const opening = [
      this.#openEnvironment('PD'),
      this.#openEnvironment('CPU'),
      this.#openEnvironment('ROM'),
    ] as const;
    // All of them are waited for, even if one fails: every session that has been opened is then
    // known, and is closed with the child.
    await Promise.allSettled(opening);
    const [pd, cpu] = [capabilityOf(Pd, await opening[0]), capabilityOf(Cpu, await opening[1])];
    const binary = capabilityOf(Rom, await opening[2]);
    await this.#giveQuota(pd);
    await this.#host.launches.run(() => this.#launch(cpu, pd, binary));
  }

  /**
   * Gives the account the quota that is left when everything that init needs for the child is paid.
   */
  async #giveQuota(account: Capability<typeof Pd>): Promise<void> {
    const { env } = this.#host;
    await account.setReferenceAccount(env.pd);
    const amount = { ram: this.start.ram - INIT_COST.ram, caps: this.start.caps - INIT_COST.caps };
    await env.pd.transfer(account, amount);
    this.#given = amount;
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

  /** Takes the grants of its start node from the grants that init itself has. */
  #takeGrants(): Promise<Capability<typeof HostGrant>[]> {
    const { host } = this.#host.env;
    return Promise.all(this.start.host.map(({ kind, path, access }) => host.grant({ kind, path, access })));
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
    await this.#closeEnvironment('CPU');
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
    this.#host.env.revoke(this.#parent);
    this.#endBegins.abort();
    this.#dialogue.end();
    this.#account.reject(new SessionError('DENIED', reason));
    if (how === 'crashed') this.server.end(reason);
    const elsewhere = this.sessions.endAtChildren();
    // A child that is stopped in order stays there for its servers until they are done with its
    // sessions.
    if (how === 'stopped') await elsewhere.closed;
    this.server.end(reason);
    await this.sessions.endAtParent();
    await this.kill();
    this.server.leftover.accountEnded(await this.#endAccount());
    this.#gone.resolve();
    await this.#closeEnvironment('ROM');
    await elsewhere.back;
    this.server.leftover.complete();
  }

  /**
   * Ends the child's account. When this settles, everything that the account had is in init's
   * account.
   */
  async #endAccount(): Promise<Resources> {
    const session = this.#environment.get('PD')?.served;
    const account = session && capabilityOf(Pd, session.capability);
    const back = account && (await untilTaken(this.#host.env, () => account.end()).catch(() => NOTHING));
    await this.#closeEnvironment('PD');
    return back ?? NOTHING;
  }

  async #closeEnvironment(service: EnvironmentService): Promise<void> {
    const session = this.#environment.get(service);
    if (!session) return;
    this.#environment.delete(service);
    const wait = { by: this.name, for: session.serverName, service, step: 'close' } as const;
    await this.#host.waits.during(wait, session.served.close(() => false).closed);
  }

  /**
   * Finds out what became of the thread of a child whose channel is lost. The thread may have ended
   * already; then its state says whose fault that is. If the report of its end is still on the way,
   * it is waited for. A thread that runs on is ended here. The supervisor reports the crashes that
   * it has seen; every other end is reported here.
   */
  async #isLost(reason: string): Promise<void> {
    if (this.#lost || this.#ended) return;
    this.#lost = quietDeferred();
    const thread = this.#thread;
    let state = await stateOf(thread);
    if (thread && isAlive(state)) {
      // Without a Timer session there is no way to wait, and the child is ended at once.
      const grace = this.#host.env.timer.sleep(LOST_GRACE_MS).catch(() => {});
      await Promise.race([this.#lost.promise, grace]);
      state = await stateOf(thread);
    }
    const lives = thread && isAlive(state);
    if (lives) {
      await thread.kill().catch(() => {});
      state = await stateOf(thread);
    }
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

  /** Opens a session that belongs to the child's environment; its label is the child's name. */
  async #openEnvironment(service: EnvironmentService): Promise<SessionCapability> {
    const route = this.#host.route(this, service, this.name);
    if (route === 'config') throw new SessionError('DENIED', 'not a session of the environment');
    const { server, serverName, label } = route;
    const args = this.#arguments(service, {});
    const { signal: givenUp } = this.#endBegins;
    const opening = server.open({ service, label, args, donation: ENVIRONMENT_COST[service], givenUp });
    const wait = { by: this.name, for: serverName, service, step: 'open' } as const;
    const served = await this.#host.waits.during(wait, opening);
    if ('refused' in served) throw served.refused;
    this.#environment.set(service, { served, serverName });
    if (this.#ended) {
      await this.#closeEnvironment(service);
      throw new SessionError('DENIED', `"${this.name}" has ended`);
    }
    return served.capability;
  }

  #makeParent(): Implementation<typeof Parent> {
    return {
      session: (request) => this.#session(request),
      upgrade: async (id, ram, caps) => {
        try {
          await this.sessions.upgrade(id, { ram, caps });
          return undefined;
        } catch (error) {
          return refusalOf(error);
        }
      },
      close: (id) => this.sessions.close(id),
      announce: (service, root) => this.server.announce(service, root),
      exit: (code) => {
        this.#exitCode ??= code;
        this.#host.exited(this, this.#exitCode);
      },
      ...this.#dialogue.operations,
    };
  }

  async #session(request: SessionRequest): Promise<SessionAnswer> {
    const { id, service, ram, caps } = request;
    try {
      const args = this.#requested(service, request.args);
      const asked = { id, service, args, donation: { ram, caps } };
      return { session: await this.sessions.open(asked, () => this.#route(request)) };
    } catch (error) {
      return { refused: refusalOf(error) };
    }
  }

  #route({ service, label }: SessionRequest): RoutedTo {
    // The LOG session of the environment is the child's own voice: its label is the child's name.
    const own = service === 'LOG' && label === '';
    const route = this.#host.route(this, service, own ? this.name : prependLabel(this.name, label));
    if (route !== 'config') return route;
    return { server: this.#config, serverName: undefined, label: CONFIG_LABEL };
  }

  #arguments(service: string, args: SessionArguments): SessionArguments {
    return service === Cpu.service ? schedulingArguments(args, this.start, this.#host.config) : args;
  }

  /** The arguments of a session that the child itself asks for. */
  #requested(service: string, args: SessionArguments): SessionArguments {
    const given = this.#arguments(service, args);
    return service === Cpu.service && this.start.confines ? withConfinement(given) : given;
  }
}
