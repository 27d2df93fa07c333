/**
 * The platform of the head of a cluster: components run on its own machine, by its own platform, or
 * on nodes that have presented themselves. The supervisor above it is the only one of the system:
 * it keeps all accounts, and introduces components to each other wherever they run. A node is a
 * place where components run, as a domain process is; what differs is that it comes and goes.
 *
 * A component whose node is not there waits for it, and says so. When a node is lost its components
 * have ended; their inits start them again, and the new ones wait until it is back.
 */
import type { Carrier } from '../../channel/carrier.ts';
import { assert } from '../../errors.ts';
import { ANY_NODE, type PlaceDemand } from '../../session/cpu.ts';
import type { NodeLedger } from '../../supervisor/node-ledger.ts';
import type {
  ComponentEnd,
  ComponentSpecification,
  PlatformComponent,
  ThreadUse,
} from '../../supervisor/platform.ts';
import { type BusLine, CHANNEL_TICKET } from './bus-line.ts';
import { misfit } from './facts.ts';
import type { LocalPlatform } from './local-platform.ts';
import {
  ATTACH_TICKET,
  COMPONENT_TICKET,
  LOOK_TICKET,
  NODE_TICKET,
  type NodeFacts,
  type NodeOffer,
} from './messages.ts';
import { NodeSession } from './node-session.ts';
import { RemoteComponent } from './remote-component.ts';

/** A node that may be in the cluster: its name, and its public key. */
export interface Member {
  readonly name: string;
  readonly key: string;
}

/** Is told of nodes, for people. */
export interface ClusterObserver {
  joined(name: string, offer: NodeOffer): void;
  lost(name: string, reason: string): void;
  line(label: string, text: string): void;
}

/** The parts of a cluster. */
export interface ClusterParts {
  readonly local: LocalPlatform;
  /** The ledger of the head's own machine. */
  readonly ledger: NodeLedger;
  readonly line: BusLine;
  readonly facts: NodeFacts;
  readonly observer: ClusterObserver;
}

/** A node as people see it. */
export interface NodeStanding extends Member {
  /** Missing while it is not there. */
  readonly offer: NodeOffer | undefined;
  readonly usedBytes: number;
  readonly components: number;
}

/** The platform of a head. */
export class ClusterPlatform implements LocalPlatform {
  readonly #parts: ClusterParts;
  /** Those that have presented themselves, by their public keys. */
  readonly #sessions = new Map<string, NodeSession>();
  readonly #remote = new Map<number, RemoteComponent>();
  #members: readonly Member[] = [];
  #attachers: readonly string[] = [];
  /** The keys of those whom it has looked for. */
  readonly #looked = new Set<string>();
  #nextChannel = 1;
  #placing = false;

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    parts.line.listen({
      opened: (peer, ticket, carrier) => this.#opened(peer, ticket, carrier),
      linked: () => {},
      unlinked: (peer, reason) => this.#sessions.get(peer)?.end(reason),
    });
  }

  get ledger(): NodeLedger {
    return this.#parts.ledger;
  }

  /** Who may be in the cluster from now on: nodes, and keys of those who may attach components. */
  setMembers(members: readonly Member[], attachers: readonly string[]): void {
    this.#members = members;
    this.#attachers = attachers;
    this.#parts.line.admit(
      members.map(({ key }) => key),
      attachers,
    );
    const known = new Set([...members.map(({ key }) => key), ...attachers]);
    for (const session of this.#sessions.values())
      if (!known.has(session.key)) session.refuse('it is not in the cluster any more');
    for (const key of known) this.#lookFor(key);
    this.#tellPeers();
    this.#placeSoon();
  }

  /**
   * A node that has been waiting says hello seldom; one that is not there yet says it by itself.
   */
  #lookFor(key: string): void {
    if (this.#looked.has(key)) return;
    this.#looked.add(key);
    const carrier = this.#parts.line.open(key, LOOK_TICKET);
    carrier.closed(() => {});
    carrier.receive(() => {});
  }

  /** How the nodes stand. */
  get nodes(): readonly NodeStanding[] {
    return this.#members.map(({ name, key }) => {
      const session = this.#sessions.get(key);
      const { offer, ledger, components } = session ?? {};
      return { name, key, offer, usedBytes: ledger?.usedBytes ?? 0, components: components?.size ?? 0 };
    });
  }

  start(specification: ComponentSpecification, ended: (end: ComponentEnd) => void): PlatformComponent {
    if (!specification.place) return this.#parts.local.start(specification, ended);
    const component = new RemoteComponent(
      specification,
      (end) => {
        this.#remote.delete(specification.id);
        ended(end);
      },
      (killed) => this.#kill(killed),
    );
    this.#remote.set(specification.id, component);
    this.#placeSoon();
    return component;
  }

  connect(first: number, second: number, failed: () => void): void {
    const [a, b] = [this.#remote.get(first), this.#remote.get(second)];
    if (!a && !b) return this.#parts.local.connect(first, second, failed);
    const waiting = [a, b].find((one) => one && !one.node);
    if (waiting) {
      waiting.whenPlaced.push(() => this.connect(first, second, failed));
      return;
    }
    if (a?.node && a.node === b?.node) {
      a.node.watch(first, second, failed);
      return a.node.tell({ say: 'connect', first, second });
    }
    const ticket = `${CHANNEL_TICKET}${this.#nextChannel++}`;
    const [keyA, keyB] = [this.#keyOf(a), this.#keyOf(b)];
    this.#join(a, first, second, { key: keyB, ticket, opens: keyA < keyB }, failed);
    this.#join(b, second, first, { key: keyA, ticket, opens: keyB < keyA }, failed);
  }

  joinOverBus(...args: Parameters<LocalPlatform['joinOverBus']>): void {
    this.#parts.local.joinOverBus(...args);
  }

  schedule(turn: () => void): void {
    this.#parts.local.schedule(turn);
  }

  monotonicUs(): number {
    return this.#parts.local.monotonicUs();
  }

  wallClockMs(): number {
    return this.#parts.local.wallClockMs();
  }

  threadUse(pid: number, thread: number): ThreadUse | undefined {
    return this.#parts.local.threadUse?.(pid, thread);
  }

  after(us: number, handler: () => void): () => void {
    return this.#parts.local.after(us, handler);
  }

  writeLog(text: string, prefix: string): Promise<void> {
    return this.#parts.local.writeLog(text, prefix);
  }

  #keyOf(component: RemoteComponent | undefined): string {
    return component?.node?.key ?? this.#parts.line.publicKey;
  }

  #join(
    remote: RemoteComponent | undefined,
    component: number,
    peer: number,
    way: { readonly key: string; readonly ticket: string; readonly opens: boolean },
    failed: () => void,
  ): void {
    if (!remote) return this.#parts.local.joinOverBus(component, peer, way, failed);
    remote.node?.watch(component, peer, failed);
    remote.node?.tell({ say: 'join', component, peer, ...way });
  }

  #kill(component: RemoteComponent): void {
    if (component.node) component.node.tell({ say: 'kill', id: component.id });
    else component.end({ crashed: false, reason: 'killed', culprit: true });
  }

  #opened(peer: string, ticket: string, carrier: Carrier): string | undefined {
    if (ticket === NODE_TICKET || ticket === ATTACH_TICKET) {
      const attaches = ticket === ATTACH_TICKET;
      const member = this.#members.find(({ key }) => key === peer);
      if (attaches ? !this.#attachers.includes(peer) : !member) return 'it is not in the cluster';
      this.#sessions.get(peer)?.end('it has presented itself anew');
      const session: NodeSession = new NodeSession(member?.name ?? peer, peer, attaches, carrier, {
        presented: (_, offer) => this.#presented(session, offer),
        lost: (_, reason) => this.#lost(session, reason),
        freed: () => this.#placeSoon(),
        line: (label, text) => this.#parts.observer.line(label, text),
        after: (us, handler) => this.after(us, handler),
      });
      this.#sessions.set(peer, session);
      return undefined;
    }
    const id = ticket.startsWith(COMPONENT_TICKET)
      ? Number(ticket.slice(COMPONENT_TICKET.length))
      : Number.NaN;
    const session = this.#sessions.get(peer);
    return session ? session.carrierOf(id, carrier) : 'it has not presented itself';
  }

  #presented(session: NodeSession, offer: NodeOffer): string | undefined {
    if (!session.attaches && offer.name !== session.name)
      return `its key is that of the node "${session.name}", and it calls itself "${offer.name}"`;
    const problem = misfit(this.#parts.facts, offer.facts);
    if (problem !== undefined) {
      this.#parts.observer.lost(session.name, problem);
      return problem;
    }
    this.#parts.observer.joined(session.attaches ? offer.name : session.name, offer);
    queueMicrotask(() => this.#tellPeers());
    return undefined;
  }

  #lost(session: NodeSession, reason: string): void {
    if (this.#sessions.get(session.key) === session) this.#sessions.delete(session.key);
    if (session.offer)
      this.#parts.observer.lost(session.attaches ? session.offer.name : session.name, reason);
    this.#tellPeers();
  }

  /** Each node may have links to all others that are there. */
  #tellPeers(): void {
    const there = [...this.#sessions.values()].filter(({ offer }) => offer !== undefined);
    for (const session of there)
      session.tell({ say: 'peers', keys: there.filter((one) => one !== session).map(({ key }) => key) });
  }

  #placeSoon(): void {
    if (this.#placing) return;
    this.#placing = true;
    queueMicrotask(() => {
      this.#placing = false;
      for (const component of this.#remote.values())
        if (!component.node && !component.isGone) this.#place(component);
    });
  }

  #place(component: RemoteComponent): void {
    const { place, account } = component.specification;
    assert(
      place !== undefined && account !== undefined,
      'a component of a cluster has a place and an account',
    );
    const candidates = this.#candidates(place, component);
    if (typeof candidates === 'string') {
      component.waits = candidates;
      return;
    }
    const problems: string[] = [];
    for (const session of candidates) {
      const problem = session.unsuited(component);
      if (problem !== undefined) problems.push(problem);
      else if (session.ledger && account.settleOn(session.ledger)) return session.start(component);
      else problems.push(tooLittle(session));
    }
    // What is asked of one node by name, and can never be had there, is refused.
    const [only] = candidates;
    const refused = candidates.length === 1 && place.node !== ANY_NODE && only?.unsuited(component);
    if (typeof refused === 'string') component.end({ crashed: true, reason: refused, culprit: true });
    else component.waits = `waits: ${problems[0] ?? 'no node is there'}`;
  }

  /**
   * The nodes that a demand means and that are there, the best ones first; or what is waited for.
   */
  #candidates(
    { node, labels, attach }: PlaceDemand,
    component: RemoteComponent,
  ): readonly NodeSession[] | string {
    const there = [...this.#sessions.values()].filter(({ offer }) => offer !== undefined);
    if (attach !== undefined) {
      const name = component.specification.label.split(' -> ').at(-1);
      const found = there.filter(
        ({ key, attaches, offer, components }) =>
          attaches && key === attach && offer?.name === name && components.size === 0,
      );
      return found.length > 0 ? found : `waits for somebody to attach it, with the key ${attach}`;
    }
    const nodes = there.filter(({ attaches }) => !attaches);
    if (node !== ANY_NODE) {
      const known = this.#members.some(({ name }) => name === node);
      const found = nodes.filter(({ name }) => name === node);
      if (found.length > 0) return found;
      return known ? `waits for the node "${node}"` : `waits: there is no node "${node}" in <cluster>`;
    }
    const fitting = nodes.filter(({ offer }) =>
      labels.every((wanted) =>
        offer?.labels.some((label) => label === wanted || label.split('=')[0] === wanted),
      ),
    );
    if (fitting.length === 0) {
      const which =
        labels.length > 0 ? ` with the label ${labels.map((one) => `"${one}"`).join(' and ')}` : '';
      return `waits for a node${which}`;
    }
    return fitting.toSorted((one, other) => loadOf(one) - loadOf(other));
  }
}

/** How many components there are for each CPU of a node. */
function loadOf({ components, offer }: NodeSession): number {
  return components.size / (offer?.cores ?? 1);
}

function tooLittle({ name, ledger }: NodeSession): string {
  const { lentBytes = 0, prepaidBytes = 0 } = ledger ?? {};
  return `the node "${name}" lends ${lentBytes} bytes of RAM, of which ${prepaidBytes} are free`;
}
