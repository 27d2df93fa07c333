/**
 * Channels against mutated transcripts: what an honest peer has once sent, with bits flipped,
 * frames cut, repeated, dropped and exchanged, and with frames made up from the values that mean
 * something.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Dataspace, RpcError, type SignalCapability } from '../src/index.ts';
import { capabilityFor, referenceOf } from '../src/capability/capability.ts';
import { OPEN_OPERATION } from '../src/capability/open-operation.ts';
import type { Carrier } from '../src/channel/carrier.ts';
import { CONTENT_INLINE, EntryKind, FrameKind } from '../src/channel/frame.ts';
import { plansOf } from '../src/interface/operation.ts';
import { LIMITS } from '../src/limits.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import {
  attack,
  frameOf,
  HONEST,
  HOSTILE,
  operation,
  payloadOf,
  plain,
  type Scene,
  settled,
  Target,
  Thing,
  VICTIM,
} from './channel-raw-peer.ts';
import { SHARES_NONE } from '../src/memory/shared-memory.ts';

/** The acts of an honest peer in the transcripts. */
const ACTIONS = [
  'echo',
  'later',
  'never',
  'thing',
  'keep',
  'keepAll',
  'pair',
  'rom',
  'any',
  'giveBack',
  'wake',
  'streams',
  'poked',
] as const;
const OPERATIONS = [...plansOf(Target).byName.keys(), '$open'];
type Action = (typeof ACTIONS)[number];

/**
 * Plays `actions` honestly, with a component that sits where the hostile one will, and records what
 * it sends.
 */
async function transcript(actions: readonly Action[]): Promise<Uint8Array[]> {
  const scene = attack();
  const sent: Uint8Array[] = [];
  const failed: unknown[] = [];
  const other = new Entrypoint({ schedule: queueMicrotask, report: () => {}, introduce: async () => {} });
  const carrier: Carrier = {
    sharing: SHARES_NONE,
    send(frame) {
      const copy = frame.slice();
      sent.push(copy);
      queueMicrotask(() => scene.peer.send(copy));
      return false;
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
    failed.push(...(await settlesWith(act(action, scene, other, target))));
  }
  expect(failed).toEqual([]);
  expect(scene.violations).toEqual([]);
  return sent;
}

/** Lets an action go on for a turn; what it fails with, if it does. */
async function settlesWith(action: Promise<void>): Promise<unknown[]> {
  const failed: unknown[] = [];
  action.catch((error: unknown) => failed.push(error));
  await settled(1);
  return failed;
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
    case 'keepAll':
      return target.keepAll([0, 1].map((answer) => other.export(Thing, { poke: () => answer })));
    case 'pair': {
      const thing = other.export(Thing, { poke: () => 1 });
      return void (await target.pair(thing, await target.thing(), 'words'));
    }
    case 'rom':
      return void (await target.rom(Dataspace.ofContent(Uint8Array.of(1, 2, 3))));
    case 'any':
      return void (await target.any({ some: ['words', 1, null] }));
    case 'streams':
      return void (await referenceOf(target)?.call(OPEN_OPERATION, []));
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

/** Payloads: counts and lengths of every width, texts, numbers, plain values. */
const piece = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 64, 100, 253, 254, 255).map((byte) => Uint8Array.of(byte)),
  fc
    .constantFrom('', 'x', 'words', 'PeerGone', '\u00e9')
    .map((words) => payloadOf((writer) => writer.text(words))),
  fc.constantFrom(0, -1, 0.5, 7, Number.NaN, 1e300).map((value) => payloadOf((writer) => writer.f64(value))),
  fc.jsonValue().map(plain),
  fc.uint8Array({ maxLength: 40 }),
);

const madeFrame = fc
  .record({
    kind: fc.constantFrom(...Object.values(FrameKind)),
    first: index,
    second: index,
    third: fc.oneof(
      index,
      fc.constantFrom(...OPERATIONS).map((name) => operation(name).key),
    ),
    pieces: fc.array(piece, { maxLength: 4 }),
    entries: fc.array(
      fc.record({ kind: fc.constantFrom(...Object.values(EntryKind)), first: index, second: index }),
      { maxLength: 4 },
    ),
  })
  .map(({ kind, first, second, third, pieces, entries }) =>
    frameOf(kind, { first, second, third }, Uint8Array.from(Buffer.concat(pieces)), entries),
  );

const mutation: fc.Arbitrary<Mutation> = fc.record({
  at: fc.nat(1000),
  how: fc.constantFrom('flip', 'cut', 'repeat', 'drop', 'swap', 'set word', 'insert'),
  place: fc.nat(1000),
  value: fc.oneof(fc.nat(255), fc.constantFrom(0x7f, 0x80, 0xc1, 0xd4, 0xdd, 0xfd, 0xfe, 0xff)),
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
    scene.peer.send(frame, [{ buffer: new SharedArrayBuffer(64) }]);
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

test('frames made up of meaningful parts end at worst their own channel', { timeout: 120_000 }, async () => {
  const property = fc.asyncProperty(fc.boolean(), fc.array(madeFrame, { maxLength: 30 }), survives);
  await fc.assert(property, { numRuns: 3000 });
});

test('random bytes end at worst their own channel', async () => {
  const random = fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 20 });
  await fc.assert(fc.asyncProperty(fc.boolean(), random, survives), { numRuns: 500 });
});
