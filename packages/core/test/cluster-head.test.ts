/** The head of a cluster against scripted nodes: who is taken, and what a node may say and ask. */
import { beforeEach, expect, test } from 'vitest';
import type { Carrier } from '../src/channel/carrier.ts';
import { SHARES_NO_MACHINE } from '../src/memory/shared-memory.ts';
import type { BusLine, BusLineOwner } from '../src/platform/cluster/bus-line.ts';
import { ClusterPlatform } from '../src/platform/cluster/cluster-platform.ts';
import type { LocalPlatform } from '../src/platform/cluster/local-platform.ts';
import {
  type HeadMessage,
  headMessage,
  type NodeFacts,
  type NodeMessage,
  type NodeOffer,
  readMessage,
  writeMessage,
} from '../src/platform/cluster/messages.ts';
import type { TravellingCode } from '../src/supervisor/binary-service.ts';
import { NodeLedger } from '../src/supervisor/node-ledger.ts';
import type { ComponentEnd, ComponentSpecification, PlatformComponent } from '../src/supervisor/platform.ts';

const FACTS: NodeFacts = { protocol: 1, ginit: '1.0.0', node: '22.1.0', platform: 'linux-x64-glibc' };
const MEMBERS = [
  { name: 'b', key: 'UB' },
  { name: 'c', key: 'UC' },
];
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

/** A carrier whose other end is the test. */
class TestCarrier implements Carrier {
  readonly sharing = SHARES_NO_MACHINE;
  readonly sent: Uint8Array[] = [];
  isClosed = false;
  deliver: (frame: Uint8Array) => void = () => {};
  end: (reason?: string) => void = () => {};

  send(frame: Uint8Array): boolean {
    if (!this.isClosed) this.sent.push(new Uint8Array(frame));
    return false;
  }

  receive(handler: (frame: Uint8Array, memory: readonly []) => void): void {
    this.deliver = (frame) => handler(frame, []);
  }

  closed(handler: (reason?: string) => void): void {
    this.end = handler;
  }

  close(): void {
    this.isClosed = true;
  }
}

/** A node that says what the test wants. */
class ScriptedNode {
  readonly carrier = new TestCarrier();

  say(message: NodeMessage): void {
    this.carrier.deliver(writeMessage(message));
  }

  get heard(): HeadMessage[] {
    return this.carrier.sent.map((frame) => readMessage(headMessage, frame).message);
  }
}

let owner: BusLineOwner;
let lines: string[];
let cluster: ClusterPlatform;

beforeEach(() => {
  lines = [];
  const line: BusLine = {
    publicKey: 'UA',
    listen: (its) => {
      owner = its;
    },
    admit: () => {},
    open: () => new TestCarrier(),
  };
  const local: LocalPlatform = {
    start: () => {
      throw new Error('nothing runs here');
    },
    connect: () => {},
    joinOverBus: () => {},
    schedule: (turn) => queueMicrotask(turn),
    monotonicUs: () => 0,
    wallClockMs: () => 0,
    after: (us, handler) => {
      const timer = setTimeout(handler, us / 1000);
      return () => clearTimeout(timer);
    },
    writeLog: () => Promise.resolve(),
  };
  cluster = new ClusterPlatform({
    local,
    ledger: new NodeLedger('head', 1000),
    line,
    facts: FACTS,
    observer: { joined: () => {}, lost: () => {}, line: (label, text) => lines.push(`[${label}] ${text}`) },
  });
  cluster.setMembers(MEMBERS, ['UX']);
});

function offerOf(name: string, facts: Partial<NodeFacts> = {}): NodeOffer {
  return { name, facts: { ...FACTS, ...facts }, ramBytes: 100, cores: 1, labels: [], lends: [] };
}

async function joined(name: string, key: string, facts: Partial<NodeFacts> = {}): Promise<ScriptedNode> {
  const node = new ScriptedNode();
  expect(owner.opened(key, 'node', node.carrier)).toBeUndefined();
  node.say({ say: 'present', offer: offerOf(name, facts) });
  await settle();
  return node;
}

const CODE: TravellingCode = {
  entry: 'm.js',
  files: [{ path: 'm.js', hash: 'f'.repeat(64), bytes: 3 }],
  links: [],
  native: undefined,
  read: (hash) => (hash === 'f'.repeat(64) ? new Uint8Array([1, 2, 3]) : undefined),
};

function start(id: number, node: string, code = CODE, ends: ComponentEnd[] = []): PlatformComponent {
  const specification: ComponentSpecification = {
    id,
    label: `init -> one-${id}`,
    moduleUrl: '',
    files: [],
    domain: 'main',
    ownProcess: true,
    heapBytes: undefined,
    ramBytes: 10,
    hostDepth: undefined,
    scheduling: { affinity: [], priority: 0 },
    grants: [],
    usedGrants: [],
    jail: 'default',
    confined: false,
    place: { node, labels: [] },
    code: () => code,
    account: { state: { ramQuota: 10, ramUsed: 0, capQuota: 0, capUsed: 0 }, settleOn: () => true },
  };
  return cluster.start(specification, (end) => ends.push(end));
}

test.each([
  [{ protocol: 2 }, 'it speaks version 2 of the protocol of clusters, and the head version 1'],
  [{ ginit: '1.1.0' }, 'it runs ginit 1.1.0, and the head ginit 1.0.0'],
  [{ node: '20.19.0' }, 'it runs Node 20.19.0, and the head a newer one, 22.1.0'],
])('a node that does not fit is refused with both versions: %o', async (facts, reason) => {
  const node = await joined('b', 'UB', facts);
  expect(node.heard).toEqual([{ say: 'refused', reason }]);
  expect(node.carrier.isClosed).toBe(true);
});

test('a newer Node than the head has will do', async () => {
  const node = await joined('b', 'UB', { node: '24.0.0' });
  expect(node.heard.map(({ say }) => say)).toEqual(['taken', 'peers']);
});

test('a node is who its key says', async () => {
  expect(owner.opened('UZ', 'node', new TestCarrier())).toBe('it is not in the cluster');
  expect(owner.opened('UB', 'attach', new TestCarrier())).toBe('it is not in the cluster');
  const node = await joined('c', 'UB');
  expect(node.heard).toEqual([
    { say: 'refused', reason: 'its key is that of the node "b", and it calls itself "c"' },
  ]);
});

test('native files go to a machine of their platform only', async () => {
  const [, c] = [await joined('b', 'UB', { platform: 'linux-arm64-musl' }), await joined('c', 'UC')];
  const ends: ComponentEnd[] = [];
  start(1, 'b', { ...CODE, native: 'linux-x64-glibc' }, ends);
  start(2, 'any', { ...CODE, native: 'linux-x64-glibc' });
  await settle();
  expect(ends).toEqual([
    {
      crashed: true,
      reason: 'its native files are for linux-x64-glibc, and that node is linux-arm64-musl',
      culprit: true,
    },
  ]);
  expect(c.heard.filter(({ say }) => say === 'start')).toMatchObject([{ id: 2 }]);
});

test('a node speaks for its own components, and is given files of theirs only', async () => {
  const [b, c] = [await joined('b', 'UB'), await joined('c', 'UC')];
  start(1, 'b');
  await settle();
  b.say({ say: 'line', label: 'init -> one-1', text: 'mine' });
  c.say({ say: 'line', label: 'init -> one-1', text: 'forged' });
  expect(lines).toEqual(['[init -> one-1] mine']);
  b.say({ say: 'want', hash: 'f'.repeat(64), offset: 0 });
  c.say({ say: 'want', hash: 'f'.repeat(64), offset: 0 });
  expect(b.heard.at(-1)).toMatchObject({ say: 'piece', there: true, last: true });
  expect(c.heard.at(-1)).toMatchObject({ say: 'piece', there: false });
  expect(owner.opened('UC', 'component 1', new TestCarrier())).toBe('there is no such component here');
  expect(owner.opened('UB', 'component 1', new TestCarrier())).toBeUndefined();
  expect(owner.opened('UB', 'component 1', new TestCarrier())).toBe('it has its channel already');
  c.say({ say: 'ended', id: 1, crashed: true, reason: 'forged', culprit: true });
  expect(cluster.nodes[0]?.components).toBe(1);
});

test('a node that breaks the protocol is let go, and its components wait for it', async () => {
  const ends: ComponentEnd[] = [];
  const b = await joined('b', 'UB');
  start(1, 'b', CODE, ends);
  await settle();
  b.carrier.deliver(new Uint8Array([255, 255, 255, 255, 1]));
  expect(ends).toMatchObject([{ crashed: true, culprit: false, nodeLost: true }]);
  const next = start(2, 'b');
  await settle();
  expect(next.waits).toBe('waits for the node "b"');
  const again = await joined('b', 'UB');
  expect(again.heard.filter(({ say }) => say === 'start')).toMatchObject([{ id: 2 }]);
  expect(next.waits).toBeUndefined();
});
