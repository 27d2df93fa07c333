/**
 * The end of a node's line in the process that holds the connection: it joins channels of the bus
 * to channels of links to other processes of the machine.
 */
import type { Socket } from 'node:net';
import type { Carrier } from '../../channel/carrier.ts';
import { LIMITS } from '../../limits.ts';
import { CHANNEL_TICKET } from '../cluster/bus-line.ts';
import { PendingCarrier } from '../cluster/pending-carrier.ts';
import type { BusNode, BusNodeOwner } from '../nats/bus-node.ts';
import type { LinkChannel } from '../nats/link-channel.ts';
import type { BusEvent, RouteCommand } from '../wire/bus-protocol.ts';
import { Link, type LinkProof } from '../wire/link.ts';
import { RelayedChannels } from './relayed-channels.ts';

/** How long a channel is waited for that one end opens and the other expects. */
const MEETING_MS = 60_000;
/** Channels that were opened here before anybody here knew of them. */
const UNMET_MAX = 4096;

interface Unmet {
  readonly channel: LinkChannel;
  readonly timer: NodeJS.Timeout;
}

/** The end of a line. */
export class BusLineEnd implements BusNodeOwner {
  readonly #tell: (event: BusEvent) => void;
  readonly #own: RelayedChannels;
  readonly #links = new Map<number, RelayedChannels>();
  readonly #routesWaiting: RouteCommand[] = [];
  /** Routes that wait for the peer's channel, and channels that wait for their route. */
  readonly #expected = new Map<string, PendingCarrier>();
  readonly #unmet = new Map<string, Unmet>();
  #admitted: ReadonlySet<string> = new Set();
  #single: ReadonlySet<string> = new Set();
  /** What the linked nodes have said of themselves. */
  readonly #about = new Map<string, string>();
  #node: BusNode | undefined;
  readonly #beforeNode: (() => void)[] = [];
  /** Channels that peers have opened to the supervisor. */
  readonly #openedHere = new Map<number, LinkChannel>();
  #nextOpened = 1;

  constructor(up: Link, tell: (event: BusEvent) => void) {
    this.#tell = tell;
    this.#own = new RelayedChannels(up);
  }

  /** The node is on the bus: what was asked for before is done now. */
  use(node: BusNode): void {
    this.#node = node;
    for (const act of this.#beforeNode.splice(0)) act();
  }

  admit(keys: readonly string[], single: readonly string[]): void {
    this.#admitted = new Set([...keys, ...single]);
    this.#single = new Set(single);
  }

  accepts(peer: string, about: string): string | undefined {
    if (!this.#admitted.has(peer)) return `${peer} is not among the nodes that it works with`;
    if (!this.#single.has(peer) || !this.#node?.linkTo(peer)) return undefined;
    // What a node says of itself names its process, so one that shakes hands anew is known.
    if (this.#about.get(peer) === about) return undefined;
    return `somebody is attached with the key ${peer} already`;
  }

  opened(peer: string, ticketBytes: Uint8Array, channel: LinkChannel): string | undefined {
    const ticket = Buffer.from(ticketBytes).toString('utf8');
    if (!ticket.startsWith(CHANNEL_TICKET)) {
      const number = this.#nextOpened;
      this.#nextOpened += 2;
      this.#openedHere.set(number, channel);
      this.#tell({ event: 'opened', channel: number, peer, ticket });
      this.#addOwn(number, channel);
      return undefined;
    }
    return this.#meet(`${peer} ${ticket}`, channel);
  }

  linked(peer: string, about: string): void {
    this.#about.set(peer, about);
    this.#tell({ event: 'linked', peer, about });
  }

  unlinked(peer: string, reason: string): void {
    if (!this.#node?.linkTo(peer)) this.#about.delete(peer);
    this.#tell({ event: 'unlinked', peer, reason: cut(reason) });
  }

  /** The supervisor opens a channel. */
  open(channel: number, peer: string, ticket: string): void {
    this.#addOwn(channel, this.#opening(peer, ticket));
  }

  /** The supervisor closes a channel, or does not want it, for that reason. */
  close(channel: number, reason: string): void {
    if (reason !== '') this.#openedHere.get(channel)?.refuse(reason);
    this.#own.close(channel);
  }

  /** A frame of the supervisor's. */
  deliver(channel: number, payload: Uint8Array): void {
    this.#own.deliver(channel, payload);
  }

  /** A link to a domain process has arrived. */
  addLink(number: number, socket: Socket, proof: LinkProof): void {
    const gone = (): void => {
      this.#links.delete(number);
      relays.closeAll();
    };
    const link = new Link(socket, (channel, payload) => relays.deliver(channel, payload), gone, proof);
    const relays = new RelayedChannels(link);
    this.#links.set(number, relays);
    for (const route of this.#routesWaiting.filter((one) => one.link === number)) {
      this.#routesWaiting.splice(this.#routesWaiting.indexOf(route), 1);
      this.route(route);
    }
  }

  /** Joins a component's channel to the bus. */
  route(command: RouteCommand): void {
    const { link, channel, peer, ticket, opens } = command;
    const relays = this.#links.get(link);
    if (!relays) {
      this.#routesWaiting.push(command);
      return;
    }
    const carrier = opens ? this.#opening(peer, ticket) : this.#expecting(peer, ticket);
    relays.add(channel, carrier, (reason) => {
      this.#tell({ event: 'unrouted', link, channel, reason: cut(reason) });
    });
  }

  #addOwn(number: number, carrier: Carrier): void {
    this.#own.add(number, carrier, (reason) => {
      this.#openedHere.delete(number);
      this.#tell({ event: 'ended', channel: number, reason: cut(reason) });
    });
  }

  #opening(peer: string, ticket: string): PendingCarrier {
    const pending = new PendingCarrier();
    const act = (): void => {
      const giveUp = AbortSignal.timeout(MEETING_MS);
      this.#node?.open(peer, Buffer.from(ticket), giveUp).then(
        (channel) => pending.attach(channel),
        (error: unknown) => pending.fail(error instanceof Error ? error.message : String(error)),
      );
    };
    if (this.#node) act();
    else this.#beforeNode.push(act);
    return pending;
  }

  #expecting(peer: string, ticket: string): PendingCarrier {
    const pending = new PendingCarrier();
    const key = `${peer} ${ticket}`;
    const come = this.#unmet.get(key);
    if (come) {
      this.#unmet.delete(key);
      clearTimeout(come.timer);
      pending.attach(come.channel);
      return pending;
    }
    this.#expected.set(key, pending);
    setTimeout(() => {
      if (this.#expected.get(key) !== pending) return;
      this.#expected.delete(key);
      pending.fail('the other node did not open the channel');
    }, MEETING_MS).unref();
    return pending;
  }

  #meet(key: string, channel: LinkChannel): string | undefined {
    const expected = this.#expected.get(key);
    if (expected) {
      this.#expected.delete(key);
      expected.attach(channel);
      return undefined;
    }
    if (this.#unmet.size >= UNMET_MAX || this.#unmet.has(key)) return 'nobody here waits for it';
    const timer = setTimeout(() => {
      if (this.#unmet.get(key)?.channel !== channel) return;
      this.#unmet.delete(key);
      channel.refuse('nobody here waits for it');
    }, MEETING_MS);
    timer.unref();
    this.#unmet.set(key, { channel, timer });
    return undefined;
  }
}

const cut = (reason: string): string => reason.slice(0, LIMITS.reasonBytes);
