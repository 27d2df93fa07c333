/**
 * A hostile user of the bus who knows every subject and, by a mistake of configuration, may publish
 * and subscribe to all of them. It can neither call, nor read, nor replay, nor end a link.
 */
import { describe, expect, test } from 'vitest';
import { Identity } from '@ginit/core/nats';
import type { Bus, BusMessage } from '@ginit/core/platform';
import { leftOut } from '../../../test/harness/long.ts';
import { BusWorld, CLUSTER, type TestNode, type WatchedChannel } from './bus-world.ts';

const SEEDS = Array.from({ length: leftOut(true) ? 5 : 200 }, (_, seed) => seed);
const ALL = { publish: ['>'], subscribe: ['>'] };
const HOSTILE = 66;
const LEASE_US = 10_000_000;

const HELLO = 1;
const DATA = 4;
const NUMBER_AT = 12;

const kindOf = ({ payload }: BusMessage): number => payload[1] ?? 0;
const to = (receiver: TestNode, sender: string): string => `ginit.${CLUSTER}.to.${receiver.key}.${sender}`;

interface Scene {
  readonly world: BusWorld;
  readonly a: TestNode;
  readonly b: TestNode;
  readonly ab: WatchedChannel;
  readonly ba: WatchedChannel;
  readonly hostile: Bus;
  /** Everything that was said between the two. */
  readonly heard: BusMessage[];
}

/** Two nodes that talk, and somebody who hears all of it. */
async function scene(seed: number): Promise<Scene> {
  const world = new BusWorld(seed);
  const hostile = world.bus.connect(HOSTILE, { rights: ALL });
  const heard: BusMessage[] = [];
  const stop = hostile.subscribe('>', (message) => heard.push(message));
  const known: string[] = [];
  const accepts = (peer: string): string | undefined =>
    known.includes(peer) ? undefined : 'not of this cluster';
  const [a, b] = [world.node(1, { accepts }), world.node(2, { accepts })];
  known.push(a.key, b.key);
  const ab = await world.open(a, b);
  expect(await world.until(() => b.accepted.length === 1)).toBe(true);
  const [ba] = b.accepted;
  if (!ba) throw new Error('no channel');
  for (let number = 0; number < 5; number++) {
    ab.send(200);
    ba.send(200);
  }
  expect(await world.until(() => ab.arrived.length === 5 && ba.arrived.length === 5)).toBe(true);
  stop();
  return { world, a, b, ab, ba, hostile, heard };
}

/** The link is as good as before, and nobody has got anything that was not sent. */
async function expectUnharmed({ world, a, b, ab, ba }: Scene): Promise<void> {
  const [fromA, fromB] = [ab.sent, ba.sent];
  ab.send();
  ba.send();
  await world.run(1_000_000);
  expect(ba.arrived).toEqual(Array.from({ length: fromA + 1 }, (_, number) => number));
  expect(ab.arrived).toEqual(Array.from({ length: fromB + 1 }, (_, number) => number));
  expect([...a.unlinked, ...b.unlinked, ...a.violations, ...b.violations]).toEqual([]);
  expect([a.accepted.length, b.accepted.length]).toEqual([0, 1]);
}

describe('another user of the bus', () => {
  test('sends everything again that it has overheard, in any order and as often as it likes', async () => {
    for (const seed of SEEDS) {
      const all = await scene(seed);
      const chance = all.world.random.stream('replay');
      for (let time = 0; time < 200; time++) {
        const message = chance.pick(all.heard);
        all.hostile.publish(message.subject, message.payload);
        await all.world.run(chance.below(20_000));
      }
      await expectUnharmed(all);
    }
  });

  test('changes what it has overheard: any byte, any length', async () => {
    for (const seed of SEEDS) {
      const all = await scene(seed);
      const chance = all.world.random.stream('change');
      for (let time = 0; time < 300; time++) {
        const { subject, payload } = chance.pick(all.heard);
        const changed = new Uint8Array(payload);
        const at = chance.below(changed.length);
        changed[at] = (changed[at] ?? 0) ^ (1 << chance.below(8));
        const length = chance.once(4) ? chance.below(changed.length + 1) : changed.length;
        all.hostile.publish(subject, changed.subarray(0, length));
      }
      await all.world.run(100_000);
      await expectUnharmed(all);
    }
  });

  test('gives a datagram the number that comes next', async () => {
    const all = await scene(1);
    for (const { subject, payload } of all.heard.filter((message) => kindOf(message) >= DATA)) {
      for (let number = 1; number < 40; number++) {
        const changed = new Uint8Array(payload);
        new DataView(changed.buffer).setUint32(NUMBER_AT, number, true);
        all.hostile.publish(subject, changed);
      }
    }
    await all.world.run(100_000);
    await expectUnharmed(all);
  });

  test('sends what one node has said back to it, or on to a third, or in another name', async () => {
    const all = await scene(2);
    const third = all.world.node(3);
    const others = [all.a, all.b, third];
    for (const { payload } of all.heard)
      for (const receiver of others)
        for (const sender of others) all.hostile.publish(to(receiver, sender.key), payload);
    await all.world.run(100_000);
    await expectUnharmed(all);
    expect(third.accepted).toEqual([]);
  });

  test('shakes hands with a key of its own: it is refused', async () => {
    const { world, b } = await scene(3);
    const stranger = world.node(HOSTILE, { rights: ALL });
    await expect(world.open(stranger, b)).rejects.toThrow('refuses: not of this cluster');
    expect(b.accepted.length).toBe(1);
  });

  test('shakes hands in the name of a node with a key of its own: nobody answers', async () => {
    const all = await scene(4);
    // Its hellos, as it would send them to the node itself, under the name of the other one.
    const stranger = all.world.node(HOSTILE, { rights: ALL });
    const said: BusMessage[] = [];
    all.world.bus.connect(67).subscribe('>', (message) => said.push(message));
    const opening = all.world.open(stranger, all.b).catch(() => {});
    await all.world.run(100_000);
    await opening;
    for (const { payload } of said.filter((message) => kindOf(message) === HELLO))
      all.world.bus.connect(68, { rights: ALL }).publish(to(all.b, all.a.key), payload);
    said.length = 0;
    await all.world.run(100_000);
    expect(said.filter(({ subject }) => subject === to(all.a, all.b.key)).map(kindOf)).not.toContain(2);
    await expectUnharmed(all);
  });

  test('replays a whole life of a link after its end: nothing comes of it', async () => {
    for (const seed of SEEDS) {
      const all = await scene(seed);
      all.a.node.close();
      await all.world.run(100_000);
      expect(all.b.node.linkTo(all.a.key)).toBeUndefined();
      for (let round = 0; round < 3; round++)
        for (const { subject, payload } of all.heard) {
          all.hostile.publish(subject, payload);
          await all.world.run(5000);
        }
      await all.world.run(3 * LEASE_US);
      expect(all.b.node.linkTo(all.a.key)).toBeUndefined();
      expect(all.b.accepted.length).toBe(1);
      expect(all.ba.arrived.length).toBe(5);
    }
  });

  test('replays an old epoch to a new one', async () => {
    const all = await scene(6);
    const again = all.world.node(1);
    const channel = await all.world.open(again, all.b);
    expect(await all.world.until(() => all.b.accepted.length === 2)).toBe(true);
    for (const { subject, payload } of all.heard) all.hostile.publish(subject, payload);
    channel.send();
    await all.world.run(1_000_000);
    expect(all.b.accepted.map(({ arrived }) => arrived.length)).toEqual([5, 1]);
    expect(all.b.unlinked).toEqual(['its node has made a new link']);
  });

  test('floods a node with hellos in all names: the nodes that it knows still get their links', async () => {
    const world = new BusWorld(7);
    const known: string[] = [];
    const accepts = (peer: string): string | undefined => (known.includes(peer) ? undefined : 'a stranger');
    const [a, b, first] = [world.node(1), world.node(2, { accepts }), world.node(3)];
    known.push(a.key, first.key);
    const hostile = world.bus.connect(HOSTILE, { rights: ALL });
    const heard: BusMessage[] = [];
    const stop = hostile.subscribe('>', (message) => heard.push(message));
    await world.open(first, b);
    await world.run(10_000);
    stop();
    const [hello] = heard;
    if (!hello) throw new Error('no hello');
    const names = Array.from(
      { length: 50 },
      (_, number) => new Identity(world.seedOf(100 + number)).publicKey,
    );
    let flooding = true;
    const flood = (): void => {
      if (!flooding) return;
      for (const name of [...names, first.key]) {
        const forged = new Uint8Array(hello.payload);
        forged[60] = (forged[60] ?? 0) ^ 1;
        hostile.publish(to(b, name), forged);
      }
      world.scheduler.after(20_000, { owner: HOSTILE, describe: () => 'floods', run: flood });
    };
    flood();
    await world.run(300_000);
    const channel = await world.open(a, b);
    channel.send();
    expect(await world.until(() => b.accepted.some(({ arrived }) => arrived.length === 1))).toBe(true);
    flooding = false;
  });
});

describe('a user with the rights of a node', () => {
  test('hears nothing that is meant for others, and says nothing in their name', async () => {
    const all = await scene(8);
    const user = all.world.node(3);
    const denied: string[] = [];
    user.bus.onDenied(({ operation, subject }) => denied.push(`${operation} ${subject}`));
    const heard: BusMessage[] = [];
    const guesses = [
      '>',
      `ginit.${CLUSTER}.>`,
      `ginit.${CLUSTER}.to.*.*`,
      `ginit.${CLUSTER}.to.${all.b.key}.*`,
    ];
    for (const pattern of guesses) user.bus.subscribe(pattern, (message) => heard.push(message));
    for (const { subject, payload } of all.heard) user.bus.publish(subject, payload);
    await expectUnharmed(all);
    expect(heard).toEqual([]);
    const subjects = new Set(all.heard.map(({ subject }) => `publish ${subject}`));
    expect(new Set(denied)).toEqual(new Set([...guesses.map((guess) => `subscribe ${guess}`), ...subjects]));
  });
});
