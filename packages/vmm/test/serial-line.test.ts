/** The serial line between a guest and its terminal. */
import { PeerGone, RpcError } from '@ginit/core';
import { expect, test } from 'vitest';
import { SerialLine } from '../src/machine/serial-line.ts';

test('what is typed reaches the guest once and in order, though every byte makes a turn', async () => {
  const typed = [new TextEncoder().encode('a line longer than the guest takes at a time'), new Uint8Array(0)];
  const terminal = {
    read: () => {
      const next = typed.shift();
      return next && next.byteLength > 0 ? Promise.resolve(next) : new Promise<Uint8Array>(() => {});
    },
    write: () => Promise.resolve(),
  };
  const line = new SerialLine(terminal, { hold: () => {}, lost: () => {}, told: () => {} });
  let [seen, queued] = ['', ''];
  const engine = {
    get serialRoom() {
      return 16 - queued.length;
    },
    serialInput: (bytes: Uint8Array) => {
      for (const byte of bytes) {
        queued += String.fromCharCode(byte);
        line.turn(engine);
      }
    },
  };
  void line.readAll(() => line.turn(engine));
  for (let turns = 0; turns < 20; turns++) {
    await new Promise((resolve) => setImmediate(resolve));
    seen += queued;
    queued = '';
    line.turn(engine);
  }
  expect(seen + queued).toBe('a line longer than the guest takes at a time');
});

/** A line whose terminal takes a write when the test says so. */
function slowLine() {
  const writes: { readonly text: string; readonly settle: (error?: Error) => void }[] = [];
  const seen = { held: false, holds: 0, lost: 0, told: [] as string[] };
  const line = new SerialLine(
    {
      read: () => new Promise<Uint8Array>(() => {}),
      write: (bytes) =>
        new Promise<void>((resolve, reject) => {
          const settle = (error?: Error): void => (error ? reject(error) : resolve());
          writes.push({ text: new TextDecoder().decode(bytes), settle });
        }),
    },
    {
      hold: (is) => {
        seen.held = is;
        if (is) seen.holds++;
      },
      lost: () => seen.lost++,
      told: (text) => seen.told.push(text),
    },
  );
  const engine = { serialRoom: 0, serialInput: () => {} };
  /** The guest writes something, and its turn is over. */
  const say = (text: string): void => {
    for (const byte of new TextEncoder().encode(text)) line.written(byte);
    line.turn(engine);
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return { line, writes, seen, say, turn };
}

test('one write is under way at a time, and what the guest writes meanwhile is the next one', async () => {
  const { line, writes, seen, say, turn } = slowLine();
  for (let count = 0; count < 5000; count++) say('x');
  expect([writes.length, writes[0]?.text]).toEqual([1, 'x']);
  const end = line.end();
  writes[0]?.settle();
  await turn();
  expect([writes.length, writes[1]?.text]).toEqual([2, 'x'.repeat(4999)]);
  writes[1]?.settle();
  await end;
  expect(seen).toEqual({ held: false, holds: 0, lost: 0, told: [] });
});

test('a guest whose output waits is held until its terminal has taken most of it, and the log says so once', async () => {
  const { writes, seen, say, turn } = slowLine();
  const KIBIBYTES_256 = 'x'.repeat(256 * 1024);
  for (const time of [0, 1]) {
    say('x');
    say(KIBIBYTES_256);
    expect([seen.held, seen.holds]).toEqual([true, time + 1]);
    writes[2 * time]?.settle();
    await turn();
    expect(seen.held).toBe(true);
    writes[2 * time + 1]?.settle();
    await turn();
    expect(seen.held).toBe(false);
  }
  expect(seen.told).toEqual([expect.stringMatching(/the guest is held/)]);
});

test('a write that fails costs what it has carried; only a terminal that is gone is lost', async () => {
  const { line, writes, seen, say, turn } = slowLine();
  for (const text of ['one', 'two']) {
    say(text);
    writes.at(-1)?.settle(new RpcError('LimitExceeded'));
    await turn();
  }
  say('three');
  expect(writes.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
  expect([seen.lost, seen.told.length]).toEqual([0, 1]);
  say('four');
  writes[2]?.settle(new PeerGone());
  await line.end();
  say('five');
  await line.end();
  expect([writes.length, seen.lost, seen.held]).toEqual([3, 1, false]);
});
