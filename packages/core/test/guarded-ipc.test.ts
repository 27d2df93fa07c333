/** A process may say one thing on Node's channel to it: that it has taken a handle. */
import { expect, test } from 'vitest';
import { IpcListener } from '../src/platform/ginit/child-process/guarded-ipc.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const TAKEN = '{"cmd":"NODE_HANDLE_ACK"}\n';
const NOT_TAKEN = '{"cmd":"NODE_HANDLE_NACK"}\n';

/** Whether each of the pieces may pass, after so many handles were sent. */
function heard(handles: number, ...pieces: readonly string[]): boolean[] {
  const listener = new IpcListener();
  for (let sent = 0; sent < handles; sent++) listener.sent();
  return pieces.map((piece) => listener.mayPass(bytes(piece)));
}

test('each handle is acknowledged once, in whatever pieces the acknowledgement comes', () => {
  expect(heard(2, TAKEN + TAKEN)).toEqual([true]);
  expect(heard(1, TAKEN.slice(0, 9), TAKEN.slice(9))).toEqual([true, true]);
  expect(heard(1, TAKEN, TAKEN)).toEqual([true, false]);
  expect(heard(0, TAKEN)).toEqual([false]);
});

test('a handle may be refused as often as Node tries', () => {
  expect(heard(1, NOT_TAKEN, NOT_TAKEN, NOT_TAKEN, TAKEN)).toEqual([true, true, true, true]);
  expect(heard(1, NOT_TAKEN.repeat(4))).toEqual([false]);
});

test.each([
  'nonsense\n',
  'x',
  '{"cmd":"NODE_HANDLE"}\n',
  `${TAKEN.trimEnd()} \n`,
  '\n',
  '{"cmd":"NODE_HANDLE_ACK"}x',
])('no other bytes may pass: %j', (text) => expect(heard(9, text)).toEqual([false]));
