/**
 * A simulated bus. The seed decides how long its messages take. On request it does what a real bus
 * does in bad times: it loses, doubles, delays and reorders messages, and it splits, so that nodes
 * of one part do not reach those of another.
 */
import {
  BUS_PAYLOAD_BYTES_MAX,
  type Bus,
  type BusDenial,
  type BusMessage,
  isSubject,
  isSubjectPattern,
  subjectMatches,
} from '@ginit/core/platform';
import type { Random } from '../order/random.ts';
import type { Scheduler } from '../order/scheduler.ts';

/** The bound in microseconds of a message's travel time while nothing goes wrong, not included. */
const TRAVEL_US_MAX = 2000;
/** The longest time until a node learns that it is cut off, or connected again. */
const NOTICE_US_MAX = 2_000_000;
const PER_MILLE = 1000;

/**
 * How many of a thousand messages suffer each fault, and how long a delayed message takes at most.
 */
export interface BusFaults {
  readonly lostPerMille: number;
  readonly doubledPerMille: number;
  /** Messages that are delayed beyond those behind them. */
  readonly reorderedPerMille: number;
  readonly delayedPerMille: number;
  readonly delayUsMax: number;
}

/** The settings of a bus in good times. */
export const NO_BUS_FAULTS: BusFaults = {
  lostPerMille: 0,
  doubledPerMille: 0,
  reorderedPerMille: 0,
  delayedPerMille: 0,
  delayUsMax: 1_000_000,
};

/** The patterns of subjects that a node may use; everything that does not match is denied. */
export interface BusRights {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

const ALL_RIGHTS: BusRights = { publish: ['>'], subscribe: ['>'] };

interface Subscription {
  readonly pattern: string;
  readonly handler: (message: BusMessage) => void;
}

/** A message that arrives at a time. */
interface Travelling {
  readonly dueUs: number;
  readonly message: BusMessage;
}

class Node implements Bus {
  readonly payloadBytesMax: number;
  readonly subscriptions = new Set<Subscription>();
  /** The messages on their way, in their order, by the number of the node that they come from. */
  readonly onTheWay = new Map<number, Travelling[]>();
  readonly number: number;
  connected = true;
  closed = false;
  connectionHandler: ((connected: boolean) => void) | undefined;
  readonly #bus: SimulatedBus;
  readonly #rights: BusRights;
  #deniedHandler: ((denial: BusDenial) => void) | undefined;

  constructor(bus: SimulatedBus, number: number, { rights, payloadBytesMax }: Required<NodeOptions>) {
    this.#bus = bus;
    this.number = number;
    this.#rights = rights;
    this.payloadBytesMax = payloadBytesMax;
  }

  publish(subject: string, payload: Uint8Array, reply = ''): void {
    if (!isSubject(subject)) throw new RangeError(`"${subject}" is no subject`);
    if (reply !== '' && !isSubject(reply)) throw new RangeError(`"${reply}" is no subject`);
    if (payload.byteLength > this.payloadBytesMax) {
      throw new RangeError(`a message of ${payload.byteLength} bytes is longer than ${this.payloadBytesMax}`);
    }
    if (this.closed || !this.#may('publish', subject)) return;
    this.#bus.carry(this.number, { subject, reply, payload: new Uint8Array(payload) });
  }

  subscribe(pattern: string, handler: (message: BusMessage) => void): () => void {
    if (!isSubjectPattern(pattern)) throw new RangeError(`"${pattern}" is no pattern of subjects`);
    const subscription = { pattern, handler };
    if (!this.closed && this.#may('subscribe', pattern)) this.subscriptions.add(subscription);
    this.#bus.subscriptionsChanged();
    return () => {
      this.subscriptions.delete(subscription);
      this.#bus.subscriptionsChanged();
    };
  }

  takes(subject: string): boolean {
    for (const { pattern } of this.subscriptions) if (subjectMatches(pattern, subject)) return true;
    return false;
  }

  onConnection(handler: (connected: boolean) => void): void {
    this.connectionHandler = handler;
  }

  onDenied(handler: (denial: BusDenial) => void): void {
    this.#deniedHandler = handler;
  }

  /** Whether the node has the right; if it does not, it is told after a while. */
  #may(operation: 'publish' | 'subscribe', subject: string): boolean {
    if (this.#rights[operation].some((pattern) => subjectMatches(pattern, subject))) return true;
    this.#bus.soon(this.number, 'is told what it may not do', () =>
      this.#deniedHandler?.({ operation, subject }),
    );
    return false;
  }

  close(): void {
    this.closed = true;
    this.subscriptions.clear();
    this.connectionHandler = undefined;
    this.#deniedHandler = undefined;
    this.#bus.leave(this.number);
  }
}

/** How a node is connected. */
export interface NodeOptions {
  /** All rights unless told. */
  readonly rights?: BusRights;
  /** NATS's own bound unless told. */
  readonly payloadBytesMax?: number;
}

/** The bus of one simulated world. */
export class SimulatedBus {
  /** The faults from now on. */
  faults = NO_BUS_FAULTS;
  /** What was sent so far, by whomever. */
  readonly carried = { messages: 0, bytes: 0 };
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #nodes = new Map<number, Node>();
  /** Who takes which subject, until somebody subscribes or ends a subscription. */
  readonly #takers = new Map<string, readonly Node[]>();
  /** The part that each node is in; 0 is the part with the bus's own server. */
  readonly #parts = new Map<number, number>();

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /**
   * Connects a node. `number` is the number of its tasks' owner in the scheduler. Each node has one
   * connection.
   */
  connect(
    number: number,
    { rights = ALL_RIGHTS, payloadBytesMax = BUS_PAYLOAD_BYTES_MAX }: NodeOptions = {},
  ): Bus {
    this.#nodes.get(number)?.close();
    const node = new Node(this, number, { rights, payloadBytesMax });
    this.#nodes.set(number, node);
    return node;
  }

  /**
   * Splits the bus: each list of nodes is cut off from all others, and nodes in no list stay with
   * the server.
   */
  part(...groups: readonly (readonly number[])[]): void {
    this.#parts.clear();
    groups.forEach((group, index) => {
      for (const number of group) this.#parts.set(number, index + 1);
    });
    for (const node of this.#nodes.values()) this.#noticeSoon(node);
  }

  /** Joins all parts again. */
  heal(): void {
    this.part();
  }

  /** Ends a node. Messages that it has sent still arrive. */
  leave(number: number): void {
    this.#nodes.delete(number);
    this.subscriptionsChanged();
  }

  /** Runs a turn of a node soon. */
  soon(owner: number, what: string, run: () => void): void {
    this.#scheduler.soon({ owner, describe: () => what, run });
  }

  /** Sends a message to every node that is subscribed now, and still is when it arrives. */
  carry(from: number, message: BusMessage): void {
    this.carried.messages++;
    this.carried.bytes += message.payload.byteLength;
    for (const node of this.#takersOf(message.subject)) {
      if (!this.#reaches(from, node.number) || this.#happens(this.faults.lostPerMille)) continue;
      this.#send(from, node, message);
      if (this.#happens(this.faults.doubledPerMille)) this.#send(from, node, message);
    }
  }

  /** Somebody has subscribed to something, or does not any more. */
  subscriptionsChanged(): void {
    this.#takers.clear();
  }

  #takersOf(subject: string): readonly Node[] {
    const known = this.#takers.get(subject);
    if (known) return known;
    const takers = [...this.#nodes.values()].filter((node) => node.takes(subject));
    this.#takers.set(subject, takers);
    return takers;
  }

  #send(from: number, to: Node, message: BusMessage): void {
    const { reorderedPerMille, delayedPerMille, delayUsMax } = this.faults;
    const delayed = this.#happens(delayedPerMille);
    const dueUs = this.#scheduler.nowUs + this.#random.below(delayed ? delayUsMax : TRAVEL_US_MAX);
    if (this.#happens(reorderedPerMille)) {
      return this.#at(dueUs + this.#random.below(delayUsMax), from, to, message, () =>
        this.#deliver(from, to, message),
      );
    }
    const queue = to.onTheWay.get(from) ?? [];
    to.onTheWay.set(from, queue);
    // The scheduler keeps no order between tasks that are due, so it gets only the first message of
    // the queue.
    if (queue.push({ dueUs, message }) === 1) this.#nextOf(queue, from, to);
  }

  #nextOf(queue: Travelling[], from: number, to: Node): void {
    const [first] = queue;
    if (!first) return void to.onTheWay.delete(from);
    this.#at(first.dueUs, from, to, first.message, () => {
      queue.shift();
      this.#deliver(from, to, first.message);
      this.#nextOf(queue, from, to);
    });
  }

  #at(dueUs: number, from: number, to: Node, { subject, payload }: BusMessage, run: () => void): void {
    const describe = (): string => `from node ${from} by the bus: ${subject} (${payload.byteLength} bytes)`;
    this.#scheduler.at(dueUs, { owner: to.number, describe, run });
  }

  #deliver(from: number, to: Node, message: BusMessage): void {
    // If the bus has been split in the meantime, messages on their way to another part are lost.
    if (to.closed || !this.#reaches(from, to.number)) return;
    const gets = [...to.subscriptions].filter(({ pattern }) => subjectMatches(pattern, message.subject));
    for (const subscription of gets) {
      if (to.subscriptions.has(subscription)) {
        subscription.handler({ ...message, payload: new Uint8Array(message.payload) });
      }
    }
  }

  #reaches(from: number, to: number): boolean {
    return (this.#parts.get(from) ?? 0) === (this.#parts.get(to) ?? 0);
  }

  #noticeSoon(node: Node): void {
    this.#scheduler.after(this.#random.below(NOTICE_US_MAX), {
      owner: node.number,
      describe: () => 'looks whether it reaches the bus',
      run: () => {
        const connected = (this.#parts.get(node.number) ?? 0) === 0;
        if (node.closed || connected === node.connected) return;
        node.connected = connected;
        node.connectionHandler?.(connected);
      },
    });
  }

  #happens(perMille: number): boolean {
    return perMille > 0 && this.#random.below(PER_MILLE) < perMille;
  }
}
