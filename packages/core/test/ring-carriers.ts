/**
 * Two ends of a carrier over real rings, in one thread: an end is drained in a turn of its own
 * after it was rung.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Carrier } from '../src/channel/carrier.ts';
import { type ChannelEnd, channelMemory } from '../src/platform/wire/channel-memory.ts';
import { Bell, censusMemory, Doorbell, doorbellMemory } from '../src/platform/wire/doorbell.ts';
import { PortTravel } from '../src/platform/thread/memory/memory-travel.ts';
import { RingCarrier } from '../src/platform/thread/ring/ring-carrier.ts';

const SLOT = 3;

/** A doorbell whose owner looks at it in a turn of its own. */
class TurnBell extends Bell {
  onRing: () => void = () => {};
  #due = false;

  override ring(slot: number): void {
    super.ring(slot);
    this.#plan();
  }

  override ringSoon(slot: number): void {
    super.ringSoon(slot);
    this.#plan();
  }

  #plan(): void {
    if (this.#due) return;
    this.#due = true;
    setImmediate(() => {
      this.#due = false;
      this.onRing();
    });
  }
}

/**
 * Rings of `ringBytes`: with few of them every message travels in parts, and everybody waits for
 * room.
 */
export function ringCarriers(ringBytes: number): [Carrier, Carrier] {
  const memory = channelMemory(ringBytes);
  const census = censusMemory();
  const bellMemories = [doorbellMemory(census), doorbellMemory(census)] as const;
  const bells = [new TurnBell(bellMemories[0], census), new TurnBell(bellMemories[1], census)] as const;
  const { port1, port2 } = new MessageChannel();
  const end = (own: ChannelEnd, port: MessagePort): RingCarrier => {
    const doorbell = new Doorbell(bellMemories[own], census);
    const carrier = new RingCarrier(
      { end: own, memory, peerSlot: SLOT },
      {
        travel: new PortTravel(port),
        peerBell: bells[own === 0 ? 1 : 0],
        wake: () => bells[own].ring(SLOT),
        finished: () => {},
      },
    );
    bells[own].onRing = () => void doorbell.take(() => carrier.drain());
    return carrier;
  };
  return [end(0, port1), end(1, port2)];
}
