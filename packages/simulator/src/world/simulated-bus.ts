/**
 * A simulated bus: its messages take as long as the seed says, and what a real one does in bad times is done when asked:
 * it loses, doubles, delays and reorders messages, and is parted, so that nodes of one part do not reach those of another.
 */
import {
  BUS_PAYLOAD_BYTES_MAX,
  type Bus,
  type BusMessage,
  isSubject,
  isSubjectPattern,
  subjectMatches,
} from '@ginit/core/platform';
import type { Random } from '../order/random.ts';
import type { Scheduler } from '../order/scheduler.ts';

/** A message takes less than so many microseconds while nothing goes wrong. */
const TRAVEL_US_MAX = 2000;
/** A node learns after at most so long that it is cut off, or back. */
const NOTICE_US_MAX = 2_000_000;
const PER_MILLE = 1000;

/** How often, of a thousand messages, something goes wrong with one; and how long a delayed one takes at most. */
export interface BusFaults {
  readonly lostPerMille: number;
  readonly doubledPerMille: number;
  /** Delayed beyond those behind it. */
  readonly reorderedPerMille: number;
  readonly delayedPerMille: number;
  readonly delayUsMax: number;
}

/** A bus in good times. */
export const NO_BUS_FAULTS: BusFaults = {
  lostPerMille: 0,
  doubledPerMille: 0,
  reorderedPerMille: 0,
  delayedPerMille: 0,
  delayUsMax: 1_000_000,
};

interface Subscription {
  readonly pattern: string;
  readonly handler: (message: BusMessage) => void;
}

/** A message that is due at a time. */
interface Travelling {
  readonly dueUs: number;
  readonly message: BusMessage;
}

class Node implements Bus {
  readonly subscriptions = new Set<Subscription>();
  /** By number of the node that they are from: messages on their way, in their order. */
  readonly onTheWay = new Map<number, Travelling[]>();
  readonly number: number;
  connected = true;
  closed = false;
  connectionHandler: ((connected: boolean) => void) | undefined;
  readonly #bus: SimulatedBus;

  constructor(bus: SimulatedBus, number: number) {
    this.#bus = bus;
    this.number = number;
  }

  publish(subject: string, payload: Uint8Array, reply = ''): void {
    if (!isSubject(subject)) throw new RangeError(`"${subject}" is no subject`);
    if (reply !== '' && !isSubject(reply)) throw new RangeError(`"${reply}" is no subject`);
    if (payload.byteLength > BUS_PAYLOAD_BYTES_MAX) {
      throw new RangeError(
        `a message of ${payload.byteLength} bytes is longer than ${BUS_PAYLOAD_BYTES_MAX}`,
      );
    }
    if (!this.closed) this.#bus.carry(this.number, { subject, reply, payload: new Uint8Array(payload) });
  }

  subscribe(pattern: string, handler: (message: BusMessage) => void): () => void {
    if (!isSubjectPattern(pattern)) throw new RangeError(`"${pattern}" is no pattern of subjects`);
    const subscription = { pattern, handler };
    if (!this.closed) this.subscriptions.add(subscription);
    return () => void this.subscriptions.delete(subscription);
  }

  onConnection(handler: (connected: boolean) => void): void {
    this.connectionHandler = handler;
  }

  close(): void {
    this.closed = true;
    this.subscriptions.clear();
    this.connectionHandler = undefined;
    this.#bus.leave(this.number);
  }
}

/** The bus of one simulated world. */
export class SimulatedBus {
  /** What goes wrong from now on. */
  faults = NO_BUS_FAULTS;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #nodes = new Map<number, Node>();
  /** The part that a node is in; 0 is the one with the bus's own server. */
  readonly #parts = new Map<number, number>();

  constructor(scheduler: Scheduler, random: Random) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /** Connects a node, by the number that its tasks have in the scheduler. One connection a node. */
  connect(number: number): Bus {
    this.#nodes.get(number)?.close();
    const node = new Node(this, number);
    this.#nodes.set(number, node);
    return node;
  }

  /** Parts the bus: each list of nodes is cut off from all others, and who is in none stays with the server. */
  part(...groups: readonly (readonly number[])[]): void {
    this.#parts.clear();
    groups.forEach((group, index) => {
      for (const number of group) this.#parts.set(number, index + 1);
    });
    for (const node of this.#nodes.values()) this.#noticeSoon(node);
  }

  /** One whole again. */
  heal(): void {
    this.part();
  }

  /** A node has ended: what it has sent still arrives. */
  leave(number: number): void {
    this.#nodes.delete(number);
  }

  /** Sends a message on its way to everybody who will be subscribed when it arrives. */
  carry(from: number, message: BusMessage): void {
    for (const node of this.#nodes.values()) {
      if (!this.#reaches(from, node.number) || this.#happens(this.faults.lostPerMille)) continue;
      this.#send(from, node, message);
      if (this.#happens(this.faults.doubledPerMille)) this.#send(from, node, message);
    }
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
    // The scheduler keeps no order between tasks that are due: it has the first one only.
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
    // A part that has come about in the meantime cuts off what was on its way.
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
