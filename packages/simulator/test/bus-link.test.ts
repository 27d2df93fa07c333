/**
 * Tests the link between two nodes on the simulated bus: whatever the bus does to its messages,
 * frames arrive once, whole and in order, or the link ends within its leases; and what the link says
 * of a frame that has not arrived is true.
 */
import { expect, describe, test } from 'vitest';
import type { BusFaults } from '../src/world/simulated-bus.ts';
import { leftOut, skipIfLong } from '../../../test/harness/long.ts';
import { BusWorld, frameOf, type TestNode, WatchedChannel } from './bus-world.ts';

const SEEDS = Array.from({ length: leftOut(true) ? 12 : 1000 }, (_, seed) => seed);
const LEASE_US = 10_000_000;
/** The latest end of a link that is cut: two leases and an eighth, and a turn. */
const OVER_US = 2.25 * LEASE_US;

const BAD_TIMES: Partial<BusFaults> = {
  lostPerMille: 60,
  doubledPerMille: 60,
  reorderedPerMille: 60,
  delayedPerMille: 30,
  delayUsMax: 700_000,
};

const numbers = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

/** Two nodes that have a channel; the first has opened it. */
async function pair(
  world: BusWorld,
): Promise<{ a: TestNode; b: TestNode; ab: WatchedChannel; ba: WatchedChannel }> {
  const [a, b] = [world.node(1), world.node(2)];
  const ab = await world.open(a, b);
  expect(await world.until(() => b.accepted.length === 1)).toBe(true);
  const [ba] = b.accepted;
  if (!ba) throw new Error('no channel');
  return { a, b, ab, ba };
}

describe('in good times', () => {
  test('frames of every length arrive in both directions, in order and unchanged', async () => {
    const world = new BusWorld(1);
    const { ab, ba, b } = await pair(world);
    const sizes = [4, 100, 16_383, 65_536, 262_144, 3_000_000, 5];
    for (const size of sizes) {
      ab.send(size);
      ba.send(size);
    }
    expect(await world.until(() => ab.arrived.length + ba.arrived.length === 2 * sizes.length)).toBe(true);
    expect([ab.arrived, ba.arrived]).toEqual([numbers(sizes.length), numbers(sizes.length)]);
    expect(b.unlinked).toEqual([]);
  });

  test('a bus with a small bound of messages carries long frames', async () => {
    const world = new BusWorld(2);
    const a = world.node(1, { payloadBytesMax: 16 * 1024 });
    const b = world.node(2);
    const ab = await world.open(a, b);
    ab.send(1_000_000);
    expect(await world.until(() => b.accepted[0]?.arrived.length === 1)).toBe(true);
    expect(() => world.node(3, { payloadBytesMax: 8 * 1024 })).toThrow('ginit needs at least 16384');
  });

  test('both ends may have any bound of datagrams', async () => {
    for (const seed of SEEDS) {
      const world = new BusWorld(seed, seed % 2 === 0 ? {} : BAD_TIMES);
      const chance = world.random.stream('bounds');
      const bound = (): number =>
        chance.pick([16_384, 16_384 + chance.below(4096), 16_384 + chance.below(300_000), 1_048_576]);
      const a = world.node(1, { payloadBytesMax: bound() });
      const b = world.node(2, { payloadBytesMax: bound() });
      const ab = await world.open(a, b);
      const count = 10 + chance.below(20);
      for (let number = 0; number < count; number++) {
        ab.send(chance.pick([8, 65_536, 1000 + chance.below(100), chance.below(1_500_000)]));
        if (chance.once(4)) await world.run(chance.below(3000));
      }
      const done = (): boolean => b.accepted[0]?.arrived.length === count;
      expect(await world.until(done), `seed ${seed}: ${b.accepted[0]?.arrived.length} of ${count}`).toBe(
        true,
      );
      expect([...a.unlinked, ...b.unlinked]).toEqual([]);
    }
  });

  test('an idle link lives on, and says little', async () => {
    const world = new BusWorld(3);
    const { a, b } = await pair(world);
    let messages = 0;
    world.bus.connect(99).subscribe('>', () => messages++);
    await world.run(10 * LEASE_US);
    expect([a.node.linkTo(b.key)?.standing, b.node.linkTo(a.key)?.standing]).toEqual(['held', 'held']);
    // Each end asks four times a lease, and answers as often.
    expect(messages).toBeLessThan(200);
  });

  test('both say hello at once, and get one link', async () => {
    for (const seed of numbers(20)) {
      const world = new BusWorld(seed);
      const [a, b] = [world.node(1), world.node(2)];
      const opened = Promise.all([
        a.node.open(b.key, Buffer.from('x')),
        b.node.open(a.key, Buffer.from('y')),
      ]);
      expect(await world.until(() => a.accepted.length + b.accepted.length === 2)).toBe(true);
      const [ab, ba] = (await opened).map((channel) => new WatchedChannel(channel));
      ab?.send();
      ba?.send();
      expect(
        await world.until(() => a.accepted[0]?.arrived.length === 1 && b.accepted[0]?.arrived.length === 1),
      ).toBe(true);
      expect([a.unlinked, b.unlinked]).toEqual([[], []]);
    }
  });

  test('a node that leaves ends its links at once; its peer can tell', async () => {
    const world = new BusWorld(4);
    const { a, b, ab, ba } = await pair(world);
    a.node.close();
    expect(ab.ended).toBe('this node has left the bus');
    expect(await world.until(() => ba.ended !== undefined, 100_000)).toBe(true);
    expect([ba.ended, b.unlinked]).toEqual(['its node has left', ['its node has left']]);
    await expect(a.node.open(b.key, Buffer.from('x'))).rejects.toMatchObject({ code: 'PeerGone' });
  });

  test('a closed channel delivers what was sent before, and ends at the other end alone', async () => {
    const world = new BusWorld(5);
    const { a, b, ab, ba } = await pair(world);
    const other = await world.open(a, b);
    for (const _ of numbers(10)) ab.send(1000);
    ab.channel.close();
    expect(await world.until(() => ba.ended !== undefined)).toBe(true);
    expect([ba.arrived, ba.ended]).toEqual([numbers(10), 'closed']);
    other.send();
    expect(await world.until(() => b.accepted[1]?.arrived.length === 1)).toBe(true);
    expect([a.node.linkTo(b.key)?.channels, b.node.linkTo(a.key)?.channels]).toEqual([1, 1]);
  });

  test('a channel that is not wanted is refused with the reason', async () => {
    const world = new BusWorld(6);
    const [a, b] = [world.node(1), world.node(2, { opened: () => 'nobody waits for that' })];
    const ab = await world.open(a, b);
    ab.send();
    expect(await world.until(() => ab.ended !== undefined)).toBe(true);
    expect(ab.ended).toBe('nobody waits for that');
  });

  test('a node that is not wanted is told why', async () => {
    const world = new BusWorld(7);
    const [a, b] = [world.node(1), world.node(2, { accepts: () => 'Node 20 is needed, this is Node 18' })];
    await expect(world.open(a, b)).rejects.toThrow('refuses: Node 20 is needed, this is Node 18');
    expect(b.node.linkTo(a.key)).toBeUndefined();
  });

  test('a channel that could not be opened has carried no call, and its error says so', async () => {
    const world = new BusWorld(9);
    const [a, b] = [world.node(1), world.node(2, { accepts: () => 'no' })];
    const notExecuted = expect.objectContaining({ code: 'PeerGone', executed: 'no' });
    await expect(world.open(a, b)).rejects.toEqual(notExecuted);
    const ticket = Buffer.from('ticket');
    await expect(a.node.open(b.key, ticket, AbortSignal.abort())).rejects.toEqual(notExecuted);
    a.node.close();
    await expect(a.node.open(b.key, ticket)).rejects.toEqual(notExecuted);
  });

  test('a reader that does not read is sent no more than a window, and holds up nobody else', async () => {
    const world = new BusWorld(8);
    const sleeps = [true, false];
    const [a, b] = [
      world.node(1),
      world.node(2, {
        opened: (channel) => new WatchedChannel(channel, { deaf: sleeps.shift() ?? false }),
      }),
    ];
    const slow = await world.open(a, b);
    for (const _ of numbers(100)) slow.send(100_000);
    const quick = await world.open(a, b);
    for (const _ of numbers(100)) quick.send(100_000);
    expect(await world.until(() => b.accepted[1]?.arrived.length === 100)).toBe(true);
    await world.run(1_000_000);
    expect(slow.left.size).toBe(10);
  });
});

describe('in bad times', () => {
  test('frames are lost, doubled, delayed and reordered by the bus: they arrive once, in order', async () => {
    for (const seed of SEEDS) {
      const world = new BusWorld(seed, BAD_TIMES);
      const { a, b, ab, ba } = await pair(world);
      const size = world.random.stream('size');
      for (let number = 0; number < 60; number++) {
        ab.send(size.pick([8, 500, 5000, 300_000]));
        ba.send(size.pick([8, 500, 20_000]));
        await world.run(size.below(20_000));
      }
      const done = (): boolean => ab.arrived.length === 60 && ba.arrived.length === 60;
      expect(
        await world.until(done),
        `seed ${seed}: ${ab.arrived.length}, ${ba.arrived.length}, ${a.unlinked.join()}, ${b.unlinked.join()}`,
      ).toBe(true);
      expect([ab.arrived, ba.arrived]).toEqual([numbers(60), numbers(60)]);
      expect([...a.unlinked, ...b.unlinked, ...a.violations, ...b.violations]).toEqual([]);
    }
  });

  test('a partition that heals before the lease is invisible', async () => {
    for (const seed of SEEDS) {
      const world = new BusWorld(seed, seed % 2 === 0 ? {} : BAD_TIMES);
      const { a, b, ab, ba } = await pair(world);
      const chance = world.random.stream('partition');
      for (let number = 0; number < 20; number++) {
        ab.send(chance.pick([8, 5000, 100_000]));
        ba.send(8);
        await world.run(chance.below(3000));
      }
      world.bus.part([2]);
      // Together with the time until both know that they are connected again: half of the lease.
      for (let number = 0; number < 20; number++) {
        ab.send(8);
        ba.send(8);
        await world.run(chance.below(100_000));
      }
      await world.run(chance.below(1_000_000));
      world.bus.heal();
      const done = (): boolean => ab.arrived.length === 40 && ba.arrived.length === 40;
      expect(
        await world.until(done),
        `seed ${seed}: ${ab.arrived.length}, ${ba.arrived.length}, ${a.unlinked.join()}, ${b.unlinked.join()}`,
      ).toBe(true);
      expect([ab.arrived, ba.arrived]).toEqual([numbers(40), numbers(40)]);
      expect([...a.unlinked, ...b.unlinked]).toEqual([]);
    }
  });

  test('a window of datagrams that are all lost is sent again in a few round trips', async () => {
    for (const payloadBytesMax of [16_384, 65_536, 262_144]) {
      const world = new BusWorld(3);
      const [a, b] = [world.node(1, { payloadBytesMax }), world.node(2)];
      const channels = [];
      for (const _ of numbers(4)) channels.push(await world.open(a, b));
      expect(await world.until(() => b.accepted.length === 4)).toBe(true);
      world.bus.part([2]);
      for (const channel of channels) for (const _ of numbers(16)) channel.send(65_536);
      await world.run(2_500_000);
      // Only the receiver has lost the bus, so the sender is not told that anything is lost.
      world.bus.heal();
      const beganUs = world.scheduler.nowUs;
      expect(await world.until(() => b.accepted.every(({ arrived }) => arrived.length === 16))).toBe(true);
      // Most of it is the time until the receiver knows.
      expect(world.scheduler.nowUs - beganUs).toBeLessThan(2_100_000);
    }
  });

  test('after the lease both ends are told; what has not left has not arrived, and nothing arrives later', async () => {
    for (const seed of SEEDS) {
      const world = new BusWorld(seed, seed % 2 === 0 ? {} : BAD_TIMES);
      const { ab, ba } = await pair(world);
      const chance = world.random.stream('partition');
      for (let number = 0; number < 20; number++) {
        ab.send(chance.pick([8, 5000, 400_000]));
        ba.send(chance.pick([8, 5000]));
        await world.run(chance.below(3000));
      }
      world.bus.part([chance.pick([1, 2])]);
      for (let number = 0; number < 30; number++) {
        ab.send(chance.pick([8, 400_000]));
        ba.send(8);
        await world.run(chance.below(200_000));
      }
      const cutUs = world.scheduler.nowUs;
      expect(await world.until(() => ab.ended !== undefined && ba.ended !== undefined), `seed ${seed}`).toBe(
        true,
      );
      expect(world.scheduler.nowUs - cutUs).toBeLessThan(OVER_US);
      for (const [from, to] of [
        [ab, ba],
        [ba, ab],
      ] as const) {
        const atEnd = to.arrived.length;
        expect(to.arrived).toEqual(numbers(atEnd));
        expect(to.arrived.filter((number) => !from.left.has(number))).toEqual([]);
      }
      const before = [ab.arrived.length, ba.arrived.length];
      world.bus.heal();
      await world.run(3_000_000);
      expect([ab.arrived.length, ba.arrived.length]).toEqual(before);
    }
  });

  test('when one end gives the other up, the other takes nothing any more', async () => {
    for (const seed of SEEDS) {
      // Nothing is lost, so that what was sent last may well arrive.
      const world = new BusWorld(seed, { delayedPerMille: 300, delayUsMax: 2_000_000 });
      const { a, b, ab, ba } = await pair(world);
      const chance = world.random.stream('one way');
      const isOver = (): boolean => ab.ended !== undefined && ba.ended !== undefined;
      await world.run(chance.below(LEASE_US));
      // One of them is not heard any more, or gets no turn for a while, stopped or suspended; the
      // other one talks on.
      const [victim, other] = chance.pick([
        [a, ba],
        [b, ab],
      ] as const);
      const taken = victim === a ? ab : ba;
      if (chance.once(2)) victim.dumb = true;
      else world.scheduler.hold(victim.number, LEASE_US + chance.below(LEASE_US));
      while (other.ended === undefined && world.scheduler.nowUs < 6 * LEASE_US) {
        other.send(8);
        await world.run(100_000);
      }
      const atEnd = taken.arrived.length;
      await world.until(isOver, 3 * LEASE_US);
      await world.run(LEASE_US);
      expect(isOver(), `seed ${seed}`).toBe(true);
      expect(taken.arrived.length, `seed ${seed}`).toBe(atEnd);
    }
  });

  test('a node that was started again ends its old links, and gets new ones', async () => {
    for (const seed of SEEDS.slice(0, 100)) {
      const world = new BusWorld(seed, BAD_TIMES);
      const { ba, b } = await pair(world);
      // The old one is gone without a word: its number is taken by another.
      const again = world.node(1);
      const channel = await world.open(again, b);
      channel.send();
      expect(await world.until(() => b.accepted[1]?.arrived.length === 1)).toBe(true);
      expect(ba.ended).toBe('its node has made a new link');
      expect(b.unlinked).toEqual(['its node has made a new link']);
    }
  });

  test('too much in front of a slow link ends the channel, and not the link', async (context) => {
    skipIfLong(context);
    const world = new BusWorld(9);
    const { a, b, ab } = await pair(world);
    const other = await world.open(a, b);
    world.bus.part([2]);
    const frame = frameOf(0, 16 * 1024 * 1024);
    for (const _ of numbers(45)) ab.channel.send(frame, []);
    await world.run(1000);
    expect(ab.ended).toBe('the peer does not read: too much waits for it');
    world.bus.heal();
    other.send();
    expect(await world.until(() => b.accepted[1]?.arrived.length === 1)).toBe(true);
  });
});

describe('a bus that denies', () => {
  test('publishing: the open fails at once, and names the subject and the key', async () => {
    const world = new BusWorld(10);
    const b = world.node(2);
    const inbox = 'ginit.test.to.';
    const a = world.node(1, { rights: { publish: ['other'], subscribe: ['>'] } });
    const startUs = world.scheduler.nowUs;
    await expect(world.open(a, b)).rejects.toThrow(
      `the bus does not let ${a.key} publish to "${inbox}${b.key}.${a.key}"`,
    );
    expect(world.scheduler.nowUs - startUs).toBeLessThan(100_000);
  });

  test('subscribing: every open fails, and names the subject and the key', async () => {
    const world = new BusWorld(11);
    const b = world.node(2);
    const a = world.node(1, { rights: { publish: ['>'], subscribe: [] } });
    const denied = `the bus does not let ${a.key} subscribe to "ginit.test.to.${a.key}.*"`;
    await expect(world.open(a, b)).rejects.toThrow(denied);
    await expect(world.open(a, b)).rejects.toThrow(denied);
  });
});
