/**
 * The machines of a simulated system whose processes are joined by a bus: each process is a node
 * with a key of its own, and channels between two of them go over the link that real nodes have. A
 * node whose link breaks because it does not reach the bus is lost, and its components with it.
 */
import {
  BusNode,
  type BusNodeOwner,
  Identity,
  type LinkChannel,
  newSeed,
  permissionsOf,
} from '@ginit/core/nats';
import type { Random } from '../order/random.ts';
import type { Scheduler } from '../order/scheduler.ts';
import { BusEnd } from './bus-end.ts';
import type { CarrierWorld } from './simulated-carrier.ts';
import { type BusFaults, NO_BUS_FAULTS, SimulatedBus } from './simulated-bus.ts';

const CLUSTER = 'simulated';
const BYTE = 256;
const SEED_BYTES = 32;
/** The owners of the tasks of nodes have numbers that components do not reach. */
const FIRST_NODE = 1_000_000_000;

/** What the nodes need of their world. */
export interface NodesWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly carriers: CarrierWorld;
  /** Tells the name of the owner of a node's tasks. */
  readonly named: (owner: number, name: string) => void;
  /** A process was lost with its node. */
  readonly lost: (domain: string, reason: string) => void;
}

/** A component on a node. */
export interface Resident {
  readonly id: number;
  readonly domain: string;
}

interface Machine {
  readonly number: number;
  readonly domain: string;
  readonly node: BusNode;
}

/** All nodes of a system. */
export class SimulatedNodes {
  readonly #world: NodesWorld;
  readonly #bus: SimulatedBus;
  readonly #machines = new Map<string, Machine>();
  /** The acceptors' ends of channels that are on their way, by their tickets. */
  readonly #expected = new Map<string, BusEnd>();
  /** The processes that are cut off, each with how many faults cut it off. */
  readonly #cut = new Map<string, number>();
  #tickets = 0;

  constructor(world: NodesWorld) {
    this.#world = world;
    this.#bus = new SimulatedBus(world.scheduler, world.random.stream('bus'));
  }

  /** Sets how the bus treats messages from now on. */
  set faults(faults: Partial<BusFaults>) {
    this.#bus.faults = { ...NO_BUS_FAULTS, ...faults };
  }

  /** Cuts a process off from all others, or takes that back. */
  cutOff(domain: string, isCut: boolean): void {
    const times = (this.#cut.get(domain) ?? 0) + (isCut ? 1 : -1);
    if (times > 0) this.#cut.set(domain, times);
    else this.#cut.delete(domain);
    this.#bus.part(...Array.from(this.#cut.keys(), (one) => [this.#machine(one).number]));
  }

  /** Joins two components of different nodes. */
  connect(first: Resident, second: Resident): [BusEnd, BusEnd] {
    const { carriers } = this.#world;
    const near = new BusEnd(carriers, first.id, second.id);
    const far = new BusEnd(carriers, second.id, first.id);
    BusEnd.join(near, far);
    const ticket = `channel ${++this.#tickets}`;
    this.#expected.set(ticket, far);
    const failed = (): void => {
      this.#expected.delete(ticket);
      for (const end of [near, far]) end.fail();
    };
    const peer = this.#machine(second.domain).node.publicKey;
    this.#machine(first.domain)
      .node.open(peer, Buffer.from(ticket))
      .then((channel) => near.attach(channel), failed);
    return [near, far];
  }

  #machine(domain: string): Machine {
    const known = this.#machines.get(domain);
    if (known) return known;
    const number = FIRST_NODE + this.#machines.size;
    this.#world.named(number, `node of ${domain}`);
    const machine = { number, domain, node: this.#makeNode(number, domain) };
    this.#machines.set(domain, machine);
    return machine;
  }

  #makeNode(number: number, domain: string): BusNode {
    const { scheduler, random } = this.#world;
    const chance = random.stream(`node ${domain}`);
    const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => chance.below(BYTE));
    const identity = new Identity(newSeed(bytes(SEED_BYTES)));
    const task = (run: () => void) => ({ owner: number, describe: () => 'a turn of the node', run });
    const clock = {
      nowUs: () => scheduler.nowUs,
      after: (us: number, handler: () => void) => {
        const scheduled = scheduler.after(us, task(handler));
        return () => void (scheduled.cancelled = true);
      },
      soon: (turn: () => void) => void scheduler.soon(task(turn)),
      chance: bytes,
    };
    const owner: BusNodeOwner = {
      accepts: () => undefined,
      opened: (_peer, ticket, channel) => this.#opened(ticket, channel),
      unlinked: (peer, reason) => this.#unlinked(domain, peer, reason),
    };
    const bus = this.#bus.connect(number, { rights: permissionsOf(CLUSTER, identity.publicKey) });
    return new BusNode({ bus, cluster: CLUSTER, identity, clock, owner });
  }

  #opened(ticket: Uint8Array, channel: LinkChannel): string | undefined {
    const name = Buffer.from(ticket).toString();
    const end = this.#expected.get(name);
    this.#expected.delete(name);
    end?.attach(channel);
    return end ? undefined : 'nobody expects it';
  }

  /** Of two nodes whose link has ended the one is lost that does not reach the bus. */
  #unlinked(domain: string, peer: string, reason: string): void {
    const other = [...this.#machines.values()].find(({ node }) => node.publicKey === peer)?.domain;
    const lost = [domain, other].find((one) => one !== undefined && this.#cut.has(one)) ?? other;
    if (lost !== undefined) this.#world.lost(lost, reason);
  }
}
