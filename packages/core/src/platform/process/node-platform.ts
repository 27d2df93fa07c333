/**
 * Node as a place where components run: each in a worker thread of a domain process. Components of one domain share
 * memory, and so do those of different ones where the host can do that; else they are joined by a socket between their
 * processes. Core sets either up and then leaves it alone.
 */
import { assert } from '../../errors.ts';
import type {
  ComponentEnd,
  ComponentSpecification,
  Placement,
  Platform,
  PlatformComponent,
} from '../../supervisor/platform.ts';
import { Domain, type DomainObserver } from './domain.ts';
import { linkProofs } from './link.ts';
import { SharedProcess } from './shared-process.ts';
import { socketPair } from './socket-pair.ts';
import { SpareDomains, type SpareKind } from './spare-domains.ts';

/** Of a process that is nobody's yet. */
const SPARE_NAME = 'spare';
/** A check of a config, and the start of what it says, take less. */
const SPARE_TIMEOUT_MS = 30_000;
/** There are three kinds of them, each for few reasons. */
const LACKS_MAX = 16;

/** Where lines for people go. */
export interface OutputSink {
  /** A line of a component's; settles when there is room for more. */
  line(text: string): Promise<void>;
  /** A line of ginit's own. */
  complaint(text: string): void;
}

/** Node's threads and processes. */
export class NodePlatform implements Platform {
  readonly #output: OutputSink;
  readonly #domains = new Map<string, Domain>();
  readonly #running = new Set<Domain>();
  readonly #spares = new SpareDomains();
  readonly #domainOf = new Map<number, Domain>();
  /** Links by the pair of processes they join. */
  readonly #links = new Map<Domain, Map<Domain, number>>();
  /** What start nodes ask for and cannot have, as far as that has been said. */
  readonly #lacks = new Set<string>();
  #nextLink = 1;
  #nextChannel = 1;

  constructor(output: OutputSink) {
    this.#output = output;
  }

  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent {
    const { id, label } = specification;
    const domain = this.#domain(specification);
    this.#domainOf.set(id, domain);
    const core = domain.start(specification, (end) => {
      this.#domainOf.delete(id);
      ended(end);
    });
    const placement: Placement = {
      kind: specification.ownProcess ? 'process' : 'thread',
      domain: specification.ownProcess ? label : domain.name,
      pid: domain.pid,
    };
    return { placement, core, kill: () => domain.kill(id) };
  }

  connect(first: number, second: number): void {
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
    const link = this.#link(a, b);
    const channel = this.#nextChannel++;
    a.join(first, second, link, channel);
    b.join(second, first, link, channel);
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
    const timer = setTimeout(handler, Math.ceil(us / 1000));
    return () => clearTimeout(timer);
  }

  writeLog(line: string): Promise<void> {
    return this.#output.line(line);
  }

  /** Ends every process; settles when they are gone. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#running].map((domain) => domain.destroy()));
  }

  /** Starts processes now for components that are going to be started soon; those that are not used end after a while. */
  startAhead(kinds: readonly SpareKind[]): void {
    for (const kind of kinds) {
      const made: Domain = new Domain(
        { name: SPARE_NAME, ownProcess: kind === 'own', ahead: true },
        this.#observer(SPARE_NAME),
      );
      this.#running.add(made);
      this.#spares.add(kind, made);
    }
    setTimeout(() => this.#spares.end(), SPARE_TIMEOUT_MS).unref();
  }

  #domain({ id, label, domain, ownProcess, hostDepth }: ComponentSpecification): Domain {
    const key = ownProcess ? `${id}` : `domain ${domain}`;
    const known = this.#domains.get(key);
    if (known && !known.retired) return known;
    const name = ownProcess ? label : domain;
    // What its size depends on is given to a process at its start.
    const spare = hostDepth === undefined ? this.#spares.take(ownProcess ? 'own' : 'shared') : undefined;
    spare?.adopt(name, this.#observer(key));
    const made = spare ?? new Domain({ name, ownProcess, hostDepth }, this.#observer(key));
    this.#domains.set(key, made);
    this.#running.add(made);
    return made;
  }

  #observer(key: string): DomainObserver {
    return {
      output: (label, line) => void this.#output.line(`[${label}] ${line}`),
      lack: (text) => this.#lack(text),
      complaint: (domain, line) => this.#output.complaint(`[process ${domain}] ${line}`),
      ended: (domain) => {
        if (this.#domains.get(key) === domain) this.#domains.delete(key);
        this.#running.delete(domain);
        this.#links.delete(domain);
        for (const links of this.#links.values()) links.delete(domain);
      },
    };
  }

  /** Told once, however many start nodes ask for it. */
  #lack(text: string): void {
    if (this.#lacks.has(text) || this.#lacks.size >= LACKS_MAX) return;
    this.#lacks.add(text);
    this.#output.complaint(`warning: ${text}`);
  }

  #link(a: Domain, b: Domain): number {
    const known = this.#links.get(a)?.get(b);
    if (known !== undefined) return known;
    const link = this.#nextLink++;
    this.#remember(a, b, link);
    this.#remember(b, a, link);
    socketPair().then(
      ([socketA, socketB]) => {
        const [proofA, proofB] = linkProofs();
        a.addLink(link, socketA, proofA);
        b.addLink(link, socketB, proofB);
      },
      (error: unknown) => this.#output.complaint(`cannot join two processes: ${String(error)}`),
    );
    return link;
  }

  #remember(from: Domain, to: Domain, link: number): void {
    const links = this.#links.get(from) ?? new Map<Domain, number>();
    assert(!links.has(to), 'two processes are joined once');
    links.set(to, link);
    this.#links.set(from, links);
  }
}
