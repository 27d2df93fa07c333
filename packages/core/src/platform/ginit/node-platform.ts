/**
 * Node as a place where components run: each in a worker thread of a domain process. Components of one domain share
 * memory, and so do those of different ones where the host can do that; else they are joined by a socket between their
 * processes. Core sets either up and then leaves it alone.
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
} from '../../supervisor/platform.ts';
import { longTimeout } from '../host/long-timeout.ts';
import { Domain, type DomainObserver } from './domain.ts';
import { JailAudit } from './jail-audit.ts';
import { type JailChoice, jailFor, standingOf, withoutJails } from './jail-choice.ts';
import { jailMeans } from '../jail/lacks.ts';
import { linkProofs } from '../wire/link.ts';
import { ProcessStartError } from './child-process/process-start.ts';
import { SharedProcess } from './shared-process.ts';
import { socketPair } from './socket-pair.ts';
import { SpareDomains, type SpareKind } from './spare-domains.ts';

/** Of a process that is nobody's yet. */
const SPARE_NAME = 'spare';
/** A check of a config, and the start of what it says, take less. */
const SPARE_TIMEOUT_MS = 30_000;

/** There is one kind of them, for few reasons. */
const LACKS_MAX = 16;

/** Where lines for people go. */
export interface OutputSink {
  /** Lines of a component's, each behind the prefix; settles when there is room for more. They stay together. */
  lines(text: string, prefix: string): Promise<void>;
  /** A line of a component's that nobody waits for: where too much waits already it is dropped, and counted. */
  passingLine(text: string): void;
  /** A line of ginit's own. */
  complaint(text: string): void;
}

/** What joins two processes that share no memory. */
interface DomainLink {
  readonly number: number;
  /** Settles with whether there is one. */
  readonly made: Promise<boolean>;
}

/** Node's threads and processes. */
export class NodePlatform implements Platform {
  readonly #output: OutputSink;
  readonly #domains = new Map<string, Domain>();
  readonly #running = new Set<Domain>();
  readonly #spares = new SpareDomains();
  readonly #domainOf = new Map<number, Domain>();
  /** Links by the pair of processes they join. */
  readonly #links = new Map<Domain, Map<Domain, DomainLink>>();
  /** Why there can be no jails, as far as that has been said: the supervisor's own words. */
  readonly #lacks = new Set<string>();
  readonly #audits: boolean;
  #nextLink = 1;
  #nextChannel = 1;

  /** With `audit` whoever would be jailed is not, and what it uses of the host is listed when it has ended. */
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
      // It may not be known yet.
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
    // A component that ended a moment ago: core will tell the other one.
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
    a.join(first, second, number, channel);
    b.join(second, first, number, channel);
    void made.then((is) => {
      if (!is) failed();
    });
  }

  schedule(turn: () => void): void {
    queueMicrotask(turn);
  }

  monotonicUs(): number {
    return Math.floor(performance.now() * 1000);
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

  /** Why processes are not jailed: told once, however many were to be. */
  tellLack(lack: string): void {
    if (this.#lacks.has(lack) || this.#lacks.size >= LACKS_MAX) return;
    this.#lacks.add(lack);
    this.#output.complaint(withoutJails(lack));
  }

  /** Starts processes now for components that are going to be started soon; those that are not used end after a while. */
  startAhead(kinds: readonly SpareKind[]): void {
    const jails = typeof jailMeans() !== 'string';
    for (const wanted of kinds) {
      const kind = wanted === 'jailed' && !jails ? 'own' : wanted;
      const made = this.#spare(kind);
      // Whoever needs it will be told why there is none.
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
    // What its size depends on is given to a process at its start.
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

  #observer(key: string): DomainObserver {
    return {
      output: (label, line) => this.#output.passingLine(`[${label}] ${line}`),
      lack: (label, text) => this.#output.complaint(`warning: [${label}] ${text}`),
      complaint: (domain, line) => this.#output.complaint(`[process ${domain}] ${line}`),
      ended: (domain) => {
        if (this.#domains.get(key) === domain) this.#domains.delete(key);
        this.#running.delete(domain);
        this.#links.delete(domain);
        for (const links of this.#links.values()) links.delete(domain);
      },
    };
  }

  /** Throws `RpcError` if there can be no jail for who must have one. */
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
        // The next components that want to be joined try again.
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

  #remember(from: Domain, to: Domain, link: DomainLink): void {
    const links = this.#links.get(from) ?? new Map<Domain, DomainLink>();
    assert(!links.has(to), 'two processes are joined once');
    links.set(to, link);
    this.#links.set(from, links);
  }
}

/** In place of a component whose process could not be started: it ends as one that has crashed, with that reason. */
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
