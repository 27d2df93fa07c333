/**
 * Channels against mutated transcripts: what an honest peer has once sent, with bits flipped, frames cut, repeated,
 * dropped and exchanged, and with frames made up from the values that mean something.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RpcError, type SignalCapability } from '../src/index.ts';
import { capabilityFor } from '../src/capability/capability.ts';
import type { Carrier } from '../src/channel/carrier.ts';
import { CONTENT_INLINE, encodeFrame, EntryKind, FrameKind } from '../src/channel/frame.ts';
import { LIMITS } from '../src/limits.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import {
  attack,
  HONEST,
  HOSTILE,
  payloadOf,
  type Scene,
  settled,
  Target,
  Thing,
  VICTIM,
} from './channel-raw-peer.ts';

/** What an honest peer does in the transcripts. */
const ACTIONS = ['echo', 'later', 'never', 'thing', 'keep', 'giveBack', 'wake', 'streams', 'poked'] as const;
type Action = (typeof ACTIONS)[number];

/** Plays `actions` honestly, with a component that sits where the hostile one will, and records what it sends. */
async function transcript(actions: readonly Action[]): Promise<Uint8Array[]> {
  const scene = attack();
  const sent: Uint8Array[] = [];
  const other = new Entrypoint({ schedule: queueMicrotask, report: () => {}, introduce: async () => {} });
  const carrier: Carrier = {
    sharesMemory: false,
    send(frame) {
      sent.push(frame.slice());
      queueMicrotask(() => scene.peer.send(frame));
    },
    receive(handler) {
      scene.peer.onFrame = (frame) => queueMicrotask(() => handler(frame.slice(), []));
    },
    closed: () => {},
    close: () => {},
  };
  const own = other.exportObject(Thing, { poke: () => 9 });
  const target = capabilityFor(Target, other.addChannel(VICTIM, carrier, own).import(0));
  for (const action of actions) {
    act(action, scene, other, target).catch(() => {});
    await settled(1);
  }
  expect(scene.violations).toEqual([]);
  return sent;
}

async function act(
  action: Action,
  scene: Scene,
  other: Entrypoint,
  target: ReturnType<typeof capabilityFor<typeof Target>>,
): Promise<void> {
  const signal: SignalCapability = other.signal(() => {});
  switch (action) {
    case 'echo':
      return void (await target.echo('some words'));
    case 'thing':
      return (await target.thing())[Symbol.dispose]();
    case 'keep':
      return target.keep(other.export(Thing, { poke: () => 1 }));
    case 'giveBack':
      return (await target.giveBack(await target.thing()))[Symbol.dispose]();
    case 'wake':
      return target.wake(signal);
    case 'poked':
      return void (await scene.remote.poke());
    default:
      return void (await target[action]());
  }
}

interface Mutation {
  readonly at: number;
  readonly how: 'flip' | 'cut' | 'repeat' | 'drop' | 'swap' | 'set word' | 'insert';
  readonly place: number;
  readonly value: number;
  readonly made: Uint8Array;
}

const index = fc.oneof(
  fc.integer({ min: 0, max: 8 }),
  fc.constantFrom(HONEST, HOSTILE, VICTIM, CONTENT_INLINE),
);

const madeFrame = fc
  .record({
    kind: fc.constantFrom(...Object.values(FrameKind)),
    first: index,
    second: index,
    third: index,
    operation: fc.constantFrom(...ACTIONS, 'any', '$open', ''),
    rest: fc.oneof(fc.jsonValue().map(payloadOf), fc.uint8Array({ maxLength: 40 }), fc.constant(undefined)),
    entries: fc.array(
      fc.record({ kind: fc.constantFrom(...Object.values(EntryKind)), first: index, second: index }),
      { maxLength: 3 },
    ),
  })
  .map(({ kind, first, second, third, operation, rest, entries }) => {
    // A list of the operation and one argument: anything, or what the first entry of the table stands for.
    const argument = rest ?? Uint8Array.from([0xd4, 0x20, 0, 0]);
    const payload = Uint8Array.from([0x92, ...payloadOf(operation), ...argument]);
    return encodeFrame(kind, { first, second, third }, payload, entries);
  });

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(1000),
  how: fc.constantFrom('flip', 'cut', 'repeat', 'drop', 'swap', 'set word', 'insert'),
  place: fc.nat(1000),
  value: fc.oneof(fc.nat(255), fc.constantFrom(0x7f, 0x80, 0xc1, 0xd4, 0xdd, 0xff)),
  made: madeFrame,
});

function mutate(frames: Uint8Array[], { at, how, place, value, made }: Mutation): void {
  const number = at % (frames.length || 1);
  const frame = frames[number]?.slice() ?? made;
  const offset = place % (frame.length || 1);
  if (how === 'flip') frame[offset] = value;
  if (how === 'set word' && frame.length >= 16) {
    new DataView(frame.buffer).setUint32(4 + (place % 3) * 4, value, true);
  }
  if (how === 'drop') frames.splice(number, 1);
  else if (how === 'repeat') frames.splice(place % (frames.length + 1), 0, frame);
  else if (how === 'insert') frames.splice(number, 0, made);
  else if (how === 'cut') frames[number] = frame.subarray(0, offset);
  else if (how === 'swap') frames.splice(place % (frames.length || 1), 0, ...frames.splice(number, 1));
  else frames[number] = frame;
}

/** Sends the frames and checks that nothing but the hostile peer's own channel has suffered. */
async function survives(sharesMemory: boolean, frames: readonly Uint8Array[]): Promise<void> {
  const scene = attack(sharesMemory);
  const pending = scene.remote.poke().then(
    () => 'answered',
    (error: unknown) => (error instanceof RpcError ? 'failed' : String(error)),
  );
  for (const frame of frames) {
    scene.peer.send(frame, [new SharedArrayBuffer(64)]);
    await Promise.resolve();
  }
  await settled();
  expect(scene.peer.thrown).toEqual([]);
  expect(scene.reports).toEqual([]);
  expect(scene.channel.importedObjects).toBeLessThanOrEqual(
    frames.length * LIMITS.capabilitiesPerMessage + 1,
  );
  expect(await scene.honest()).toBe('hello');
  scene.peer.die();
  scene.victim.peerGone(HOSTILE);
  expect(['answered', 'failed']).toContain(await pending);
  await settled(1);
  expect([scene.channel.pendingCalls, scene.channel.exports.size, scene.channel.importedObjects]).toEqual([
    0, 0, 0,
  ]);
  expect(scene.victim.census().introductions).toBe(0);
  expect(await scene.honest()).toBe('hello');
}

test('mutated transcripts end at worst their own channel', { timeout: 120_000 }, async () => {
  const arbitrary = [
    fc.boolean(),
    fc.array(fc.constantFrom(...ACTIONS), { minLength: 1, maxLength: 12 }),
    fc.array(mutation, { minLength: 1, maxLength: 12 }),
  ] as const;
  const property = fc.asyncProperty(...arbitrary, async (sharesMemory, actions, mutations) => {
    const frames = await transcript(actions);
    for (const change of mutations) mutate(frames, change);
    await survives(sharesMemory, frames);
  });
  await fc.assert(property, { numRuns: 1500 });
});

test('frames made up from what means something', { timeout: 120_000 }, async () => {
  const property = fc.asyncProperty(fc.boolean(), fc.array(madeFrame, { maxLength: 30 }), survives);
  await fc.assert(property, { numRuns: 3000 });
});

test('random bytes', async () => {
  const random = fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 20 });
  await fc.assert(fc.asyncProperty(fc.boolean(), random, survives), { numRuns: 500 });
});
