/** `env` as the runtime makes it. Its parts are in files of their own; this one joins them. */
import type { SignalCapability } from '../capability/signal.ts';
import type { Env, Ram, SessionOpener } from './env.ts';
import { COSTS } from '../costs.ts';
import { assert, hasCode, RpcError } from '../errors.ts';
import type {
  Capability,
  Implementation,
  Interface,
  Session,
  SessionInterface,
} from '../interface/interface.ts';
import { Dataspace } from '../memory/dataspace.ts';
import type { MemorySource } from '../memory/shared-memory.ts';
import { Log } from '../session/log.ts';
import { EXIT_CODE_MAX, type Parent, Root } from '../session/parent.ts';
import type { AccountState, Pd, Resources } from '../session/pd.ts';
import { Rom } from '../session/rom.ts';
import { Timer } from '../session/timer.ts';
import type { Tracer } from '../trace/tracer.ts';
import { setAnnouncer } from './announcing.ts';
import { setRootMaker } from './own-root.ts';
import { setOwnUse } from './own-use.ts';
import { Assertions, nameObligations, type AssertionHost, type Obligation } from './assertions.ts';
import type { RequestOptions, SessionConnectOptions } from './connect-options.ts';
import { Config, parseConfig } from './config.ts';
import type { Completed } from './completed.ts';
import { countedHost } from './counted-host.ts';
import type { Dealings } from './dealings.ts';
import type { Entrypoint } from './entrypoint.ts';
import type { HostAccess } from './host-access.ts';
import { LogWriter } from './log-writer.ts';
import { type ResourceRequestOptions, ResourceRequests } from './resource-requests.ts';
import { RomClient } from './rom-client.ts';
import type { ServedCounter } from './served-counter.ts';
import { Service } from './service.ts';
import { SessionClient, type SessionTicket } from './session-client.ts';
import { setSessionWatching } from './session-watching.ts';
import type { SessionWatch } from './session-watch.ts';
import type { Synchronous, SynchronousCalls, SynchronousOptions } from './synchronous.ts';
import { Timeouts } from './timeouts.ts';
import { type YieldHandler, YieldRequests } from './yield-requests.ts';

/** The parts that an environment is made of. */
export interface EnvironmentParts {
  readonly entrypoint: Entrypoint;
  readonly parent: Capability<typeof Parent>;
  readonly pd: Capability<typeof Pd>;
  readonly host: HostAccess;
  readonly memory: MemorySource;
  readonly report: (error: unknown) => void;
  readonly complain: (text: string) => void;
  readonly served: ServedCounter;
  readonly calls: ServedCounter;
  readonly progress: Completed;
  readonly synchronous: SynchronousCalls;
  readonly assertions: AssertionHost;
  /** Takes obligations that the component has not met by its end. Without it the log does. */
  readonly unmet: ((obligations: readonly Obligation[]) => void) | undefined;
  readonly watch: SessionWatch | undefined;
  readonly dealings: Dealings | undefined;
}

/** The environment of one component. */
export class Environment implements Env {
  readonly timer: Timeouts;
  readonly ram: Ram;
  readonly host: HostAccess;
  readonly #parts: EnvironmentParts;
  readonly #sessions: SessionClient;
  readonly #resources: ResourceRequests;
  readonly #yields: YieldRequests;
  readonly #log = new LogWriter();
  readonly #assertions: Assertions;
  readonly #tracer: Tracer;
  readonly #allocations = new Map<Dataspace, number>();
  readonly #stopHandlers: (() => void | Promise<void>)[] = [];
  /** The number of open sessions of each service. */
  readonly #services = new Map<string, () => number>();
  #config: Config | undefined;
  #exiting: Promise<void> | undefined;

  constructor(parts: EnvironmentParts) {
    this.#parts = parts;
    this.#tracer = parts.entrypoint.tracer;
    this.host = countedHost(parts.host, parts.progress);
    this.#assertions = new Assertions(parts.assertions);
    this.#sessions = new SessionClient({
      parent: parts.parent,
      report: parts.report,
      startTimeout: (ms, handler) => this.timer.after(ms, handler),
      packets: parts.progress.packets,
      tracer: parts.entrypoint.tracer,
      watch: parts.watch,
      signal: (handler) => this.signal(handler),
      refused: (text) => void this.warning(text),
    });
    setSessionWatching(this, (watcher) => (this.#sessions.reattachments.watcher = watcher));
    setAnnouncer(this, (service, root) => this.#announce(service, root));
    setOwnUse(this, () => this.#ownUse());
    setRootMaker(this, (interface_, open) => this.#service(interface_, open));
    this.#resources = new ResourceRequests(parts.parent, (ms, handler) => this.timer.after(ms, handler));
    this.#yields = new YieldRequests({
      parent: parts.parent,
      signal: (handler) => this.signal(handler),
      report: parts.report,
    });
    this.timer = new Timeouts(
      () => this.connect(Timer),
      (handler) => this.signal(handler),
      parts.report,
    );
    this.ram = {
      allocate: (sizeBytes) => this.#allocate(sizeBytes),
      free: (dataspace) => this.#free(dataspace),
      detach: (dataspace) => this.#detach(dataspace),
    };
  }

  get config(): Config {
    assert(this.#config !== undefined, 'the environment is open');
    return this.#config;
  }

  get pd(): Capability<typeof Pd> {
    return this.#parts.pd;
  }

  /** Opens the sessions that every component has: LOG, and the ROM `config`. */
  async open(): Promise<void> {
    const attach = (log: Session<typeof Log>): void => this.#log.attach((line) => log.write(line));
    const [log, config] = await Promise.all([this.connect(Log, { onReattach: attach }), this.#openConfig()]);
    attach(log);
    this.#config = config;
  }

  connect<I extends SessionInterface>(
    interface_: I,
    options: SessionConnectOptions<I> = {},
  ): Promise<Session<I>> {
    return this.#sessions.connect(interface_, options);
  }

  request<I extends SessionInterface>(
    interface_: I,
    options: RequestOptions = {},
  ): Promise<SessionTicket<I>> {
    return this.#sessions.request(interface_, options);
  }

  close(session: object): Promise<Resources> {
    return this.#sessions.close(session);
  }

  upgrade(session: object, more: Resources): Promise<void> {
    return this.#sessions.upgrade(session, more);
  }

  provide<I extends SessionInterface>(interface_: I, open: SessionOpener<I>): void {
    const service = this.#service(interface_, open);
    this.#services.set(interface_.service, () => service.count);
    this.#announce(interface_.service, service).catch(this.#parts.report);
  }

  #service<I extends SessionInterface>(interface_: I, open: SessionOpener<I>): Service<I> {
    const { entrypoint, pd, report, served, calls, watch, progress } = this.#parts;
    const { packets } = progress;
    const closeTicket = async (ticket: object): Promise<void> => void (await this.close(ticket));
    return new Service(interface_, open, {
      entrypoint,
      pd,
      report,
      served,
      calls,
      packets,
      closeTicket,
      watch,
    });
  }

  async #announce(service: string, root: Implementation<typeof Root>): Promise<void> {
    const { entrypoint, dealings, parent } = this.#parts;
    await parent.announce(service, entrypoint.export(Root, dealings?.root(root) ?? root));
  }

  capability<I extends Interface>(interface_: I, implementation: Implementation<I>): Capability<I> {
    return this.#parts.entrypoint.export(interface_, implementation);
  }

  synchronous<I extends Interface>(
    interface_: I,
    capability: Capability<I>,
    options: SynchronousOptions,
  ): Synchronous<I> {
    return this.#parts.synchronous.view(interface_, capability, options);
  }

  revoke(implementation: object): void {
    this.#parts.entrypoint.revoke(implementation);
  }

  signal(handler: () => void | Promise<void>): SignalCapability {
    return this.#parts.entrypoint.signal(handler);
  }

  quota(): Promise<AccountState> {
    return this.#parts.pd.state();
  }

  requestResources(amount: Partial<Resources>, options?: ResourceRequestOptions): Promise<void> {
    return this.#resources.request(amount, options);
  }

  onYield(handler: YieldHandler): void {
    this.#yields.on(handler);
  }

  log(text: string): Promise<void> {
    if (this.#tracer.on) this.#tracer.logOutput(text);
    return this.#log.write(text);
  }

  checkpoint(name: string, value?: number): void {
    if (this.#tracer.on) this.#tracer.checkpoint(name, value);
  }

  warning(text: string): Promise<void> {
    if (this.#tracer.on) this.#tracer.logOutput(`Warning: ${text}`);
    return this.#log.message(text, 'Warning: ');
  }

  error(text: string): Promise<void> {
    if (this.#tracer.on) this.#tracer.logOutput(`Error: ${text}`);
    return this.#log.message(text, 'Error: ');
  }

  assertAlways(holds: boolean, what: string): void {
    this.#assertions.always(holds, what, this.assertAlways);
  }

  assertEventually(what: string, by?: Promise<unknown>): Obligation {
    return this.#assertions.eventually(what, by);
  }

  /** For the runtime: the obligations of the component that are not met yet. */
  get obligations(): readonly Obligation[] {
    return [...this.#assertions.unmet];
  }

  /**
   * For the runtime: the numbers of the sessions that the component has open, and how many sessions
   * of each service it serves.
   */
  get openSessions(): { readonly opened: readonly number[]; readonly served: ReadonlyMap<string, number> } {
    const served = new Map(Array.from(this.#services, ([service, count]) => [service, count()]));
    return { opened: this.#sessions.ids, served };
  }

  /** Settles when the log has taken every line written so far. */
  flushLog(): Promise<void> {
    return this.#log.flush();
  }

  /**
   * Called when the component ends at once. The result is the lines written before `ended` that the
   * log has not taken.
   */
  endLog(ended: () => void): string[] {
    this.#log.detach();
    ended();
    return this.#log.takeRest();
  }

  onStop(handler: () => void | Promise<void>): void {
    this.#stopHandlers.push(handler);
  }

  /**
   * For the runtime: the component is to end. If one handler fails, the others run nevertheless.
   */
  async runStopHandlers(): Promise<void> {
    for (const handler of this.#stopHandlers.splice(0).toReversed()) {
      try {
        await handler();
      } catch (error) {
        this.#parts.report(error);
      }
    }
    this.#tellUnmet();
    await this.flushLog();
    // If the component has just given its exit code, the parent hears it before the component ends.
    await this.#exiting;
  }

  exit(code: number): void {
    refuseExitCode(code);
    const tell = async (): Promise<void> => {
      await this.flushLog();
      await this.#parts.parent.exit(code);
    };
    this.#exiting = tell().catch((error: unknown) => {
      if (!hasCode(error, 'PeerGone')) this.#parts.report(error);
    });
  }

  /** The handler of the timer is an object that others hold. */
  #ownUse(): Resources {
    const { ram, caps } = this.#sessions.ownDonations;
    return { ram, caps: caps + (this.timer.used ? 1 : 0) };
  }

  #tellUnmet(): void {
    const { obligations } = this;
    if (obligations.length === 0) return;
    if (this.#parts.unmet) this.#parts.unmet(obligations);
    else void this.error(`not met by the end: ${nameObligations(obligations)}`);
  }

  async #openConfig(): Promise<Config> {
    let rom: RomClient;
    const look = async (): Promise<void> => config.replace(parseConfig(await rom.content()));
    const changed = this.signal(look);
    const onReattach = async (session: Session<typeof Rom>): Promise<void> => {
      rom = new RomClient(session);
      await rom.onChange(changed);
      await look();
    };
    rom = new RomClient(await this.connect(Rom, { label: 'config', onReattach }));
    const config = new Config(parseConfig(await rom.content()), this.#parts.report);
    await rom.onChange(changed);
    return config;
  }

  async #allocate(sizeBytes: number): Promise<Dataspace> {
    const { pd, memory } = this.#parts;
    const { ram, caps } = COSTS.dataspace;
    const allocation = await pd.allocate({ ram: ram + sizeBytes, caps });
    try {
      const dataspace = new Dataspace(memory.allocate(sizeBytes), sizeBytes, false);
      this.#allocations.set(dataspace, allocation);
      return dataspace;
    } catch (error) {
      // Memory that the host does not have is not charged.
      await pd.free(allocation);
      if (!(error instanceof RangeError)) throw error;
      throw new RpcError('OUT_OF_RAM', `the host has no memory for a dataspace of ${sizeBytes} bytes`);
    }
  }

  async #free(dataspace: Dataspace): Promise<void> {
    const allocation = this.#allocations.get(dataspace);
    assert(allocation !== undefined, 'only what this component allocated can be freed by it, once');
    this.#allocations.delete(dataspace);
    await this.#parts.memory.revoke(dataspace.memory);
    await this.#parts.pd.free(allocation);
  }

  #detach(dataspace: Dataspace): void {
    assert(!this.#allocations.has(dataspace), 'what this component allocated is freed, not detached');
    if (dataspace.revoked) return;
    dataspace.detached();
    this.#parts.memory.detach(dataspace.memory);
  }
}

/** Checks an exit code here, because nobody waits for the parent's answer to it. */
function refuseExitCode(code: number): void {
  if (Number.isInteger(code) && code >= 0 && code <= EXIT_CODE_MAX) return;
  // Code that no compiler has checked may pass a value of any type.
  const given = typeof code === 'number' ? String(code) : `a ${typeof code}`;
  throw new RpcError(
    'InvalidArgument',
    `exit: expected a whole number from 0 to ${EXIT_CODE_MAX}, got ${given}`,
  );
}
