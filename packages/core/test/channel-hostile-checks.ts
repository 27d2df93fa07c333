/** The checks of the tests of hostile peers. */
import { expect } from 'vitest';
import { RpcError } from '../src/index.ts';
import { type Entry, EntryKind, FrameKind } from '../src/channel/frame.ts';
import { MessageReader } from '../src/message/reader.ts';
import { HOSTILE, operation, payloadOf, type Scene, settled } from './channel-raw-peer.ts';

export const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : `not an RpcError: ${String(error)}`),
  );

/**
 * The conditions that always hold: nothing thrown, the neighbour served, pending calls ended with
 * the peer.
 */
export async function holds(scene: Scene, expectation: 'violated' | 'open'): Promise<void> {
  const pending = code(scene.remote.poke());
  await settled();
  expect(scene.peer.thrown).toEqual([]);
  expect(scene.reports).toEqual([]);
  expect(scene.violations.map(({ peer }) => peer)).toEqual(expectation === 'violated' ? [HOSTILE] : []);
  expect(scene.peer.closed).toBe(expectation === 'violated');
  expect(await scene.honest()).toBe('hello');
  if (!scene.peer.closed) scene.peer.die();
  expect(await pending).toBe('PeerGone');
  expect(scene.channel.pendingCalls).toBe(0);
  expect([scene.channel.exports.size, scene.channel.importedObjects]).toEqual([0, 0]);
  expect(scene.victim.census().introductions).toBe(0);
}

export const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Calls an operation of the victim's, as an honest peer would. */
export const call = (scene: Scene, id: number, name: string, ...args: unknown[]): void =>
  callRaw(
    scene,
    id,
    name,
    payloadOf((writer) => operation(name).writeArguments(writer, args)),
  );

/** Calls it with any bytes as its arguments, and any table. */
export const callRaw = (
  scene: Scene,
  id: number,
  name: string,
  payload: Uint8Array = bytes(),
  entries: readonly Entry[] = [],
): void => scene.peer.frame(FrameKind.call, { first: id, third: operation(name).key }, payload, entries);

/** An object of the peer's own, as an entry of a table. */
export const mine = (index: number): Entry => ({ kind: EntryKind.mine, first: index, second: 0 });

/** The codes of the failures that the victim has answered with. */
export const failures = (scene: Scene): string[] => failureTexts(scene).map(([failed]) => failed);

/** Their codes and messages. */
export const failureTexts = (scene: Scene): [string, string][] =>
  scene.peer.received(FrameKind.failure).map(({ payload }) => {
    const reader = new MessageReader();
    reader.begin(payload, 0, payload.byteLength);
    const texts: [string, string] = [reader.text(), reader.text()];
    reader.finish();
    return texts;
  });

/** How many references of each entry the victim has given back. */
export const givenBack = (scene: Scene): Map<number, number> => {
  const counts = new Map<number, number>();
  for (const { first, second } of scene.peer.received(FrameKind.release)) {
    counts.set(first, (counts.get(first) ?? 0) + second);
  }
  return counts;
};

/** The id of the victim's latest call. */
export const latestCall = (scene: Scene): number => {
  const calls = scene.peer.received(FrameKind.call);
  const latest = calls[calls.length - 1];
  if (!latest) throw new Error('the victim has not called');
  return latest.first;
};
