/**
 * A carrier between two simulated components. Each direction keeps the order of its frames;
 * otherwise the scheduler decides when a frame arrives, sometimes much later. The frames that a
 * component had sent before it died may still arrive, up to a frame that the seed picks; then the
 * peer is told of the end. Nothing arrives at a dead component any more, not even the end of its
 * peer.
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

/** The services that a carrier needs. */
export interface CarrierWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** One frame in this many is delayed; 0 delays none. */
  delayedOnceIn: number;
  /** Called for each frame when it is sent and when it arrives. */
  readonly sent: (from: number, to: number, frame: Uint8Array) => void;
  readonly arrived: (from: number, to: number, frame: Uint8Array) => void;
  /** The number of times that a frame is sent: once, if its sender keeps to the rules. */
  readonly copies: (from: number, to: number, frame: Uint8Array) => number;
  /** Called when an end is closed by its component. */
  readonly closed: (by: number, peer: number) => void;
  readonly describe: (from: number, frame: Uint8Array | undefined) => string;
}

/**
 * The largest delay of a delayed frame in microseconds; one in four delayed frames takes much
 * longer.
 */
const DELAY_US_MAX = 500;
const LONG_DELAY_US_MAX = 100_000;

/** An item on its way. Without a frame it says that the sender has closed the carrier. */
interface Item {
  readonly frame: Uint8Array | undefined;
  readonly memory: SharedMemory;
  readonly dueUs: number;
}

/** One direction of a carrier. */
export class Lane {
  readonly #world: CarrierWorld;
  readonly #from: number;
  readonly #to: number;
  readonly #queue: Item[] = [];
  #handler: ((frame: Uint8Array, memory: SharedMemory) => void) | undefined;
  #closed: () => void = () => {};
  #scheduled = false;
  /** Whether the sender's side has ended, so that nothing more is sent. */
  #ended = false;
  /** Whether the receiver's side has ended, so that nothing more arrives. */
  #deaf = false;

  constructor(world: CarrierWorld, from: number, to: number) {
    this.#world = world;
    this.#from = from;
    this.#to = to;
  }

  get empty(): boolean {
    return this.#queue.length === 0;
  }

  /**
   * The time at which the first frame could have arrived, if the receiver does not listen at all.
   */
  get unheardSinceUs(): number | undefined {
    return this.#handler || this.#deaf ? undefined : this.#queue[0]?.dueUs;
  }

  send(frame: Uint8Array, memory: SharedMemory): void {
    if (this.#ended || this.#deaf) return;
    this.#world.sent(this.#from, this.#to, frame);
    const copies = this.#world.copies(this.#from, this.#to, frame);
    for (let copy = 0; copy < copies; copy++) this.put(frame.slice(), memory);
  }

  listen(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    assert(this.#handler === undefined, 'a carrier has one receiver');
    this.#handler = handler;
    this.#schedule();
  }

  onClosed(handler: () => void): void {
    this.#closed = handler;
  }

  /** Closes the lane on the sender's side: frames that were sent arrive, then the end. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#world.closed(this.#from, this.#to);
    if (!this.#deaf) this.#push(undefined, []);
  }

  /** Ends the lane because the sender died: some of the last frames are lost, as `fate` decides. */
  die(fate: Random): void {
    if (this.#ended) return;
    const kept = fate.below(this.#queue.length + 1);
    this.#queue.splice(kept);
    this.end();
  }

  /** Ends the lane on the receiver's side: nothing more arrives. */
  deafen(): void {
    this.#deaf = true;
    this.#queue.length = 0;
  }

  /** Puts a frame, which does not change any more, behind those that are on their way. */
  put(frame: Uint8Array, memory: SharedMemory): void {
    if (!this.#ended && !this.#deaf) this.#push(frame, memory);
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

/** An end of a carrier as the platform has it, whatever the carrier is. */
export interface SimulatedEnd extends Carrier {
  /** The component at the other end. */
  readonly peer: number;
  /** Whether nothing is on its way in either direction. */
  readonly quiet: boolean;
  /** The time since which frames wait here that nobody takes. */
  readonly unheardSinceUs: number | undefined;
  /** Ends the carrier because the component at this end is dead. */
  die(fate: Random): void;
}

/** One end of a carrier within one machine. */
export class CarrierEnd implements SimulatedEnd {
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

  get quiet(): boolean {
    return this.#out.empty && this.#in.empty;
  }

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

  die(fate: Random): void {
    this.#in.deafen();
    this.#out.die(fate);
  }
}

/**
 * Makes both ends of a new carrier. The first end is for component `first`, whose peer is `second`.
 */
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
