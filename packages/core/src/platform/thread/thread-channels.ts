/** The carriers of a thread: made from what the domain process sends, and drained by the thread's loop. */
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { Carrier } from '../../channel/carrier.ts';
import { assert, unreachable } from '../../errors.ts';
import { Bell } from './doorbell.ts';
import { drainPort, PortCarrier } from './port-carrier.ts';
import { RingCarrier } from './ring-carrier.ts';
import type { ThreadLoop } from './thread-loop.ts';
import { CONTROL_SLOT, type RingMessage, type WorkerMessage } from './worker-protocol.ts';

/** Makes carriers whose work the loop takes. */
export class ThreadChannels {
  readonly #loop: ThreadLoop;
  readonly #census: SharedArrayBuffer;

  constructor(loop: ThreadLoop, census: SharedArrayBuffer) {
    this.#loop = loop;
    this.#census = census;
  }

  /** A carrier over a port that leads out of the process. */
  port(port: MessagePort, slot: number): Carrier {
    const carrier = new PortCarrier(port, () => this.#loop.wake(slot));
    this.#loop.add(slot, carrier);
    return carrier;
  }

  /** Calls `add` for each channel that the domain process makes. */
  listen(add: (peer: number, carrier: Carrier) => void): void {
    const control = parentPort;
    assert(control !== null, 'runs as a worker thread');
    // The domain process is our own code: what it sends has this type.
    const take = (message: unknown): void => {
      const made = message as WorkerMessage;
      add(made.peer, this.#carrier(made));
    };
    control.on('message', take);
    const again = (): void => this.#loop.wake(CONTROL_SLOT);
    this.#loop.add(CONTROL_SLOT, { drain: () => drainPort(control, take, again) });
  }

  #carrier(message: WorkerMessage): Carrier {
    switch (message.kind) {
      case 'ring':
        return this.#ring(message);
      case 'port':
        return this.port(message.port, message.slot);
      default:
        return unreachable(message);
    }
  }

  #ring({ slot, ring, peerDoorbell }: RingMessage): Carrier {
    const carrier = new RingCarrier(ring, {
      peerBell: new Bell(peerDoorbell, this.#census),
      wake: () => this.#loop.wake(slot),
      finished: () => this.#loop.remove(slot, carrier),
    });
    this.#loop.add(slot, carrier);
    return carrier;
  }
}
