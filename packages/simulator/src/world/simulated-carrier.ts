/**
 * A carrier between two simulated components. Each direction keeps the order of its frames, and is otherwise at the
 * mercy of the scheduler: a frame arrives when the seed says so, sometimes much later. What a component had sent when it
 * died may still arrive, up to a frame that the seed picks; then the peer is told of the end. To a dead component
 * nothing arrives any more, not even that.
 */
import {
  type Carrier,
  type MemorySharing,
  type SharedMemory,
  SHARES_ALL,
  SHARES_NONE,
} from '@ginit/core/platform';
import { assert } from '@ginit/core';
import type { Random } from '../order/random.ts';
import type { Scheduler } from '../order/scheduler.ts';

/** What a carrier needs of its surroundings. */
export interface CarrierWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** One frame in so many takes its time; 0: none. */
  delayedOnceIn: number;
  /** Told of each frame when it is sent and when it arrives. */
  readonly sent: (from: number, to: number, frame: Uint8Array) => void;
  readonly arrived: (from: number, to: number, frame: Uint8Array) => void;
  /** How often a frame is sent: once, if its sender keeps to the rules. */
  readonly copies: (from: number, to: number, frame: Uint8Array) => number;
  /** Told when an end is closed by its component. */
  readonly closed: (by: number, peer: number) => void;
  readonly describe: (from: number, frame: Uint8Array | undefined) => string;
}

/** How much later a frame may come that takes its time, in microseconds; one in four of them takes much longer. */
const DELAY_US_MAX = 500;
const LONG_DELAY_US_MAX = 100_000;

/** What is on its way; without a frame: that the sender has closed the carrier. */
interface Item {
  readonly frame: Uint8Array | undefined;
  readonly memory: SharedMemory;
  readonly dueUs: number;
}

/** One direction. */
class Lane {
  readonly #world: CarrierWorld;
  readonly #from: number;
  readonly #to: number;
  readonly #queue: Item[] = [];
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closed: () => void = () => {};
  #scheduled = false;
  /** Nothing more is sent. */
  #ended = false;
  /** Nothing more arrives. */
  #deaf = false;

  constructor(world: CarrierWorld, from: number, to: number) {
    this.#world = world;
    this.#from = from;
    this.#to = to;
  }

  get empty(): boolean {
    return this.#queue.length === 0;
  }

  /** Since when its first frame could arrive, if nobody takes frames at all. */
  get unheardSinceUs(): number | undefined {
    return this.#handler || this.#deaf ? undefined : this.#queue[0]?.dueUs;
  }

  send(frame: Uint8Array, memory: SharedMemory): void {
    if (this.#ended || this.#deaf) return;
    this.#world.sent(this.#from, this.#to, frame);
    const copies = this.#world.copies(this.#from, this.#to, frame);
    for (let copy = 0; copy < copies; copy++) this.#push(frame.slice(), memory);
  }

  listen(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    assert(this.#handler === undefined, 'a carrier has one receiver');
    this.#handler = handler;
    this.#schedule();
  }

  onClosed(handler: () => void): void {
    this.#closed = handler;
  }

  /** The sender closes it: what was sent arrives, then the end. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#world.closed(this.#from, this.#to);
    if (!this.#deaf) this.#push(undefined, []);
  }

  /** The sender dies: some of what it sent last is lost, as its fate has it. */
  die(fate: Random): void {
    if (this.#ended) return;
    const kept = fate.below(this.#queue.length + 1);
    this.#queue.splice(kept);
    this.end();
  }

  /** The receiver takes nothing more. */
  deafen(): void {
    this.#deaf = true;
    this.#queue.length = 0;
  }

  #push(frame: Uint8Array | undefined, memory: SharedMemory): void {
    this.#queue.push({ frame, memory, dueUs: this.#world.scheduler.nowUs + this.#delayUs() });
    this.#schedule();
  }

  #delayUs(): number {
    const { random, delayedOnceIn } = this.#world;
    if (delayedOnceIn === 0 || !random.once(delayedOnceIn)) return 0;
    return random.below(random.once(4) ? LONG_DELAY_US_MAX : DELAY_US_MAX);
  }

  #schedule(): void {
    const first = this.#queue[0];
    if (this.#scheduled || !first || !this.#handler) return;
    this.#scheduled = true;
    this.#world.scheduler.at(first.dueUs, {
      owner: this.#to,
      describe: () => this.#world.describe(this.#from, first.frame),
      run: () => this.#deliver(),
    });
  }

  #deliver(): void {
    this.#scheduled = false;
    const item = this.#queue.shift();
    if (!item) return;
    this.#schedule();
    if (!item.frame) return this.#closed();
    this.#world.arrived(this.#from, this.#to, item.frame);
    this.#handler?.(item.frame, item.memory);
  }
}

/** One end of a carrier, with what the platform does to it. */
export class CarrierEnd implements Carrier {
  readonly sharing: MemorySharing;
  readonly peer: number;
  readonly #out: Lane;
  readonly #in: Lane;

  constructor(peer: number, sharesMemory: boolean, out: Lane, incoming: Lane) {
    this.peer = peer;
    this.sharing = sharesMemory ? SHARES_ALL : SHARES_NONE;
    this.#out = out;
    this.#in = incoming;
  }

  /** Whether nothing is on its way, in either direction. */
  get quiet(): boolean {
    return this.#out.empty && this.#in.empty;
  }

  /** Since when frames wait here that nobody takes. */
  get unheardSinceUs(): number | undefined {
    return this.#in.unheardSinceUs;
  }

  send(frame: Uint8Array, memory: SharedMemory): boolean {
    assert(this.sharing === SHARES_ALL || memory.length === 0, 'memory travels only where it is shared');
    this.#out.send(frame, memory);
    return false;
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#in.listen(handler);
  }

  closed(handler: () => void): void {
    this.#in.onClosed(handler);
  }

  close(): void {
    this.#in.deafen();
    this.#out.end();
  }

  /** The component at this end is dead. */
  die(fate: Random): void {
    this.#in.deafen();
    this.#out.die(fate);
  }
}

/** Both ends of a new carrier; the first is for `first`, who finds `second` at the other end. */
export function simulatedCarrier(
  world: CarrierWorld,
  first: number,
  second: number,
  sharesMemory: boolean,
): [CarrierEnd, CarrierEnd] {
  const there = new Lane(world, first, second);
  const back = new Lane(world, second, first);
  return [
    new CarrierEnd(second, sharesMemory, there, back),
    new CarrierEnd(first, sharesMemory, back, there),
  ];
}
