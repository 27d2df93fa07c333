/** What the tests of hostile peers look at. */
import { expect } from 'vitest';
import { RpcError } from '../src/index.ts';
import { FrameKind } from '../src/channel/frame.ts';
import { decodeMessage } from '../src/channel/message.ts';
import { NOTHING_CARRIED } from '../src/channel/message-tables.ts';
import { HOSTILE, payloadOf, type Scene, settled } from './channel-raw-peer.ts';

export const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'succeeded',
    (error: unknown) => (error instanceof RpcError ? error.code : `not an RpcError: ${String(error)}`),
  );

/** What must hold whatever has happened: nothing thrown, the neighbour served, pending calls ended with the peer. */
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
export const call = (scene: Scene, id: number, ...message: unknown[]): void =>
  scene.peer.frame(FrameKind.call, { first: id }, payloadOf(message));
/** [operation, <capability in entry 0>] */
export const callWith = (operation: string): Uint8Array => {
  const name = payloadOf(operation);
  return Uint8Array.from([0x92, ...name, 0xd4, 0x20, 0x00, 0x00]);
};
export const failures = (scene: Scene): unknown[] =>
  scene.peer
    .received(FrameKind.failure)
    .map(({ payload }) => decodeMessage(payload, NOTHING_CARRIED))
    .map((content) => (Array.isArray(content) ? content[0] : content));
