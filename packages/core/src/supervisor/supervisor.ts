/**
 * The supervisor: starts root init and is its parent. It provides the services of core, keeps the
 * accounts, and introduces components to each other. It runs no component code, and no
 * call between components passes through it.
 */
import { assert, SessionError } from '../errors.ts';
import type { Capability, Implementation } from '../interface/interface.ts';
import { prependLabel } from '../label.ts';
import type { Census } from '../runtime/entrypoint.ts';
import type { ResolvedGrant } from '../runtime/host-access.ts';
import { RomModule } from '../runtime/rom-module.ts';
import { Parent, refusalOf, type SessionRequest } from '../session/parent.ts';
import { Pd } from '../session/pd.ts';
import { Rom } from '../session/rom.ts';
import type { AccountState, Resources } from '../session/pd.ts';
import { Account } from './account.ts';
import { accountTree, type AccountTree } from './account-tree.ts';
import { Components, type LiveComponent } from './components.ts';
import { BinaryRom, type FindBinary, type ResolvedBinary } from './binary-service.ts';
import { type SupervisorSession, SupervisorServices } from './supervisor-services.ts';
import { CpuSession, ROOT_LABEL } from './cpu-session.ts';
import { GrantTable } from './host-grants.ts';
import type { KeptReport } from './kept-reports.ts';
import type { KeptMachine } from './kept-machines.ts';
import type { KeptTerminal } from './kept-terminals.ts';
import { stopped } from './patient-stop.ts';
import { PdSession } from './pd-service.ts';
import { SupervisorTrace } from './supervisor-trace.ts';
import { TraceService } from './trace-service.ts';
import { ThreadsByAccount } from './threads-by-account.ts';
import type { ComponentEnd, Placement, Platform } from './platform.ts';
import { type SystemOverview, SystemOverviews } from './system-overview.ts';
import type { ChildAction, PlannedLine } from '../runtime/overview-shapes.ts';
import type { Thread } from '../session/cpu.ts';

export { ROOT_LABEL } from './cpu-session.ts';

/** How the system ended. */
export type SystemEnd =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'crash'; readonly reason: string };

/** The events that the supervisor reports to the program that runs it. */
export interface SupervisorObserver {
  /** A component has crashed: by its own doing if `end.culprit` is true. */
  crashed(label: string, end: ComponentEnd): void;
  /** Something is wrong that no component can be told of. */
  warning(text: string): void;
}

/** A checked config, with what is made of it before anything starts. */
export interface SystemConfig {
  /** Finds the code that may be started below root init. */
  readonly findBinary: FindBinary;
  /** All host grants of the config, for any component: root init hands them on and uses none. */
  readonly grants: readonly ResolvedGrant[];
  readonly config: Uint8Array;
}

/** Which component is started first, and what it is given. */
export interface RootOptions extends SystemConfig {
  /** The code of root init. */
  readonly binary: ResolvedBinary;
  readonly quota: Resources;
  readonly observer: SupervisorObserver;
}

/** A component, as the supervisor sees it. */
export interface ComponentStanding {
  readonly label: string;
  readonly placement: Placement;
  readonly account: AccountState;
  readonly ended: boolean;
}

/** A component in the summary that people see. */
export interface ComponentSummary extends ComponentStanding {
  readonly ramPeak: number;
  readonly requests: number | undefined;
  /** Bytes of V8's heap that it uses, and their bound if the start node has one. */
  readonly heapUsed: number | undefined;
  readonly heapBytes: number | undefined;
}

/** The facts of a component that the summary needs. */
type Remembered = Pick<LiveComponent, 'label' | 'account' | 'heapBytes' | 'statistics'> & {
  readonly placement: Placement;
};

/**
 * A component that the summary knows. Of one that has ended only this is kept, because the rest
 * would hold on to its process, its sockets and its channel.
 */
interface KnownComponent {
  /** Missing once it has ended. */
  live: LiveComponent | undefined;
  remembered: Remembered;
}

function remember({ label, account, heapBytes, statistics, running }: LiveComponent): Remembered {
  return { label, account, heapBytes, statistics, placement: running.placement };
}

/** The part of a donation that the supervisor keeps when it closes a session. */
const NOTHING = { ram: 0, caps: 0 };
/** How many configs keep their binaries and grants until root init has taken one of them. */
const CONFIGS_KEPT = 16;
/** How many ended components the summary still knows. */
const ENDED_KEPT = 1000;

/** The supervisor of one tree of components. */
export class Supervisor {
  readonly #platform: Platform;
  readonly #options: RootOptions;
  readonly #components: Components;
  readonly #config: RomModule;
  readonly #services: SupervisorServices;
  readonly #cpu: CpuSession;
  readonly #sessions = new Map<number, { session: SupervisorSession; donation: Resources }>();
  readonly #own = new Account('core');
  readonly #rootAccount: Account;
  readonly #threads = new ThreadsByAccount();
  readonly #overviews: SystemOverviews;
  readonly #traces: TraceService;
  readonly #known: KnownComponent[] = [];
  readonly #end: Promise<SystemEnd>;
  #settle: (end: SystemEnd) => void = () => {};
  #root: Capability<typeof Thread> | undefined;
  #exitCode: number | undefined;
  /** The newest config, then those before it that root init may still go by. */
  #configs: readonly SystemConfig[];

  constructor(platform: Platform, options: RootOptions) {
    this.#platform = platform;
    this.#options = options;
    this.#end = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const warn = (text: string): void => options.observer.warning(text);
    this.#components = new Components(platform, warn, (id, number, reason) =>
      this.#traces.failed(id, number, reason),
    );
    this.#overviews = new SystemOverviews(this.#components, platform, warn);
    const observer = {
      started: (component: LiveComponent): void => this.#started(component),
      ended: (component: LiveComponent, end: ComponentEnd): void => this.#ended(component, end),
    };
    this.#traces = new TraceService({ components: this.#components, platform });
    const traces = this.#traces;
    const parts = { components: this.#components, platform, observer, threads: this.#threads, traces };
    this.#config = new RomModule(options.config);
    this.#configs = [options];
    this.#services = new SupervisorServices(parts, this.#config, (name, starter) => {
      for (const { findBinary } of this.#configs) {
        const found = findBinary(name, starter);
        if (found) return found;
      }
      return undefined;
    });
    this.#cpu = new CpuSession(parts, ROOT_LABEL, {
      scheduling: { affinity: [], priority: 0 },
      confined: false,
    });
    this.#rootAccount = new Account(ROOT_LABEL, options.quota);
    if (platform.ledger) {
      this.#own.endow(platform.ledger);
      this.#rootAccount.endow(platform.ledger);
    }
    this.#rootAccount.setReference(this.#own);
  }

  /** Starts root init, and settles with the end of the system. Call `stop` then. */
  async run(): Promise<SystemEnd> {
    const { entrypoint } = this.#components;
    const grants = new GrantTable(entrypoint, this.#options.grants);
    this.#root = this.#cpu.start({
      pd: entrypoint.export(Pd, new PdSession(this.#rootAccount, this.#threads)),
      parent: entrypoint.export(Parent, this.#parent()),
      binary: entrypoint.export(Rom, new BinaryRom(this.#options.binary)),
      isolation: 'process',
      grants: this.#options.grants.map((grant) => grants.capability(grant)),
      jail: 'default',
    });
    return this.#end;
  }

  /**
   * Gives the running system another config: first the binaries and grants that come with it, then
   * the config itself, as a new version of root init's ROM. Binaries and grants that are in it no
   * more are withdrawn when root init goes by that version: until then it may start children by the
   * one before.
   */
  reconfigure(config: SystemConfig): void {
    // A copy tells this version from others, because one config may come several times.
    const newest = { ...config };
    const root = [...this.#components.live].find(({ label }) => label === ROOT_LABEL);
    const goBy = (configs: readonly SystemConfig[]): void => {
      this.#configs = configs;
      root?.grants.replace(configs.flatMap(({ grants }) => grants));
    };
    goBy([newest, ...this.#configs].slice(0, CONFIGS_KEPT));
    this.#config.replace(newest.config);
    void this.#untilTaken(root).then(() => {
      if (this.#configs[0] === newest) goBy([newest]);
    });
  }

  /** Ends the system from outside; `run` settles with it. */
  end(end: SystemEnd): void {
    this.#settle(end);
  }

  /** The exit code that root init has given, also while it was being stopped. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /**
   * Stops the tree in order, then takes down what is left. Root init is not waited for any longer
   * when the whole tree has got nothing done for `boundMs` times its number of levels. Each level
   * has such a bound itself, and the bounds of lower levels run out first.
   */
  async stop(boundMs: number): Promise<void> {
    if (this.#root && !(await stopped(this.#root, this.#platform, boundMs))) {
      this.#options.observer.warning(`[${ROOT_LABEL}] gets nothing done and is ended`);
    }
    await this.#cpu[Symbol.asyncDispose]();
    await Promise.all(Array.from(this.#sessions.keys(), (id) => this.#closeSession(id)));
  }

  /** Every component, as it is now. Asks the components for what only they know. */
  async summary(): Promise<ComponentSummary[]> {
    return Promise.all(this.#known.map((known) => this.#summaryOf(known)));
  }

  /** The whole system as it is now. Settles within a second, whichever component hangs. */
  overview(): Promise<SystemOverview> {
    return this.#overviews.now(this.#own.total);
  }

  /**
   * The changes that another config would bring to the children of the component with this label,
   * in lines for people; `undefined` if it cannot say.
   */
  plan(label: string, config: Uint8Array): Promise<readonly PlannedLine[] | undefined> {
    return this.#overviews.plan(label, config);
  }

  /** Begins to trace components. The result is to be closed. */
  openTrace(): SupervisorTrace {
    const donation = { ram: Number.MAX_SAFE_INTEGER, caps: 0 };
    return new SupervisorTrace(this.#traces.open(ROOT_LABEL, donation), this.#components.entrypoint);
  }

  /** The newest reports that were routed to the supervisor. */
  get reports(): readonly KeptReport[] {
    return this.#services.reports;
  }

  /** The terminals that were routed to the supervisor. */
  get terminals(): readonly KeptTerminal[] {
    return this.#services.terminals;
  }

  /** The virtual machines that were routed to the supervisor. */
  get machines(): readonly KeptMachine[] {
    return this.#services.machines;
  }

  /** Starts a component again or ends it, by its label. The result says why that is impossible. */
  act(action: ChildAction, label: string): Promise<string | undefined> {
    return this.#overviews.act(action, label);
  }

  /**
   * Every component as the supervisor sees it at this moment; asks nobody. `total` is all quota of
   * the system.
   */
  standing(): { readonly components: readonly ComponentStanding[]; readonly total: Resources } {
    const components = this.#known.map(({ live, remembered: { label, placement, account } }) => ({
      label,
      placement,
      account: account.state,
      ended: !live,
    }));
    return { components, total: this.#own.total };
  }

  /** All quota of the system, in whichever account it is. */
  get total(): Resources {
    return this.#own.total;
  }

  /**
   * The account of root init with all that hang on it, and what root init has donated to the
   * supervisor for sessions.
   */
  accounts(): { readonly root: AccountTree; readonly donated: Resources } {
    const donated = { ram: 0, caps: 0 };
    for (const { donation } of this.#sessions.values()) {
      donated.ram += donation.ram;
      donated.caps += donation.caps;
    }
    return { root: accountTree(this.#rootAccount), donated };
  }

  /**
   * For tests: refuses the next allocation of a live component, see `Account.denyNext`. False if
   * there is no such component.
   */
  denyNext(component: number, of: 'ram' | 'caps', taken: () => void): boolean {
    for (const { id, account } of this.#components.live) {
      if (id !== component) continue;
      account.denyNext(of, taken);
      return true;
    }
    return false;
  }

  /**
   * How many objects the supervisor and components hold of each other, and the labels of the live
   * components.
   */
  census(): Census & { readonly live: readonly string[] } {
    const live = Array.from(this.#components.live, ({ label }) => label);
    return { ...this.#components.entrypoint.census(), live };
  }

  /**
   * Settles when root init goes by the newest version of its config, or has ended. It applies a
   * version in the turn in which it gets it. The first question may be heard in that same turn, but
   * the second one comes after it, and after the first answer: so whatever root init has asked for
   * by the version before has come, too.
   */
  async #untilTaken(root: LiveComponent | undefined): Promise<void> {
    await this.#config.seen();
    for (let questions = 0; questions < 2; questions++) await root?.control.heartbeat().catch(() => {});
  }

  #parent(): Implementation<typeof Parent> {
    return {
      session: (request) => {
        try {
          return { session: this.#openSession(request) };
        } catch (error) {
          return { refused: refusalOf(error) };
        }
      },
      upgrade: (id, ram, caps) => {
        try {
          return this.#upgradeSession(id, { ram, caps });
        } catch (error) {
          return refusalOf(error);
        }
      },
      close: async (id) => {
        await this.#closeSession(id);
        return NOTHING;
      },
      announce: (service) => {
        throw new SessionError('DENIED', `nobody could use the service "${service}" of the root component`);
      },
      exit: (code) => {
        this.#exitCode ??= code;
        this.#settle({ kind: 'exit', code });
      },
      requestResources: () => {
        throw new SessionError('DENIED', 'the root component has all quota of the system');
      },
      // Core's services do not end.
      sessionHandler: (handler) => handler[Symbol.dispose](),
      sessionNotices: () => [],
      // The supervisor takes no quota back.
      yieldHandler: (handler) => handler[Symbol.dispose](),
      yieldRequest: () => NOTHING,
      yieldResponse: () => {},
    };
  }

  #openSession(request: SessionRequest): SupervisorSession['capability'] {
    const { id, service, args, ram, caps } = request;
    if (this.#sessions.has(id)) throw new SessionError('DENIED', `session ${id} exists`);
    const label = request.label === '' ? ROOT_LABEL : prependLabel(ROOT_LABEL, request.label);
    this.#rootAccount.transfer(this.#own, { ram, caps });
    try {
      const opened = this.#services.open(service, { id, label, args, ram, caps });
      this.#sessions.set(id, { session: opened, donation: { ram, caps } });
      return opened.capability;
    } catch (error) {
      this.#own.transfer(this.#rootAccount, { ram, caps });
      throw error;
    }
  }

  #upgradeSession(id: number, more: Resources): undefined {
    const open = this.#sessions.get(id);
    if (!open) throw new SessionError('DENIED', `no session ${id}`);
    this.#rootAccount.transfer(this.#own, more);
    open.session.upgraded?.(more);
    const { ram, caps } = open.donation;
    this.#sessions.set(id, { ...open, donation: { ram: ram + more.ram, caps: caps + more.caps } });
    return undefined;
  }

  async #closeSession(id: number): Promise<void> {
    const open = this.#sessions.get(id);
    if (!open) return;
    this.#sessions.delete(id);
    await open.session.close();
    if (!this.#rootAccount.ended) this.#own.transfer(this.#rootAccount, open.donation);
  }

  #started(component: LiveComponent): void {
    this.#known.push({ live: component, remembered: remember(component) });
    const excess = this.#known.findIndex(({ live }) => live === undefined);
    if (this.#known.length > ENDED_KEPT && excess !== -1) this.#known.splice(excess, 1);
  }

  #ended(component: LiveComponent, end: ComponentEnd): void {
    const known = this.#known.find(({ live }) => live === component);
    assert(known !== undefined || this.#known.length >= ENDED_KEPT, 'a component that ends was started');
    this.#traces.ended(component.id);
    if (known) {
      known.live = undefined;
      known.remembered = remember(component);
    }
    if (end.crashed) this.#options.observer.crashed(component.label, end);
    if (component.account === this.#rootAccount && end.crashed) {
      this.#settle({ kind: 'crash', reason: end.reason });
    }
  }

  async #summaryOf({ live, remembered }: KnownComponent): Promise<ComponentSummary> {
    const { requests, heapUsed } =
      (live ? await this.#components.statisticsOf(live) : remembered.statistics) ?? {};
    const { label, placement, account, heapBytes } = remembered;
    const { state, ramPeak } = account;
    return { label, placement, account: state, ramPeak, requests, heapUsed, heapBytes, ended: !live };
  }
}
