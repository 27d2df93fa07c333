/**
 * Channels against a peer that writes whatever it likes: it ends its own channel at worst, and
 * nothing else.
 */
import { describe, expect, test } from 'vitest';
import { hasCode, RpcError } from '../src/index.ts';
import { capabilityFor, referenceOf } from '../src/capability/capability.ts';
import { OPEN_OPERATION } from '../src/capability/open-operation.ts';
import { SignalContext } from '../src/capability/signal-context.ts';
import { LocalReference } from '../src/capability/reference.ts';
import { CONTENT_INLINE, type Entry, EntryKind, FrameKind } from '../src/channel/frame.ts';
import { Entrypoint } from '../src/runtime/entrypoint.ts';
import { LIMITS } from '../src/limits.ts';
import { bytes, call, callRaw, code, failures, holds, latestCall, mine } from './channel-hostile-checks.ts';
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
  Thing,
} from './channel-raw-peer.ts';

const answerOf = (value: number): Uint8Array =>
  payloadOf((writer) => operation('poke').writeResult(writer, value));
const failure = (...texts: string[]): Uint8Array =>
  payloadOf((writer) => {
    for (const text of texts) writer.text(text);
  });

describe('broken frames end the channel', () => {
  const good = frameOf(
    FrameKind.call,
    { first: 1, third: operation('echo').key },
    payloadOf((writer) => operation('echo').writeArguments(writer, ['x'.repeat(50)])),
  );
  const changed = (at: number, value: number): Uint8Array => {
    const frame = good.slice();
    frame[at] = value;
    return frame;
  };
  test.each<[string, Uint8Array]>([
    ['empty', bytes()],
    ['half a header', good.subarray(0, 9)],
    ['of an unknown kind', changed(0, 77)],
    ['of kind zero', changed(0, 0)],
    ['of the version before', changed(1, 1)],
    ['of another version', changed(1, 3)],
    ['with a table beyond the frame', changed(2, 9)],
    ['with more entries than allowed', changed(3, 255)],
    ['too long', new Uint8Array(LIMITS.messageBytes + 1)],
    ['with entries of an unknown kind', changed(2, 1)],
  ])('%s', async (_, frame) => {
    const scene = attack();
    scene.peer.send(frame);
    await holds(scene, 'violated');
  });
});

describe('answers and acknowledgements out of nowhere end the channel', () => {
  test.each<[string, (scene: Scene) => void]>([
    ['a result', ({ peer }) => peer.frame(FrameKind.result, { first: 5 }, answerOf(1))],
    ['a failure', ({ peer }) => peer.frame(FrameKind.failure, { first: 5 }, failure('X', ''))],
    ['a signal that was not sent', ({ peer }) => peer.frame(FrameKind.signalTaken, { first: 1 })],
    ['what it does not hold', ({ peer }) => peer.frame(FrameKind.release, { first: 9, second: 1 })],
    [
      'more than it holds',
      (scene) => {
        call(scene, 1, 'thing');
        scene.peer.frame(FrameKind.release, { first: 1, second: 2 });
      },
    ],
  ])('%s', async (_, send) => {
    const scene = attack();
    send(scene);
    await holds(scene, 'violated');
  });

  test('a second answer to one call ends the channel', async () => {
    const scene = attack();
    const first = scene.remote.poke();
    const id = latestCall(scene);
    scene.peer.frame(FrameKind.result, { first: id }, answerOf(4));
    expect(await first).toBe(4);
    scene.peer.frame(FrameKind.result, { first: id }, answerOf(5));
    await holds(scene, 'violated');
  });
});

describe('tables', () => {
  test.each([
    ['of the sender: nobody answers for it', EntryKind.mine, 77, 0, 'succeeded'],
    ['of the receiver, never granted', EntryKind.yours, 77, 0, 'InvalidArgument'],
    ['of a third component that does not exist', EntryKind.theirs, 5, 999, 'succeeded'],
    ['a dataspace in place of a capability', EntryKind.rom, 8, CONTENT_INLINE, 'InvalidArgument'],
    ['memory in place of a capability', EntryKind.ram, 8, 0, 'InvalidArgument'],
    ['a stream in place of a capability', EntryKind.stream, 8, 0, 'InvalidArgument'],
  ] as const)('an entry %s', async (_, kind, first, second, outcome) => {
    const scene = attack();
    callRaw(scene, 1, 'keep', bytes(), [{ kind, first, second }]);
    expect(failures(scene)).toEqual(outcome === 'succeeded' ? [] : [outcome]);
    await holds(scene, 'open');
  });

  test('memory that does not come along, or is smaller than it says', async () => {
    const scene = attack(true);
    const frame = (first: number, second: number): Uint8Array =>
      frameOf(FrameKind.call, { first: 1, third: operation('rom').key }, bytes(), [
        { kind: EntryKind.ram, first, second },
      ]);
    scene.peer.send(frame(8, 0));
    scene.peer.send(frame(8, 7), [{ buffer: new SharedArrayBuffer(8) }]);
    scene.peer.send(frame(9, 0), [{ buffer: new SharedArrayBuffer(8) }]);
    expect(failures(scene)).toEqual(['InvalidArgument', 'InvalidArgument', 'InvalidArgument']);
    scene.peer.send(frame(8, 0), [{ buffer: new SharedArrayBuffer(8) }]);
    const [answer] = scene.peer.received(FrameKind.result);
    expect(answer?.payload).toEqual(answerOf(8));
    await holds(scene, 'open');
  });

  test('a peer that passes capabilities without end loses the channel', async () => {
    const scene = attack();
    for (let message = 0; message < 2000 && !scene.peer.closed; message++) {
      const entries = Array.from({ length: 64 }, (_, index) => mine(message * 64 + index));
      callRaw(scene, message, 'keepAll', bytes(64), entries);
      expect(scene.channel.importedObjects).toBeLessThanOrEqual(LIMITS.importsPerChannel);
    }
    await holds(scene, 'violated');
  });
});

describe('floods', () => {
  test('calls beyond the limit', async () => {
    const scene = attack();
    for (let id = 0; id < LIMITS.callsInFlight; id++) call(scene, id, 'never');
    expect(scene.peer.closed).toBe(false);
    call(scene, 0, 'never');
    await holds(scene, 'violated');
  });

  test('calls whose answers are never taken', async () => {
    const scene = attack();
    scene.peer.takesNothing = true;
    for (let id = 0; id < LIMITS.callsInFlight; id++) {
      if (id % 3 === 0) call(scene, id, 'echo', 'x');
      else if (id % 3 === 1) callRaw(scene, id, 'echo', bytes(9));
      else call(scene, id, 'later');
    }
    await settled();
    expect(scene.peer.closed).toBe(false);
    scene.peer.makeRoom(10);
    for (let id = 0; id < 10; id++) call(scene, id, 'echo', 'x');
    expect(scene.peer.closed).toBe(false);
    call(scene, 0, 'echo', 'x');
    await holds(scene, 'violated');
  });

  test('calls whose answers wait for a capability that never comes', async () => {
    const scene = attack();
    // Of several owners, as fewer of one owner's may be announced than calls may be under way.
    const entry = (id: number): Entry => ({ kind: EntryKind.theirs, first: id, second: 100 + (id % 8) });
    for (let id = 1; id <= LIMITS.callsInFlight; id++) callRaw(scene, id, 'giveBack', bytes(), [entry(id)]);
    expect(scene.peer.closed).toBe(false);
    expect(scene.peer.frames).toEqual([]);
    callRaw(scene, 0, 'giveBack', bytes(), [entry(0)]);
    await holds(scene, 'violated');
  });

  test('signals', async () => {
    const scene = attack();
    let runs = 0;
    const context = new SignalContext(
      () => void runs++,
      queueMicrotask,
      () => {},
    );
    const index = scene.channel.exports.add(context);
    for (let signal = 0; signal < 10_000; signal++) scene.peer.frame(FrameKind.signal, { first: index });
    for (let other = 0; other < 100; other++) scene.peer.frame(FrameKind.signal, { first: other });
    await settled();
    expect(runs).toBe(1);
    await holds(scene, 'open');
  });

  test('signal contexts that are never taken', async () => {
    const scene = attack();
    for (let index = 1; index <= LIMITS.importsPerChannel + 1; index++) {
      callRaw(scene, index, 'wake', bytes(), [mine(index)]);
    }
    await holds(scene, 'violated');
  });

  test('objects that are never given back', async () => {
    const scene = attack();
    for (let id = 1; id < LIMITS.exportsPerChannel + 100; id++) call(scene, id, 'thing');
    expect(scene.channel.exports.size).toBe(LIMITS.exportsPerChannel);
    expect(new Set(failures(scene))).toEqual(new Set(['LimitExceeded']));
    await holds(scene, 'open');
  });

  test('calls to a peer that withholds answers wait, bounded, and end with the peer', async () => {
    const scene = attack();
    const calls = Array.from({ length: LIMITS.callsPipelined + LIMITS.callsWaiting + 1 }, () =>
      scene.remote.poke(),
    );
    const codes = Promise.all(calls.map(code));
    await settled();
    expect(scene.peer.received(FrameKind.call)).toHaveLength(LIMITS.callsPipelined);
    expect(await code(scene.remote.poke())).toBe('LimitExceeded');
    expect(await scene.honest()).toBe('hello');
    scene.peer.die();
    const outcomes = await codes;
    expect(outcomes.filter((outcome) => outcome === 'PeerGone')).toHaveLength(
      LIMITS.callsPipelined + LIMITS.callsWaiting,
    );
  });

  test('calls of a component that serves somebody do not wait for withheld answers, but are bounded too', async () => {
    const scene = attack();
    call(scene, 1, 'never');
    const calls = Array.from({ length: LIMITS.callsInFlight + 10 }, () => scene.remote.poke());
    const codes = Promise.all(calls.map(code));
    await settled();
    expect(scene.peer.received(FrameKind.call)).toHaveLength(LIMITS.callsInFlight);
    expect(scene.channel.pendingCalls).toBe(LIMITS.callsInFlight);
    expect(await scene.honest()).toBe('hello');
    scene.peer.die();
    const outcomes = await codes;
    const counted = (wanted: string): number => outcomes.filter((outcome) => outcome === wanted).length;
    expect([counted('PeerGone'), counted('LimitExceeded')]).toEqual([LIMITS.callsInFlight, 10]);
  });
});

describe('introductions', () => {
  const introduction = (scene: Scene, giver: number, number: number, third = 3): void =>
    scene.peer.frame(FrameKind.introduction, { first: giver, second: number, third });
  const announced = (scene: Scene, number: number, owner: number): void =>
    callRaw(scene, number, 'keep', bytes(), [{ kind: EntryKind.theirs, first: number, second: owner }]);

  test('thousands, for givers that exist and for others', async () => {
    const scene = attack();
    for (let number = 0; number < 10_000; number++) {
      introduction(scene, HONEST, number, number + 10);
      introduction(scene, 5000 + number, number, number + 20_000);
    }
    expect(scene.victim.census().introductions).toBeLessThanOrEqual(LIMITS.introductionsPerPair);
    expect(scene.channel.importedObjects).toBeLessThanOrEqual(LIMITS.introductionsPerPair + 1);
    await settled();
    expect(await scene.honest()).toBe('hello');
    scene.peer.die();
    scene.victim.peerGone(HONEST);
    expect(scene.victim.census().introductions).toBe(0);
  });

  test('nobody can introduce an object in the place of its owner', async () => {
    const scene = attack();
    introduction(scene, HONEST, 1);
    const theirs = scene.victim.expectIntroduction(HONEST, 1, 3);
    expect(scene.peer.received(FrameKind.call)).toEqual([]);
    const called = code(theirs.call(operation('poke'), []));
    const object = scene.victim.exportObject(Thing, { poke: () => 42 });
    scene.victim.introduced(HONEST, 1, new LocalReference(object), 3);
    expect(await called).toBe('succeeded');
  });

  test('announced twice, with the same number, by an owner that never comes', async () => {
    const scene = attack();
    for (let time = 0; time < 3; time++) announced(scene, 9, HONEST);
    await settled();
    const outcomes = scene.kept.map((thing) => code(thing.poke()));
    expect(outcomes).toHaveLength(3);
    scene.peer.die();
    expect(await Promise.all(outcomes)).toEqual(['PeerGone', 'PeerGone', 'PeerGone']);
  });

  test('announced without end', async () => {
    const scene = attack();
    for (let number = 1; number < 100_000; number++) announced(scene, number, number % 50);
    expect(scene.victim.census().introductions).toBeLessThanOrEqual(LIMITS.introductionsPerGiver);
    await holds(scene, 'open');
  });

  test('introduced twice, and late', async () => {
    const scene = attack();
    introduction(scene, HOSTILE, 1, 3);
    introduction(scene, HOSTILE, 1, 3);
    announced(scene, 1, HOSTILE);
    introduction(scene, HOSTILE, 1, 3);
    introduction(scene, HOSTILE, 0, 4);
    scene.victim.introductionFailed(HOSTILE, 1, HOSTILE, 'late');
    expect(scene.victim.census().introductions).toBe(0);
    expect(scene.channel.importedObjects).toBe(2);
    await holds(scene, 'open');
  });

  test('of an owner that is gone already', async () => {
    const scene = attack();
    scene.victim.peerGone(4);
    announced(scene, 1, 4);
    const [thing] = scene.kept;
    expect(await code(thing?.poke() ?? Promise.resolve())).toBe('PeerGone');
    expect(scene.victim.census().introductions).toBe(0);
  });

  test('of an object of ours to a component whose channel with us it has broken', async () => {
    const scene = attack();
    scene.peer.send(bytes(1));
    expect(await code(scene.victim.channelTo(HOSTILE))).toBe('PeerGone');
    const offer = { giver: HONEST, number: 1, index: 0, to: HOSTILE };
    // To core, which asks, it is not this component that is gone.
    expect(await code(scene.victim.offer(offer))).toBe('Revoked');
  });

  test('an owner that the supervisor cannot reach does not use up the calls to the supervisor', async () => {
    let asked = 0;
    const never = (): Promise<void> => {
      asked++;
      return new Promise(() => {});
    };
    const victim = new Entrypoint({ schedule: queueMicrotask, report: () => {}, introduce: never });
    for (let number = 0; number < LIMITS.introductionsAsked; number++) {
      victim.announce(9, 1);
      void victim.introduce(number, 9, 1, 5);
    }
    expect(asked).toBe(LIMITS.introductionsAtCore);
    expect(() => victim.announce(9, 1)).toThrow('too many introductions');
    expect(() => victim.announce(8, 1)).not.toThrow();
  });
});

describe('streams', () => {
  /** The victim asks the peer for a session's streams, and gets one with the given number. */
  const opened = (scene: Scene, id: number): Promise<unknown> => {
    const asked = referenceOf(scene.remote)?.call(OPEN_OPERATION, []) ?? Promise.reject(new Error('local'));
    const payload = payloadOf((writer) => OPEN_OPERATION.writeResult(writer, { tx: {} }));
    scene.peer.frame(FrameKind.result, { first: latestCall(scene) }, payload, [
      { kind: EntryKind.stream, first: id, second: CONTENT_INLINE },
    ]);
    scene.peer.frames.length = 0;
    return asked;
  };

  test('frames of streams that do not exist are dropped', async () => {
    const scene = attack();
    for (let id = 0; id < 100; id++) {
      scene.peer.frame(FrameKind.stream, { first: id, second: id % 2 }, new Uint8Array(1000));
      scene.peer.frame(FrameKind.streamClosed, { first: id, second: id % 2 });
    }
    await holds(scene, 'open');
  });

  test('opened twice, and without end', async () => {
    const scene = attack();
    const ids = [1, 1, ...Array.from({ length: LIMITS.streamsPerChannel + 48 }, (_, index) => index + 2)];
    const outcomes = await Promise.all(ids.map((id) => code(opened(scene, id))));
    expect(outcomes.slice(0, 2)).toEqual(['succeeded', 'InvalidArgument']);
    expect(outcomes.filter((outcome) => outcome === 'succeeded')).toHaveLength(LIMITS.streamsPerChannel);
    for (let time = 0; time < 50; time++) {
      scene.peer.frame(FrameKind.stream, { first: 1, second: 0 }, new Uint8Array(200_000));
    }
    expect(scene.peer.received(FrameKind.streamClosed)).toHaveLength(1);
    await holds(scene, 'open');
  });

  test('that come with a call are closed at once', async () => {
    const scene = attack();
    for (let id = 0; id < 2 * LIMITS.streamsPerChannel; id++) {
      callRaw(scene, id, 'later', bytes(), [{ kind: EntryKind.stream, first: id, second: CONTENT_INLINE }]);
      callRaw(scene, id, 'keep', bytes(), [{ kind: EntryKind.stream, first: id, second: CONTENT_INLINE }]);
      await Promise.resolve();
    }
    expect(scene.peer.received(FrameKind.streamClosed)).toHaveLength(4 * LIMITS.streamsPerChannel);
    expect(new Set(failures(scene))).toEqual(new Set(['InvalidArgument']));
    await holds(scene, 'open');
  });

  test('offers are bounded too', async () => {
    const scene = attack();
    for (let id = 0; id < LIMITS.streamsPerChannel + 10; id++) call(scene, id, '$open');
    expect(failures(scene)).toEqual(Array.from({ length: 10 }, () => 'LimitExceeded'));
    await holds(scene, 'open');
  });
});

test('a failure frame with any content becomes an error with a code and a bounded text', async () => {
  const contents = [
    failure('x'.repeat(1e6), 'y'.repeat(1e6)),
    failure('PeerGone', 'z'.repeat(1e6)),
    failure('PeerGone'),
    failure('', ''),
    failure('Revoked', 'by nobody', 'and more'),
    plain(['PeerGone', '']),
    bytes(),
    bytes(255, 1, 2),
    bytes(254, 0xff, 0xff, 0xff, 0xff),
    bytes(2, 0xc0, 0x80, 1, 0xff),
  ];
  for (const content of contents) {
    const scene = attack();
    const pending = capabilityFor(Thing, scene.channel.import(0)).poke();
    const id = latestCall(scene);
    scene.peer.frame(FrameKind.failure, { first: id }, content);
    const error: unknown = await pending.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RpcError);
    if (!(error instanceof RpcError)) return;
    expect(error.code.length).toBeLessThanOrEqual(LIMITS.nameBytes);
    expect(error.message.length).toBeLessThanOrEqual(LIMITS.reasonBytes);
    if (hasCode(error, 'PeerGone')) expect(content).toBe(contents[1]);
  }
});
