/**
 * Carriers over a bus: two nodes of a simulated bus in this thread, whose time passes with the real
 * one. What is due within some milliseconds happens at once, so that nobody waits for the simulated
 * travel of a message; what waits longer (leases) waits really. Tests can have the nodes on another
 * bus.
 */
import { type Bus, type Carrier, type SharedMemory, SHARES_NO_MACHINE } from '@ginit/core/platform';
import { BusNode, type BusNodeOwner, Identity, newSeed, permissionsOf } from '@ginit/core/nats';
import { Random } from '../../simulator/src/order/random.ts';
import { type Scheduled, Scheduler, type Task } from '../../simulator/src/order/scheduler.ts';
import { SimulatedBus } from '../../simulator/src/world/simulated-bus.ts';

const CLUSTER = 'carriers';
/** What is due within this time happens at once. */
const AT_ONCE_US = 50_000;

/** A scheduler that runs its tasks by itself, one in each turn of the event loop. */
class RunningScheduler extends Scheduler {
  #turn: NodeJS.Immediate | NodeJS.Timeout | undefined;
  #waits = false;

  override soon(task: Task): Scheduled {
    const scheduled = super.soon(task);
    this.#go();
    return scheduled;
  }

  override at(dueUs: number, task: Task): Scheduled {
    const scheduled = super.at(dueUs, task);
    this.#go();
    return scheduled;
  }

  #go(): void {
    if (this.#turn && !this.#waits) return;
    if (this.#waits) clearTimeout(this.#turn as NodeJS.Timeout);
    this.#waits = false;
    this.#turn = setImmediate(() => this.#run());
  }

  #run(): void {
    this.#turn = undefined;
    const { nextUs } = this;
    if (nextUs === undefined) return;
    const waitUs = nextUs - this.nowUs;
    if (waitUs > AT_ONCE_US) {
      this.#waits = true;
      this.#turn = setTimeout(() => this.#step(), waitUs / 1000).unref();
    } else this.#step();
  }

  #step(): void {
    this.#waits = false;
    this.#turn = undefined;
    const next = this.next(Number.POSITIVE_INFINITY);
    if (typeof next !== 'string') next.run();
    this.#go();
  }
}

/** A carrier whose other part comes later: what is done with it before is done then. */
class LateCarrier implements Carrier {
  readonly sharing = SHARES_NO_MACHINE;
  #carrier: Carrier | undefined;
  readonly #early: ((carrier: Carrier) => void)[] = [];

  attach(carrier: Carrier): void {
    this.#carrier = carrier;
    for (const action of this.#early.splice(0)) action(carrier);
  }

  send(frame: Uint8Array, memory: SharedMemory, left?: () => void): boolean {
    if (this.#carrier) return this.#carrier.send(frame, memory, left);
    const copy = new Uint8Array(frame);
    this.#early.push((carrier) => {
      if (!carrier.send(copy, memory, left)) left?.();
    });
    return true;
  }

  receive(handler: (frame: Uint8Array, memory: SharedMemory) => void): void {
    this.#do((carrier) => carrier.receive(handler));
  }

  closed(handler: (reason?: string) => void): void {
    this.#do((carrier) => carrier.closed(handler));
  }

  close(accused?: boolean): void {
    this.#do((carrier) => carrier.close(accused));
  }

  #do(action: (carrier: Carrier) => void): void {
    if (this.#carrier) action(this.#carrier);
    else this.#early.push(action);
  }
}

/** Two nodes on one bus. */
export interface Parties {
  readonly first: BusNode;
  readonly second: BusNode;
}

/** The acceptors' ends of channels that are on their way, by their tickets. */
const expected = new Map<string, LateCarrier>();
let parties: Promise<Parties> | undefined;
let makeParties: (owner: BusNodeOwner) => Parties | Promise<Parties> = simulatedParties;
let nextTicket = 1;

const OWNER: BusNodeOwner = {
  accepts: () => undefined,
  opened: (_peer, ticket, channel) => {
    const name = Buffer.from(ticket).toString();
    const end = expected.get(name);
    expected.delete(name);
    end?.attach(channel);
    return end ? undefined : 'nobody expects it';
  },
};

/** From now on the nodes are made so. */
export function useBus(make: (owner: BusNodeOwner) => Promise<Parties>): void {
  makeParties = make;
}

function simulatedParties(owner: BusNodeOwner): Parties {
  const random = new Random(1);
  const scheduler = new RunningScheduler(random.stream('order'));
  const bus = new SimulatedBus(scheduler, random.stream('bus'));
  const node = (number: number): BusNode => {
    const chance = random.stream(`node ${number}`);
    const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => chance.below(256));
    const identity = new Identity(newSeed(bytes(32)));
    const connection: Bus = bus.connect(number, { rights: permissionsOf(CLUSTER, identity.publicKey) });
    const task = (run: () => void): Task => ({ owner: number, describe: () => 'a turn', run });
    return new BusNode({
      bus: connection,
      cluster: CLUSTER,
      identity,
      clock: {
        nowUs: () => scheduler.nowUs,
        after: (us, handler) => {
          const scheduled = scheduler.after(us, task(handler));
          return () => (scheduled.cancelled = true);
        },
        soon: queueMicrotask,
        chance: bytes,
      },
      owner,
    });
  };
  return { first: node(1), second: node(2) };
}

/** The nodes leave the bus; others are made when they are wanted. */
export function closeBus(): void {
  void parties?.then(({ first, second }) => {
    first.close();
    second.close();
  });
  parties = undefined;
}

/** Both ends of a carrier between the two nodes. */
export function busCarriers(): [Carrier, Carrier] {
  parties ??= Promise.resolve(makeParties(OWNER));
  const [near, far] = [new LateCarrier(), new LateCarrier()];
  const ticket = `channel ${nextTicket++}`;
  expected.set(ticket, far);
  void parties
    .then(({ first, second }) => first.open(second.publicKey, Buffer.from(ticket)))
    .then((channel) => near.attach(channel));
  return [near, far];
}
