/**
 * The carriers of a thread. They are made from messages of the domain process, and drained by the
 * thread's loop.
 */
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { Carrier } from '../../channel/carrier.ts';
import { assert, unreachable } from '../../errors.ts';
import type { Place } from '../../memory/place.ts';
import { SHARES_NO_MACHINE, SHARES_NONE } from '../../memory/shared-memory.ts';
import { Bell } from '../wire/doorbell.ts';
import type { KeeperClient } from './memory/keeper-client.ts';
import { FileTravel, PortTravel } from './memory/memory-travel.ts';
import { PeersAbroad } from './peers-abroad.ts';
import { drainPort, PortCarrier } from './port-carrier.ts';
import { RingCarrier } from './ring/ring-carrier.ts';
import type { ThreadLoop } from './thread-loop.ts';
import {
  type ChannelMessage,
  CONTROL_SLOT,
  type ForeignMessage,
  type RingMessage,
  type WorkerMessage,
} from '../wire/worker-protocol.ts';

/** Makes carriers and gives them to the loop as sources of work. */
export class ThreadChannels {
  readonly #loop: ThreadLoop;
  readonly #census: Place;
  readonly #keeper: KeeperClient | undefined;
  readonly #abroad = new PeersAbroad();

  constructor(loop: ThreadLoop, census: Place, keeper: KeeperClient | undefined) {
    this.#loop = loop;
    this.#census = census;
    this.#keeper = keeper;
  }

  /** A carrier over a port that leads out of the process, or also to another machine. */
  port(port: MessagePort, slot: number, taken?: Place, elsewhere = false): Carrier {
    const sharing = elsewhere ? SHARES_NO_MACHINE : SHARES_NONE;
    const carrier = new PortCarrier(port, () => this.#loop.wake(slot), sharing, taken);
    this.#loop.add(slot, carrier);
    return carrier;
  }

  /** Calls `add` for each channel that the domain process makes. */
  listen(add: (peer: number, carrier: Carrier) => void): void {
    const control = parentPort;
    assert(control !== null, 'runs as a worker thread');
    // The domain process is our own code, so its messages have this type.
    const take = (message: unknown): void => {
      const made = message as WorkerMessage;
      if (made.kind === 'freed') this.#keeper?.freed(made.file);
      else add(made.peer, this.#carrier(made));
    };
    control.on('message', take);
    const again = (): void => this.#loop.wake(CONTROL_SLOT);
    this.#loop.add(CONTROL_SLOT, { drain: () => drainPort(control, take, again) });
  }

  #carrier(message: ChannelMessage): Carrier {
    switch (message.kind) {
      case 'ring':
        return this.#ring(message);
      case 'foreign':
        return this.#foreign(message);
      case 'port':
        return this.port(message.port, message.slot, message.taken, message.elsewhere);
      default:
        return unreachable(message);
    }
  }

  #ring({ slot, ring, port, peerDoorbell }: RingMessage): Carrier {
    const carrier = new RingCarrier(ring, {
      travel: new PortTravel(port, this.#keeper),
      peerBell: new Bell(peerDoorbell, this.#census),
      wake: () => this.#loop.wake(slot),
      finished: () => this.#loop.remove(slot, carrier),
    });
    this.#loop.add(slot, carrier);
    return carrier;
  }

  #foreign({ slot, ring, channel, peerProcess, peerDoorbell, peerCensus }: ForeignMessage): Carrier {
    assert(this.#keeper !== undefined, 'a channel to another process needs a keeper');
    this.#abroad.add(peerProcess, peerCensus);
    this.#loop.openAbroad(this.#abroad);
    const carrier = new RingCarrier(ring, {
      travel: new FileTravel(channel, this.#keeper),
      peerBell: new Bell(peerDoorbell, peerCensus, true),
      wake: () => this.#loop.wake(slot),
      finished: () => {
        this.#abroad.remove(peerProcess);
        this.#loop.openAbroad(this.#abroad);
        this.#loop.remove(slot, carrier);
      },
    });
    this.#loop.add(slot, carrier);
    return carrier;
  }
}
