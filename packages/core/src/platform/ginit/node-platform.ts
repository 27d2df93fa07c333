/**
 * Node as a platform: each component runs in a worker thread of a domain process. Components of one
 * domain share memory. Components of different domains share it too where the host can do that;
 * otherwise a socket joins their processes. The supervisor sets either up and does not touch it
 * again.
 */
import { assert, RpcError } from '../../errors.ts';
import { SHARES_NONE } from '../../memory/shared-memory.ts';
import { ROOT_LABEL } from '../../supervisor/cpu-session.ts';
import type {
  ComponentEnd,
  ComponentSpecification,
  Placement,
  Platform,
  PlatformComponent,
  ThreadUse,
} from '../../supervisor/platform.ts';
import { longTimeout } from '../host/long-timeout.ts';
import { threadUse } from '../host/thread-use.ts';
import type { BusWay } from '../cluster/bus-line.ts';
import type { BusProcess } from './bus-connection.ts';
import { Domain } from './domain.ts';
import type { DomainObserver } from './domain-observer.ts';
import { JailAudit } from './jail-audit.ts';
import { type JailChoice, jailFor, standingOf, withoutJails } from './jail-choice.ts';
import { jailMeans } from '../jail/lacks.ts';
import { linkProofs } from '../wire/link.ts';
import { ProcessStartError } from './child-process/process-start.ts';
import { SharedProcess } from './shared-process.ts';
import { socketPair } from './socket-pair.ts';
import { SpareDomains, type SpareKind } from './spare-domains.ts';

/** The name of a process that was started ahead and has no components yet. */
const SPARE_NAME = 'spare';
/**
 * How long a process that was started ahead waits to be used. Checking a config and starting what
 * it says takes less.
 */
const SPARE_TIMEOUT_MS = 30_000;

/** How many different reasons for the lack of jails are told to people. A host has one or two. */
const LACKS_MAX = 16;

/** Takes lines for people. */
export interface OutputSink {
  /**
   * Writes lines of a component, each behind the prefix, with no lines of others between them.
   * Settles when there is room for more.
   */
  lines(text: string, prefix: string): Promise<void>;
  /**
   * Writes a line of a component that nobody waits for, behind the prefix. If too much waits
   * already, the line is dropped and counted.
   */
  passingLine(text: string, prefix: string): void;
  /** Writes a line of ginit's own. */
  complaint(text: string): void;
}

/** The socket that joins two processes which share no memory. */
interface DomainLink {
  readonly number: number;
  /** Resolves to whether the processes are joined. */
  readonly made: Promise<boolean>;
}

/** Node's threads and processes. */
export class NodePlatform implements Platform {
  readonly #output: OutputSink;
  readonly #domains = new Map<string, Domain>();
  readonly #running = new Set<Domain>();
  readonly #spares = new SpareDomains();
  readonly #domainOf = new Map<number, Domain>();
  /** The links by the pairs of processes that they join. */
  readonly #links = new Map<Domain, Map<Domain, DomainLink>>();
  /** The reasons for the lack of jails that were told already. */
  readonly #lacks = new Set<string>();
  readonly #audits: boolean;
  /** The process that holds the connection to the bus, if there is one. */
  #bus: BusProcess | undefined;
  /** The links of processes to that one. */
  readonly #busLinks = new Map<Domain, DomainLink>();
  #nextLink = 1;
  #nextChannel = 1;

  /**
   * With `audit` no component is jailed. What one that would have been uses of the host is listed
   * when it has ended.
   */
  constructor(output: OutputSink, { audit = false }: { readonly audit?: boolean } = {}) {
    this.#output = output;
    this.#audits = audit;
  }

  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent {
    const { id, label } = specification;
    const jail = this.#jailFor(specification);
    const audit = this.#audits && jail && label !== ROOT_LABEL ? this.#audit(specification) : undefined;
    const rules = !audit && jail && 'rules' in jail ? jail.rules : undefined;
    let domain: Domain;
    try {
      domain = this.#domain(specification, rules !== undefined);
    } catch (error) {
      if (!(error instanceof ProcessStartError)) throw error;
      return neverStarted(specification, error.reason, ended);
    }
    this.#domainOf.set(id, domain);
    const supervisor = domain.start(
      specification,
      (end) => {
        this.#domainOf.delete(id);
        if (audit) for (const line of audit.lines()) this.#output.complaint(line);
        ended(end);
      },
      { jail: rules, audit },
    );
    const placement: Placement = {
      kind: specification.ownProcess ? 'process' : 'thread',
      domain: specification.ownProcess ? label : domain.name,
      // The number of the process may be known only later.
      get pid() {
        return domain.pid;
      },
      jail: audit ? { jailed: false, reason: 'audited' } : standingOf(specification, jail),
    };
    return { placement, supervisor, kill: () => domain.kill(id) };
  }

  connect(first: number, second: number, failed: () => void): void {
    const a = this.#domainOf.get(first);
    const b = this.#domainOf.get(second);
    // One of them ended a moment ago, and the supervisor will tell the other.
    if (!a || !b) return;
    if (a === b) return a.connect(first, second);
    if (a.shared && b.shared) {
      const [endA, endB] = [
        { process: a.shared, component: first },
        { process: b.shared, component: second },
      ];
      if (SharedProcess.connect(this.#nextChannel++, endA, endB)) return;
    }
    const { number, made } = this.#link(a, b);
    const channel = this.#nextChannel++;
    const way = { link: number, channel, elsewhere: false };
    a.join(first, second, { ...way, peerName: nameOf(b, second) });
    b.join(second, first, { ...way, peerName: nameOf(a, first) });
    void made.then((is) => {
      if (!is) failed();
    });
  }

  /** Channels to other machines go by way of this process from now on. */
  useBus(bus: BusProcess): void {
    this.#bus = bus;
  }

  /**
   * Joins a component of this machine to one of another. `ended` is called, with the reason, when
   * the channel has ended on the bus, or if there will be none.
   */
  joinOverBus(component: number, peer: number, way: BusWay, ended: (reason: string) => void): void {
    const domain = this.#domainOf.get(component);
    const bus = this.#bus;
    assert(bus !== undefined, 'there is a bus');
    // It ended a moment ago, and the supervisor will tell the other.
    if (!domain) return;
    const { number, made } = this.#busLink(domain, bus);
    const channel = this.#nextChannel++;
    const peerName = `component ${peer} of the machine ${way.key}`;
    domain.join(component, peer, { link: number, channel, peerName, elsewhere: true });
    void made.then((is) => {
      if (is)
        bus.route({ link: number, channel, peer: way.key, ticket: way.ticket, opens: way.opens }, ended);
      else ended('its process cannot be joined to the bus');
    });
  }

  schedule(turn: () => void): void {
    queueMicrotask(turn);
  }

  monotonicUs(): number {
    return Math.floor(performance.now() * 1000);
  }

  threadUse(pid: number, thread: number): ThreadUse | undefined {
    return threadUse(pid, thread);
  }

  wallClockMs(): number {
    return Date.now();
  }

  after(us: number, handler: () => void): () => void {
    return longTimeout(Math.ceil(us / 1000), handler);
  }

  writeLog(text: string, prefix: string): Promise<void> {
    return this.#output.lines(text, prefix);
  }

  /** Ends every process; settles when they are gone. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#running].map((domain) => domain.destroy()));
  }

  /** Tells people why processes are not jailed: once, however many should have been. */
  tellLack(lack: string): void {
    if (this.#lacks.has(lack) || this.#lacks.size >= LACKS_MAX) return;
    this.#lacks.add(lack);
    this.#output.complaint(withoutJails(lack));
  }

  /**
   * Starts processes now for components that are going to be started soon. Those that nobody uses
   * end after `SPARE_TIMEOUT_MS`.
   */
  startAhead(kinds: readonly SpareKind[]): void {
    const jails = typeof jailMeans() !== 'string';
    for (const wanted of kinds) {
      const kind = wanted === 'jailed' && !jails ? 'own' : wanted;
      const made = this.#spare(kind);
      // Starting fails here silently: the component that needs a process will be told why there is
      // none.
      if (!made) break;
      this.#running.add(made);
      this.#spares.add(kind, made);
    }
    setTimeout(() => this.#spares.end(), SPARE_TIMEOUT_MS).unref();
  }

  #spare(kind: SpareKind): Domain | undefined {
    try {
      const [jailed, ownProcess] = [kind === 'jailed', kind !== 'shared'];
      const options = { name: SPARE_NAME, ownProcess, jailed, driver: !jailed, ahead: true };
      return new Domain(options, this.#observer(SPARE_NAME));
    } catch (error) {
      if (error instanceof ProcessStartError) return undefined;
      throw error;
    }
  }

  /** Throws `ProcessStartError`. */
  #domain(
    { id, label, domain, ownProcess, hostDepth, usedGrants: grants }: ComponentSpecification,
    jailed: boolean,
  ): Domain {
    const key = ownProcess ? `${id}` : `domain ${domain}`;
    const known = this.#domains.get(key);
    if (known && !known.retired) return known;
    const name = ownProcess ? label : domain;
    // The options that decide the size of its pool are given to a process when it starts.
    const kind = jailed ? 'jailed' : ownProcess ? 'own' : 'shared';
    const usual = hostDepth === undefined && !(jailed && grants.length > 0);
    const spare = usual ? this.#spares.take(kind) : undefined;
    spare?.adopt(name, this.#observer(key));
    const made =
      spare ??
      new Domain({ name, ownProcess, jailed, hostDepth, driver: grants.length > 0 }, this.#observer(key));
    this.#domains.set(key, made);
    this.#running.add(made);
    return made;
  }

  #observer(key: string): DomainObserver<Domain> {
    return {
      output: (label, line) => this.#output.passingLine(line, `[${label}] `),
      lack: (label, text) => this.#output.complaint(`warning: [${label}] ${text}`),
      complaint: (domain, line) => this.#output.complaint(`[process ${domain}] ${line}`),
      ended: (domain) => {
        if (this.#domains.get(key) === domain) this.#domains.delete(key);
        this.#running.delete(domain);
        this.#links.delete(domain);
        this.#busLinks.delete(domain);
        for (const links of this.#links.values()) links.delete(domain);
      },
    };
  }

  /**
   * The jail for a component. Throws `RpcError` if the component must have one and there can be
   * none.
   */
  #jailFor(specification: ComponentSpecification): JailChoice | undefined {
    const jail = jailFor(specification);
    const { confined, jail: demand } = specification;
    if (!jail && (confined || demand === 'required'))
      throw new RpcError('DENIED', 'it cannot be jailed: only a process of its own can');
    if (!jail || 'rules' in jail || this.#audits) return jail;
    const required = demand === 'required' || (confined && typeof jailMeans() !== 'string');
    if (required) throw new RpcError('DENIED', `it cannot be jailed: ${jail.lack}`);
    this.tellLack(jail.lack);
    return jail;
  }

  #audit({ label, files }: ComponentSpecification): JailAudit {
    this.#output.complaint(`audit: [${label}] runs without a jail, and what it uses is listed`);
    return new JailAudit(label, files);
  }

  #link(a: Domain, b: Domain): DomainLink {
    const known = this.#links.get(a)?.get(b);
    if (known) return known;
    const number = this.#nextLink++;
    const made = socketPair().then(
      ([socketA, socketB]) => {
        const [proofA, proofB] = linkProofs();
        a.addLink(number, socketA, proofA);
        b.addLink(number, socketB, proofB);
        return true;
      },
      (error: unknown) => {
        this.#output.complaint(`cannot join two processes: ${String(error)}`);
        // Forgotten, so that the next components that want to be joined try again.
        this.#links.get(a)?.delete(b);
        this.#links.get(b)?.delete(a);
        return false;
      },
    );
    const link = { number, made };
    this.#remember(a, b, link);
    this.#remember(b, a, link);
    return link;
  }

  #busLink(domain: Domain, bus: BusProcess): DomainLink {
    const known = this.#busLinks.get(domain);
    if (known) return known;
    const number = this.#nextLink++;
    const made = socketPair().then(
      ([socketA, socketB]) => {
        const [proofA, proofB] = linkProofs();
        domain.addLink(number, socketA, proofA);
        bus.addLink(number, socketB, proofB);
        return true;
      },
      (error: unknown) => {
        this.#output.complaint(`cannot join a process to the bus: ${String(error)}`);
        this.#busLinks.delete(domain);
        return false;
      },
    );
    const link = { number, made };
    this.#busLinks.set(domain, link);
    return link;
  }

  #remember(from: Domain, to: Domain, link: DomainLink): void {
    const links = this.#links.get(from) ?? new Map<Domain, DomainLink>();
    assert(!links.has(to), 'two processes are joined once');
    links.set(to, link);
    this.#links.set(from, links);
  }
}

/** How people are told of a component of this machine. */
const nameOf = (domain: Domain, component: number): string =>
  `[${domain.labelOf(component) ?? `component ${component}`}]`;

/** A component whose process could not be started: it ends as crashed, with that reason. */
function neverStarted(
  { ownProcess, label, domain }: ComponentSpecification,
  reason: Promise<string>,
  ended: (end: ComponentEnd) => void,
): PlatformComponent {
  const over = reason.then((words) => ended({ crashed: true, reason: words, culprit: true }));
  return {
    placement: {
      kind: ownProcess ? 'process' : 'thread',
      domain: ownProcess ? label : domain,
      pid: undefined,
    },
    supervisor: {
      sharing: SHARES_NONE,
      send: () => false,
      receive: () => {},
      closed: () => {},
      close: () => {},
    },
    kill: () => over,
  };
}
