/** The process that holds a node's connection to the bus, as the supervisor sees it. */
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { assert, unreachable } from '../../errors.ts';
import type { Carrier } from '../../channel/carrier.ts';
import { linesOf } from '../../log-text.ts';
import { SHARES_NO_MACHINE } from '../../memory/shared-memory.ts';
import type { BusLine, BusLineOwner } from '../cluster/bus-line.ts';
import { FORM_FLAGS } from '../host/form.ts';
import { LineCutter } from '../host/line-cutter.ts';
import { Identity } from '../nats/keys.ts';
import {
  type BusCommand,
  busEvent,
  type BusEvent,
  type ConnectCommand,
  type RouteCommand,
} from '../wire/bus-protocol.ts';
import { parseControl } from '../wire/domain-protocol.ts';
import { CONTROL_CHANNEL, Link, type LinkProof } from '../wire/link.ts';
import { type RunningProcess, startPlainly } from './child-process/running-process.ts';

const BUS_MAIN = fileURLToPath(new URL('../bus-process/bus-main.js', import.meta.url));
/** A process that has been told to leave and stays for so long is ended. */
const LEAVE_TIMEOUT_MS = 2000;

/** How a node reaches the bus. */
export type BusOptions = Omit<ConnectCommand, 'command'>;

/** Is told how the process stands. */
export interface BusProcessObserver {
  /** The node is on the bus. */
  connected(): void;
  /** A line for people. */
  complaint(text: string): void;
  /** The node cannot be on the bus, or the process is gone. */
  failed(reason: string): void;
}

interface OwnChannel {
  receive: ((frame: Uint8Array) => void) | undefined;
  closed: ((reason?: string) => void) | undefined;
  readonly early: Uint8Array[];
  ended: { readonly reason: string } | undefined;
}

/** The bus process of this machine. */
export class BusProcess implements BusLine {
  readonly publicKey: string;
  readonly #process: RunningProcess;
  readonly #link: Link;
  readonly #observer: BusProcessObserver;
  readonly #channels = new Map<number, OwnChannel>();
  /** What is called when the channel of a route ends, by the numbers of link and channel. */
  readonly #routes = new Map<string, (reason: string) => void>();
  readonly #exited: Promise<void>;
  #owner: BusLineOwner | undefined;
  #nextChannel = 2;
  #leaving = false;
  #over = false;

  /** Throws `ProcessStartError`, and `NkeyError` if the seed is none. */
  constructor(options: BusOptions, observer: BusProcessObserver) {
    this.publicKey = new Identity(options.seed).publicKey;
    this.#observer = observer;
    let gone = (): void => {};
    this.#exited = new Promise((resolve) => {
      gone = resolve;
    });
    this.#process = startPlainly(
      { args: [...FORM_FLAGS, BUS_MAIN], env: {}, descriptors: [], takesSockets: true },
      {
        spawned: () => {},
        failed: (reason) => observer.complaint(`bus process: ${reason}`),
        closed: (code, signal) => {
          this.#gone(`the process that holds the connection is gone (${signal ?? `exit ${code}`})`);
          gone();
        },
      },
    );
    this.#link = new Link(
      this.#process.socket,
      (channel, payload) => this.#receive(channel, payload),
      () => this.#process.kill(),
    );
    for (const stream of this.#process.outputs) {
      const cutter = new LineCutter((text) => {
        for (const line of linesOf(text)) observer.complaint(`bus process: ${line}`);
      });
      stream.on('data', (chunk: Uint8Array) => cutter.write(chunk));
      stream.on('end', () => cutter.end());
    }
    this.#tell({ command: 'connect', ...options });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  listen(owner: BusLineOwner): void {
    assert(this.#owner === undefined, 'a line has one owner');
    this.#owner = owner;
  }

  admit(keys: readonly string[], single: readonly string[] = []): void {
    this.#tell({ command: 'admit', keys: [...keys], single: [...single] });
  }

  open(peer: string, ticket: string): Carrier {
    const number = this.#nextChannel;
    this.#nextChannel += 2;
    const carrier = this.#channel(number);
    this.#tell({ command: 'open', channel: number, peer, ticket });
    return carrier;
  }

  /** Hands a socket to a domain process over; it is closed here. */
  addLink(link: number, socket: Socket, proof: LinkProof): void {
    const [own, expected] = [proof.own, proof.expected].map((bytes) => Buffer.from(bytes).toString('base64'));
    this.#process.send({ link, own, expected }, socket);
  }

  /** Joins a channel of such a link to the bus. `ended` is called once when it has ended there. */
  route(route: Omit<RouteCommand, 'command'>, ended: (reason: string) => void): void {
    if (this.#over) return ended('the bus process is gone');
    this.#routes.set(`${route.link} ${route.channel}`, ended);
    this.#tell({ command: 'route', ...route });
  }

  /** Leaves the bus; settles when the process is gone. */
  async destroy(): Promise<void> {
    this.#leaving = true;
    this.#tell({ command: 'leave' });
    const late = setTimeout(() => this.#process.kill(), LEAVE_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(late);
  }

  #channel(number: number): Carrier {
    const own: OwnChannel = { receive: undefined, closed: undefined, early: [], ended: undefined };
    this.#channels.set(number, own);
    if (this.#over) own.ended = { reason: 'the bus process is gone' };
    return {
      sharing: SHARES_NO_MACHINE,
      send: (frame) => {
        this.#link.send(number, new Uint8Array(frame));
        return false;
      },
      receive: (handler) => {
        own.receive = (frame) => handler(frame, []);
        for (const frame of own.early.splice(0)) own.receive(frame);
        if (own.ended) queueMicrotask(() => own.closed?.(own.ended?.reason));
      },
      closed: (handler) => {
        own.closed = handler;
      },
      close: () => {
        own.closed = undefined;
        if (this.#channels.delete(number)) this.#tell({ command: 'close', channel: number, reason: '' });
      },
    };
  }

  #receive(channel: number, payload: Uint8Array): void {
    if (channel === CONTROL_CHANNEL) return this.#obey(parseControl(busEvent, 'event', payload));
    // The end of a channel comes as an event, with its reason.
    if (payload.byteLength === 0) return;
    const own = this.#channels.get(channel);
    if (own?.receive) own.receive(payload);
    else own?.early.push(payload);
  }

  #obey(event: BusEvent): void {
    switch (event.event) {
      case 'connected':
        return this.#observer.connected();
      case 'complaint':
        return this.#observer.complaint(event.text);
      case 'failed':
        return this.#observer.failed(event.reason);
      case 'linked':
        return this.#owner?.linked(event.peer, event.about);
      case 'unlinked':
        return this.#owner?.unlinked(event.peer, event.reason);
      case 'opened': {
        const carrier = this.#channel(event.channel);
        const refusal = this.#owner?.opened(event.peer, event.ticket, carrier);
        if (refusal === undefined) return undefined;
        this.#channels.delete(event.channel);
        return this.#tell({ command: 'close', channel: event.channel, reason: refusal });
      }
      case 'ended':
        return this.#ended(event.channel, event.reason);
      case 'unrouted': {
        const key = `${event.link} ${event.channel}`;
        const ended = this.#routes.get(key);
        this.#routes.delete(key);
        return ended?.(event.reason);
      }
      default:
        return unreachable(event);
    }
  }

  #ended(number: number, reason: string): void {
    const own = this.#channels.get(number);
    this.#channels.delete(number);
    if (!own) return;
    own.ended = { reason };
    if (own.receive) own.closed?.(reason);
  }

  #gone(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    for (const number of this.#channels.keys()) this.#ended(number, reason);
    for (const ended of this.#routes.values()) ended(reason);
    this.#routes.clear();
    if (!this.#leaving) this.#observer.failed(reason);
  }

  #tell(command: BusCommand): void {
    if (!this.#over) this.#link.sendControl(command);
  }
}
