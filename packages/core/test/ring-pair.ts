/** Two ends of a ring carrier in the test's own thread: nothing moves until an end is drained. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Place } from '../src/memory/place.ts';
import type { SharedMemory } from '../src/channel/carrier.ts';
import { type ChannelEnd, channelMemory } from '../src/platform/wire/channel-memory.ts';
import { Bell, censusMemory, Doorbell, doorbellMemory } from '../src/platform/wire/doorbell.ts';
import { PortTravel } from '../src/platform/thread/memory/memory-travel.ts';
import { RingCarrier } from '../src/platform/thread/ring/ring-carrier.ts';

/** The messages that an end has received. */
export interface Received {
  readonly frame: Uint8Array;
  readonly memory: SharedMemory;
}

/** One end. */
export interface RingSide {
  readonly carrier: RingCarrier;
  readonly port: MessagePort;
  /** The doorbell of its thread; the channel has slot `SLOT`. */
  readonly doorbell: Doorbell;
  readonly received: Received[];
  closed: number;
  finished: boolean;
}

export const SLOT = 5;

/** Two connected ends, and the memory between them. */
export function ringPair(ringBytes: number): { memory: Place; sides: [RingSide, RingSide] } {
  const memory = channelMemory(ringBytes);
  const census = censusMemory();
  const bells = [doorbellMemory(census), doorbellMemory(census)] as const;
  const { port1, port2 } = new MessageChannel();
  const side = (end: ChannelEnd, port: MessagePort): RingSide => {
    const doorbell = new Doorbell(bells[end], census);
    const carrier = new RingCarrier(
      { end, memory, peerSlot: SLOT },
      {
        travel: new PortTravel(port),
        peerBell: new Bell(bells[1 - end === 0 ? 0 : 1], census),
        wake: () => doorbell.bell.ring(SLOT),
        finished: () => {
          made.finished = true;
        },
      },
    );
    const made: RingSide = { carrier, port, doorbell, received: [], closed: 0, finished: false };
    carrier.closed(() => made.closed++);
    carrier.receive((frame, along) => made.received.push({ frame: frame.slice(), memory: along }));
    return made;
  };
  return { memory, sides: [side(0, port1), side(1, port2)] };
}

/** Drains an end if its doorbell was rung; whether it was. */
export function answer(side: RingSide): boolean {
  return side.doorbell.take(() => side.carrier.drain());
}

/** Drains both ends until neither is rung any more. */
export function settle(sides: readonly RingSide[]): void {
  for (let round = 0; sides.map(answer).includes(true); round++) {
    if (round > 1_000_000) throw new Error('the ends ring each other for ever');
  }
}

/** Bytes that differ by frame and by place. */
export function pattern(lengthBytes: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes);
  for (let index = 0; index < lengthBytes; index++) bytes[index] = seed * 31 + index * 7 + (index >>> 8);
  return bytes;
}
