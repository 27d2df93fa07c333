/**
 * Tests what a large cluster costs while nobody says anything: the messages that keep the leases of
 * its links. docs/scale.md has the figures, and what follows from them.
 */
import { expect, test } from 'vitest';
import { skipIfLong } from '../../../test/harness/long.ts';
import { BusWorld, type TestNode } from './bus-world.ts';

const LEASE_S = 10;
/** The bytes of a state datagram: header, seal, content. */
const STATE_BYTES = 68;

/** The messages and bytes of a second while all links are idle. */
async function idleTraffic(
  links: readonly (readonly [number, number])[],
  nodes: number,
): Promise<{ readonly messages: number; readonly bytes: number; readonly unlinked: number }> {
  const world = new BusWorld(1);
  const all: TestNode[] = [];
  for (let number = 1; number <= nodes; number++) all.push(world.node(number));
  const [first] = all;
  if (!first) throw new Error('no node');
  for (const [from, to] of links) {
    const [one, other] = [all[from], all[to]];
    if (one && other) await world.open(one, other);
  }
  await world.run(LEASE_S * 1e6);
  const before = { ...world.bus.carried };
  const seconds = 3 * LEASE_S;
  await world.run(seconds * 1e6);
  return {
    messages: (world.bus.carried.messages - before.messages) / seconds,
    bytes: (world.bus.carried.bytes - before.bytes) / seconds,
    unlinked: all.reduce((sum, { unlinked }) => sum + unlinked.length, 0),
  };
}

const star = (nodes: number) => Array.from({ length: nodes - 1 }, (_, index) => [0, index + 1] as const);

/** Each node has a link to the next ones, too. */
const ring = (nodes: number, each: number) =>
  Array.from({ length: nodes }, (_, from) =>
    Array.from({ length: each }, (__, step) => [from, (from + step + 1) % nodes] as const),
  ).flat();

/** Both ends ask for a proof four times a lease, and answer as often. */
function expectLeaseTraffic(traffic: Awaited<ReturnType<typeof idleTraffic>>, links: number): void {
  expect(traffic.unlinked).toBe(0);
  expect(traffic.messages / links).toBeLessThan(17 / LEASE_S);
  expect(traffic.messages / links).toBeGreaterThan(7 / LEASE_S);
  expect(traffic.bytes / traffic.messages).toBeCloseTo(STATE_BYTES, 6);
}

test('an idle link costs the same in a small cluster', async () => {
  const links = [...star(8), ...ring(8, 2)];
  // The first node is linked to all others already: four of the ring are no new links.
  expectLeaseTraffic(await idleTraffic(links, 8), links.length - 4);
});

test('1,000 nodes that one node is linked to, each with links to two others', async (context) => {
  skipIfLong(context);
  const links = [...star(1000), ...ring(1000, 2)];
  const traffic = await idleTraffic(links, 1000);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  console.log(`1,000 nodes, ${links.length - 4} links:`, traffic, { heapUsed, arrayBuffers });
  expectLeaseTraffic(traffic, links.length - 4);
});
