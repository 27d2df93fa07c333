/** Nodes on a real nats-server, for tests. */
import { randomBytes } from 'node:crypto';
import {
  BusNode,
  type BusNodeOwner,
  Identity,
  type LinkChannel,
  NatsBus,
  type NatsBusOptions,
  newSeed,
  SystemClock,
} from '@ginit/core/nats';

export const CLUSTER = 'test';
export const REPLY_BYTES = 300_000;

export const newIdentity = (): Identity => new Identity(newSeed(randomBytes(32)));
export const soon = (ms = 20): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export async function until(done: () => boolean): Promise<void> {
  while (!done()) await soon();
}

/** A node that answers every frame with a long one. */
export class TestNode {
  readonly bus: NatsBus;
  readonly node: BusNode;
  readonly complaints: string[];
  readonly unlinked: string[] = [];
  /** The lengths of the frames that have come. */
  readonly lengths: number[] = [];

  constructor(bus: NatsBus, identity: Identity, complaints: string[], leaseMs?: number) {
    this.bus = bus;
    this.complaints = complaints;
    const owner: BusNodeOwner = {
      accepts: () => undefined,
      opened: (_peer, _ticket, channel) => {
        this.#listen(channel);
        return undefined;
      },
      unlinked: (_peer, reason) => void this.unlinked.push(reason),
    };
    const clock = new SystemClock();
    const lease = leaseMs === undefined ? {} : { leaseMs };
    this.node = new BusNode({ bus, cluster: CLUSTER, identity, clock, owner, ...lease });
  }

  #listen(channel: LinkChannel): void {
    channel.closed(() => {});
    channel.receive((frame) => {
      this.lengths.push(frame.byteLength);
      channel.send(new Uint8Array(REPLY_BYTES).fill(7), []);
    });
  }

  close(): void {
    this.node.close();
    this.bus.close();
  }
}

/** How a node is made. */
export interface TestNodeOptions extends Partial<Pick<NatsBusOptions, 'tls'>> {
  readonly leaseMs?: number;
}

/** The nodes of one test. */
export class TestNodes {
  readonly #made: TestNode[] = [];

  async make(
    identity: Identity,
    servers: string | readonly string[],
    { leaseMs, ...options }: TestNodeOptions = {},
  ): Promise<TestNode> {
    const complaints: string[] = [];
    const complain = (text: string): void => void complaints.push(text);
    const bus = await NatsBus.connect({ servers: [servers].flat(), identity, complain, ...options });
    const node = new TestNode(bus, identity, complaints, leaseMs);
    this.#made.push(node);
    return node;
  }

  close(): void {
    for (const node of this.#made.splice(0)) node.close();
  }
}

/** A channel as its opener has it. */
export interface OpenedChannel {
  readonly channel: LinkChannel;
  /** The lengths of the answers that have come. */
  readonly answers: number[];
  /** Why it has ended. */
  readonly ended: () => string | undefined;
}

export async function open(from: TestNode, to: string): Promise<OpenedChannel> {
  const channel = await from.node.open(to, Buffer.from('ticket'));
  const answers: number[] = [];
  let reason: string | undefined;
  channel.closed((why) => (reason = why ?? 'closed'));
  channel.receive((frame) => answers.push(frame.byteLength));
  return { channel, answers, ended: () => reason };
}
