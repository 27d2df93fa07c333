/** Nodes on a simulated bus, each with links that tests look into. */
import { type BusClock, BusNode, Identity, type LinkChannel, newSeed, permissionsOf } from '@ginit/core/nats';
import type { Bus } from '@ginit/core/platform';
import { Random } from '../src/order/random.ts';
import { Scheduler } from '../src/order/scheduler.ts';
import {
  type BusFaults,
  type BusRights,
  NO_BUS_FAULTS,
  type NodeOptions,
  SimulatedBus,
} from '../src/world/simulated-bus.ts';

export const CLUSTER = 'test';

/** A frame of a test: a number, a length, and bytes that follow from both. */
export function frameOf(number: number, bytes: number): Uint8Array {
  const frame = new Uint8Array(Math.max(4, bytes)).fill(number % 251);
  new DataView(frame.buffer).setUint32(0, number);
  return frame;
}

/** The number of a frame; throws if it is not as it was sent. */
export function numberOf(frame: Uint8Array): number {
  const number = new DataView(frame.buffer, frame.byteOffset).getUint32(0);
  if (Buffer.compare(frame, frameOf(number, frame.byteLength)) !== 0)
    throw new Error(`frame ${number} was changed`);
  return number;
}

/** One end of a channel, and what has become of it. */
export class WatchedChannel {
  readonly channel: LinkChannel;
  readonly arrived: number[] = [];
  /** Frames that were handed to the bus, as the carrier says. */
  readonly left = new Set<number>();
  sent = 0;
  ended: string | undefined;

  /** Without ears nobody takes what arrives. */
  constructor(channel: LinkChannel, { deaf = false } = {}) {
    this.channel = channel;
    channel.closed((reason) => (this.ended = reason ?? 'closed'));
    if (!deaf) channel.receive((frame) => this.arrived.push(numberOf(frame)));
  }

  send(bytes = 16): void {
    const number = this.sent++;
    this.channel.send(frameOf(number, bytes), [], () => this.left.add(number));
  }
}

/** A node, and what it was told. */
export interface TestNode {
  readonly number: number;
  readonly bus: Bus;
  readonly node: BusNode;
  readonly clock: BusClock;
  readonly key: string;
  /** The channels that others have opened to it. */
  readonly accepted: WatchedChannel[];
  readonly unlinked: string[];
  readonly violations: string[];
  /** While it is dumb nothing that it says reaches the bus, though it hears everything. */
  dumb: boolean;
}

/** What a test may decide about a node. */
export interface TestNodeOptions extends NodeOptions {
  readonly leaseMs?: number;
  readonly accepts?: (peer: string) => string | undefined;
  readonly opened?: (channel: LinkChannel) => WatchedChannel | string;
  readonly seed?: string;
}

/** A simulated bus with nodes. */
export class BusWorld {
  readonly scheduler: Scheduler;
  readonly bus: SimulatedBus;
  readonly random: Random;

  constructor(seed: number, faults: Partial<BusFaults> = {}) {
    this.random = new Random(seed);
    this.scheduler = new Scheduler(this.random.stream('order'));
    this.bus = new SimulatedBus(this.scheduler, this.random.stream('bus'));
    this.setFaults(faults);
  }

  setFaults(faults: Partial<BusFaults>): void {
    this.bus.faults = { ...NO_BUS_FAULTS, ...faults };
  }

  /** Whoever has number `number` has the same key in every run. */
  seedOf(number: number): string {
    const chance = new Random(number).stream('nkey');
    return newSeed(Uint8Array.from({ length: 32 }, () => chance.below(256)));
  }

  clock(number: number): BusClock {
    const chance = this.random.stream(`chance ${number}`);
    const task = (run: () => void) => ({ owner: number, describe: () => 'a turn of the node', run });
    return {
      nowUs: () => this.scheduler.nowUs,
      after: (us, handler) => {
        const scheduled = this.scheduler.after(us, task(handler));
        return () => (scheduled.cancelled = true);
      },
      soon: (turn) => void this.scheduler.soon(task(turn)),
      chance: (bytes) => Uint8Array.from({ length: bytes }, () => chance.below(256)),
    };
  }

  node(number: number, options: TestNodeOptions = {}): TestNode {
    const identity = new Identity(options.seed ?? this.seedOf(number));
    const rights: BusRights = options.rights ?? permissionsOf(CLUSTER, identity.publicKey);
    const connection = this.bus.connect(number, { ...options, rights });
    const clock = this.clock(number);
    const accepted: WatchedChannel[] = [];
    const unlinked: string[] = [];
    const violations: string[] = [];
    const publish: Bus['publish'] = (...message) => {
      if (!made.dumb) connection.publish(...message);
    };
    const bus = new Proxy(connection, {
      get: (target, name) => {
        const value: unknown = name === 'publish' ? publish : Reflect.get(target, name, target);
        return typeof value === 'function' && value !== publish ? value.bind(target) : value;
      },
    });
    const node = new BusNode({
      bus,
      cluster: CLUSTER,
      identity,
      clock,
      leaseMs: options.leaseMs ?? 10_000,
      about: `node ${number}`,
      owner: {
        accepts: options.accepts ?? (() => undefined),
        opened: (_peer, _ticket, channel) => {
          const watched = options.opened?.(channel) ?? new WatchedChannel(channel);
          if (typeof watched === 'string') return watched;
          accepted.push(watched);
          return undefined;
        },
        unlinked: (_peer, reason, violation) => {
          unlinked.push(reason);
          if (violation !== undefined) violations.push(violation);
        },
      },
    });
    const key = identity.publicKey;
    const made: TestNode = { number, bus, node, clock, key, accepted, unlinked, violations, dumb: false };
    return made;
  }

  /** Lets everything happen that happens in the next `us` microseconds. */
  async run(us: number): Promise<void> {
    let over = false;
    // The clock goes on only from task to task.
    this.scheduler.after(us, { owner: 0, describe: () => 'time passes', run: () => (over = true) });
    await this.until(() => over, us + 1_000_000);
  }

  /** Lets things happen until `done`, at most for `us`. */
  async until(done: () => boolean, us = 60_000_000): Promise<boolean> {
    const untilUs = this.scheduler.nowUs + us;
    await settle();
    while (!done()) {
      const next = this.scheduler.next(untilUs);
      if (typeof next === 'string') break;
      next.run();
      await settle();
    }
    return done();
  }

  /** Opens a channel; settles when it is there. */
  async open(from: TestNode, to: TestNode): Promise<WatchedChannel> {
    let opened: LinkChannel | undefined;
    let failure: unknown;
    from.node.open(to.key, Buffer.from('a ticket')).then(
      (channel) => (opened = channel),
      (error: unknown) => (failure = error),
    );
    await this.until(() => opened !== undefined || failure !== undefined);
    if (!opened) throw failure ?? new Error('no channel in sight');
    return new WatchedChannel(opened);
  }
}

/** Lets promises that are ready go on. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await Promise.resolve();
}
